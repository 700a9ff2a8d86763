"""What several test files share: the demo, run once, a cluster, and which files one worker runs together."""

import fcntl
from pathlib import Path

import pytest
from slurm_cluster import cluster
from tree import copy_of_tree, snakemake
from xdist.scheduler import LoadScopeScheduling

# The longest first: `make test` has two workers.
FIRST = ("test_faults", "test_slurm", "test_recipes", "test_rerun", "test_validation")
CLUSTER = ("test_faults", "test_slurm")


class ByFile(LoadScopeScheduling):
    """A file's tests stay on one worker: they share what it has made. So do the cluster's: there is one /etc/slurm.

    xdist's own groups are lost on pytest 9.2: it reads no id that a plugin has changed.
    """

    def _split_scope(self, nodeid):
        file = Path(nodeid.partition("::")[0]).stem
        return "cluster" if file in CLUSTER else file


def pytest_xdist_make_scheduler(config, log):
    return ByFile(config, log)


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: FIRST.index(item.path.stem) if item.path.stem in FIRST else len(FIRST))


@pytest.fixture(scope="session")
def demo(tmp_path_factory, worker_id):
    """The demo, finished. Tests read it; those that edit or run anything take a copy."""
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    with (shared / "demo.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the worker that comes second waits for the first one's run
        folder, finished = shared / "demo", shared / "demo.finished"
        if not finished.exists():
            done = snakemake(copy_of_tree(folder))
            assert done.returncode == 0, done.stdout + done.stderr
            finished.touch()
    return folder


@pytest.fixture(scope="session")
def slurm(tmp_path_factory):
    """A running SLURM cluster of five nodes. Without SLURM or root the test is skipped, in CI it fails."""
    with cluster(tmp_path_factory.mktemp("slurm")) as folder:
        yield folder
