"""docs/adding-a-verb.md: the verb that it adds works, and touches nothing but its six parts."""

import re
import subprocess
import sys

import pytest
from tree import ROOT, copy_of_tree, snakemake

from postgrad.records.posts import read_posts, read_posts_without_dropped

TEXT = (ROOT / "docs/adding-a-verb.md").read_text(encoding="utf-8")
# (whether the block is a new file, its path, its text)
BLOCKS = re.findall(
    r"^(New file|At the end of) `([^`\n]+)`:\n\n```\w+\n(.*?)^```$", TEXT, re.S | re.M
)
CUT = "results/demo/first-words/shorten/cut.parquet"


def run_python(tree, *words):
    environment = {"PYTHONPATH": "workflow/scripts", "PATH": "/usr/bin:/bin"}
    return subprocess.run(
        [sys.executable, *words], cwd=tree, env=environment, capture_output=True, text=True
    )


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of the tree in which a reader has carried out the page."""
    tree = copy_of_tree(tmp_path_factory.mktemp("adding") / "tree")
    for place, name, text in BLOCKS:
        file = tree / name
        assert file.exists() == (place == "At the end of"), name
        before = file.read_text(encoding="utf-8") if file.exists() else ""
        gap = "\n\n" if file.suffix == ".smk" else ""
        file.write_text(before + gap + text, encoding="utf-8")
    done = run_python(tree, "docs/write_reference.py")
    assert done.returncode == 0, done.stderr
    return tree


def test_the_page_adds_the_six_parts_and_a_recipe_and_no_block_is_long():
    assert [name for _, name, _ in BLOCKS] == [
        "workflow/scripts/postgrad/augmentation/shortening.py",
        "workflow/scripts/shorten.py",
        "workflow/scripts/postgrad/verbs/shorten.py",
        "workflow/schemas/verbs.yaml",
        "workflow/rules/data.smk",
        "tests/cli/test_shorten.py",
        "config/recipes/first-words.yaml",
    ]
    assert TEXT.count("\n```") == 2 * (len(BLOCKS) + 1), "every block but the commands is a file"
    assert max(text.count("\n") for _, _, text in BLOCKS) <= 45


def test_a_recipe_with_the_verb_resolves(tree):
    code = (
        "from postgrad.study.study import Study; "
        "graph = Study({'study': 'demo', 'recipes': ['first-words']}).graphs['first-words']; "
        "print(graph.nodes['cut'].options, graph.nodes['brief'].sources)"
    )
    done = run_python(tree, "-c", code)
    assert done.stdout == "{'words': 12} ['cut']\n", done.stderr


def test_its_job_is_planned_and_makes_the_right_posts(tree):
    done = snakemake(tree, "-n", "--config", "recipes=first-words")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^shorten +cut +1 +new$", done.stdout, re.M), done.stdout
    done = snakemake(tree, "--config", "recipes=first-words", "--", CUT)
    assert done.returncode == 0, done.stdout + done.stderr
    results = tree / "results/demo"
    before = read_posts_without_dropped(
        [results / "clean/smm4h24-task6/train.parquet"],
        [results / "audit/smm4h24-task6/drop.parquet"],
    )
    after = read_posts(tree / CUT)
    assert after["post_id"].tolist() == before["post_id"].tolist()
    pairs = [(old.split(), new.split()) for old, new in zip(before["text"], after["text"])]
    assert all(new == old[:12] for old, new in pairs) and any(len(old) > 12 for old, _ in pairs)


@pytest.mark.slow
def test_its_own_test_and_the_tests_of_the_structure_pass(tree):
    subprocess.run(["git", "init", "-q"], cwd=tree, check=True)  # a test asks git for all files
    tests = re.findall(r"^pytest (.*)$", TEXT, re.M)[0].split()
    done = run_python(tree, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", *tests)
    assert done.returncode == 0, done.stdout[-3000:]
    modules = [name for _, name, _ in BLOCKS if name.endswith(".py")]
    for words in (["check"], ["format", "--check"]):
        done = run_python(tree, "-m", "ruff", *words, *modules)
        assert done.returncode == 0, done.stdout
