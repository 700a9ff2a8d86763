"""What several test files share: the demo, run once."""

import pytest
from cluster import cluster
from tree import copy_of_tree, snakemake


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """The demo, finished. Tests read it; those that edit or run anything take a copy."""
    folder = copy_of_tree(tmp_path_factory.mktemp("demo"))
    done = snakemake(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="session")
def slurm(tmp_path_factory):
    """A running SLURM cluster of five nodes. Without SLURM or root the test is skipped, in CI it fails."""
    with cluster(tmp_path_factory.mktemp("slurm")) as folder:
        yield folder
