"""What several test files share: the finished demo, a cluster, and which tests one worker runs."""

import fcntl
import os
from pathlib import Path

import pytest

# Each worker computes on one core. It is set before torch or scikit-learn are imported, which read
# it once: two workers with two threads each wait for one another, and a test of a second then takes
# minutes.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from forked_jobs import forked_jobs
from slurm_cluster import cluster
from tree import copy_of_tree, snakemake
from xdist.scheduler import LoadScopeScheduling

CLUSTER = ("test_faults", "test_slurm")
# The longest files come first, so that both workers end at about the same time.
FIRST = (
    *CLUSTER,
    "test_demo_run",
    "test_small_run",
    "test_taken_back",
    "test_rerun",
    "test_shards",
    "test_ranks",
    "test_validation",
)


class ByFile(LoadScopeScheduling):
    """Run the tests of one file on one worker, since they share what their fixtures made.

    The files that need the cluster count as one, because there is one /etc/slurm. The groups of
    xdist itself cannot be used: pytest 9.2 does not read a test id that a plugin has changed.
    """

    def _split_scope(self, nodeid):
        file = nodeid.partition("::")[0]
        return "cluster" if Path(file).stem in CLUSTER else file


def pytest_xdist_make_scheduler(config, log):
    return ByFile(config, log)


def pytest_collection_modifyitems(items):
    items.sort(
        key=lambda item: FIRST.index(item.path.stem) if item.path.stem in FIRST else len(FIRST)
    )


@pytest.fixture(scope="session")
def demo(tmp_path_factory, worker_id):
    """The finished study demo. Tests only read it; those that edit or run anything take a copy."""
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    with (shared / "demo.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the second worker waits for the run of the first
        folder, finished = shared / "demo", shared / "demo.finished"
        if not finished.exists():
            done = snakemake(copy_of_tree(folder))
            assert done.returncode == 0, done.stdout + done.stderr
            finished.touch()
    return folder


@pytest.fixture(scope="session")
def forked_python():
    """A `python` for jobs that spares their imports."""
    with forked_jobs() as python:
        yield python


@pytest.fixture(scope="session")
def slurm(tmp_path_factory):
    """A running SLURM cluster of five nodes.

    Without SLURM or root the test is skipped, or fails in CI.
    """
    with cluster(tmp_path_factory.mktemp("slurm")) as folder:
        yield folder
