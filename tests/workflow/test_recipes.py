"""Every study and every recipe is dry-run, in both modes."""

from collections import Counter

import pytest
from tree import ROOT, copy_of_tree, snakemake

from postgrad.study.study import Study


def planned(output):
    """Jobs a rule, from the table that a dry run prints."""
    rows = [line.split() for line in output.splitlines()]
    return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdigit()}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return copy_of_tree(tmp_path_factory.mktemp("tree"))


@pytest.mark.parametrize("study", sorted(path.stem for path in (ROOT / "config" / "studies").glob("*.yaml")))
@pytest.mark.parametrize("mode", ["recommended", "faithful"])
def test_every_study_dry_runs(tree, study, mode):
    """Every recipe of the study at its scale, without its raw posts."""
    config = {"study": study, "check_data": "false", "mode": mode}
    described = Study(config, root=tree / "config")
    done = snakemake(tree, "-n", "--quiet", "rules", "--config", *(f"{key}={value}" for key, value in config.items()))
    assert done.returncode == 0, done.stdout + done.stderr
    jobs = planned(done.stdout + done.stderr)
    nodes = Counter(node.verb for graph in described.graphs.values() for node in graph.nodes.values())
    for verb in ("pretrain", "finetune", "augment", "fold", "label"):
        assert jobs.get(verb, 0) == nodes[verb], verb


@pytest.mark.parametrize("mode", ["recommended", "faithful"])
def test_every_recipe_dry_runs_whole(tree, mode):
    """At the papers' size, with all tasks of a `for` and all seeds and folds."""
    config = ("study=a800", "check_data=false", "tasks=9", "seeds=9", f"mode={mode}")
    done = snakemake(tree, "-n", "all_recipes", "--config", *config)
    assert done.returncode == 0, done.stdout + done.stderr
    jobs = {
        tuple(row[:2]): int(row[2])
        for row in map(str.split, done.stdout.splitlines())
        if len(row) > 2 and "/" in row[1]
    }
    for task in ("violence", "adverse"):
        assert jobs["finetune", f"uccnlp/{task}-bertweet-mm"] == 5
    for task in ("effects", "defects", "drugs"):
        assert jobs["finetune", f"biobert/{task}-gru-more"] == jobs["label", f"biobert/{task}-guessed"] == 5


def test_an_unknown_name_ends_in_one_sentence(tree):
    done = snakemake(tree, "-n", "--config", "study=demmo")
    message = done.stdout + done.stderr
    assert done.returncode != 0
    assert "study: there is no file config/studies/demmo.yaml; did you mean 'demo'?" in message
    assert "Traceback" not in message
