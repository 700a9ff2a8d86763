"""docs/sixth-recipe.md: its recipe and its commands work as they stand there."""

import re
import shlex

import pytest
from tree import ROOT, copy_of_tree, snakemake

from postgrad.study.study import Study

TEXT = (ROOT / "docs/sixth-recipe.md").read_text(encoding="utf-8")
(RECIPE,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.S)
(COMMANDS,) = re.findall(r"```sh\n(.*?)```", TEXT, re.S)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A copy of the tree, with the one file that the document asks for."""
    folder = copy_of_tree(tmp_path_factory.mktemp("sixth"))
    (name,) = re.findall(r"Write this as `(.*)`", TEXT)
    assert not (folder / name).exists()
    (folder / name).write_text(RECIPE)
    return folder


def graph(folder, **config):
    return Study({"study": "demo", "recipes": ["jury"], **config}, root=folder / "config").graphs[
        "jury"
    ]


def test_every_scale_has_all_that_it_needs(folder):
    for study, models in (("demo", "tiny-encoder"), ("public", "minilm"), ("a800", "roberta-base")):
        found = graph(folder, study=study, check_data=False)
        assert not found.not_run and found.study.model_of("roberta-base") == models


def test_five_seeds_one_vote_one_threshold(folder):
    nodes = graph(folder, seeds=5).nodes
    assert nodes["jury"].members == [f"weighted@seed={seed}" for seed in range(1, 6)]
    assert nodes["plain-jury"].members == [f"plain@seed={seed}" for seed in range(1, 6)]
    assert nodes["jury-cut"].members == ["jury"] and nodes["jury-cut"].fitted == ("violence/dev",)
    assert {nodes[id].options["class_weights"] for id in nodes["jury"].members} == {"balanced"}
    assert (
        nodes["jury"].options["rule"] == "soft"
        and nodes["jury-cut"].options["method"] == "threshold"
    )


def test_every_node_that_the_text_names_is_there(folder):
    named = set(re.findall(r"`((?:plain|jury|weighted)[a-z-]*)`", TEXT))
    assert named and named <= graph(folder).raw.keys()


def test_the_dry_run_counts_what_the_recipe_says(folder):
    dry, real = (shlex.split(line) for line in COMMANDS.splitlines())
    assert dry[:2] == ["snakemake", "-n"] and [dry[0], *dry[2:]] == real
    done = snakemake(folder, *dry[1:])
    assert done.returncode == 0, done.stdout + done.stderr
    for verb, node, jobs in (
        ("finetune", "weighted", 5),
        ("finetune", "floor", 1),
        ("vote", "jury", 1),
    ):
        assert re.search(rf"^{verb} +{node} +{jobs} +new$", done.stdout, re.M), done.stdout
