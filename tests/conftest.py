"""What several test files share: the demo, run once, a cluster, and which files one worker runs together."""

import fcntl

import pytest
from cluster import cluster
from tree import copy_of_tree, snakemake

# The longest first. The cluster's files are one group: there is one /etc/slurm. `make test` has two workers.
FIRST = ("test_faults", "test_slurm", "test_workflow", "test_rerun", "test_validation")
CLUSTER = ("test_faults", "test_slurm")


def pytest_collection_modifyitems(items):
    """Each file's tests stay together, in their order: they share what the file has made."""
    items.sort(key=lambda item: FIRST.index(item.path.stem) if item.path.stem in FIRST else len(FIRST))
    for item in items:
        group = "cluster" if item.path.stem in CLUSTER else item.path.stem
        item.add_marker(pytest.mark.xdist_group(group))


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
