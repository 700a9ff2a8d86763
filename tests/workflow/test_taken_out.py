"""A verb that is taken out leaves a tree in which everything else works unedited.

First review, then diversity.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from taken_out import take_out
from tree import copy_of_tree, snakemake

# The tests of this file stand on one another: each verb is taken out of the tree that is left.
pytestmark = pytest.mark.slow

FILE = Path(__file__)
IMPORTS = """
import pkgutil, postgrad
from importlib import import_module
names = [module.name for module in pkgutil.walk_packages(postgrad.__path__, "postgrad.")]
assert len(names) > 80
for name in names:
    import_module(name)
from postgrad.study.fingerprints import code_fingerprint, unconfirmed_message
from postgrad.verbs.registry import VERBS
assert unconfirmed_message() is None and all(code_fingerprint(verb) for verb in VERBS)
print(*VERBS)
"""


def run(tree, *words):
    environment = {**os.environ, "PYTHONPATH": "workflow/scripts"}
    return subprocess.run(
        [sys.executable, *words], cwd=tree, env=environment, capture_output=True, text=True
    )


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return copy_of_tree(tmp_path_factory.mktemp("taken") / "tree")


@pytest.mark.parametrize("verb", ["review", "diversity"])
def test_all_else_resolves_without_a_verb(tree, verb):
    take_out(tree, verb)
    done = run(tree, "-c", IMPORTS)
    assert done.returncode == 0, done.stderr
    assert verb not in done.stdout.split() and "vote" in done.stdout.split()
    for study in ("demo", "a800"):
        done = snakemake(
            tree, "-n", "all_recipes", "--config", f"study={study}", "check_data=false"
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"\n{verb} " not in done.stdout and "\nvote " in done.stdout


def test_all_other_tests_pass_without_both_verbs(tree):
    """The fast tests, except for this file, pass unedited in the tree that is left.

    They take two processes, since this file may be the last that still runs.
    """
    for verb in ("review", "diversity"):
        assert not (tree / f"workflow/scripts/{verb}.py").exists(), "taken out by the tests above"
    # A test asks git which files there are.
    subprocess.run(["git", "init", "-q"], cwd=tree, check=True)
    done = run(
        tree, "-m", "pytest", "-q", "-n", "2", "-m", "not slow", "-p", "no:cacheprovider",
        "tests/unit", "tests/cli", "tests/workflow", f"--ignore=tests/workflow/{FILE.name}",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]
