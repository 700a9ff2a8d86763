"""Every study and every recipe is dry-run, in both modes."""

from collections import Counter

import pytest
from tree import ROOT, copy_of_tree, snakemake

from postgrad.study.study import Study


def planned(output):
    """{rule: number of jobs}, from the table that a dry run prints."""
    rows = [line.split() for line in output.splitlines()]
    return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdigit()}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return copy_of_tree(tmp_path_factory.mktemp("tree"))


@pytest.mark.parametrize(
    "study", sorted(path.stem for path in (ROOT / "config" / "studies").glob("*.yaml"))
)
@pytest.mark.parametrize("mode", ["recommended", "faithful"])
def test_every_study_dry_runs(tree, study, mode):
    """Every recipe of the study at its scale, without its raw posts."""
    config = {"study": study, "check_data": "false", "mode": mode}
    described = Study(config, root=tree / "config")
    done = snakemake(
        tree,
        "-n",
        "--quiet",
        "rules",
        "--config",
        *(f"{key}={value}" for key, value in config.items()),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    jobs = planned(done.stdout + done.stderr)
    nodes = Counter(
        node.verb for graph in described.graphs.values() for node in graph.nodes.values()
    )
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
        assert (
            jobs["finetune", f"biobert/{task}-gru-more"]
            == jobs["label", f"biobert/{task}-guessed"]
            == 5
        )


@pytest.mark.parametrize("recipes", ["uccnlp,alex", "[uccnlp,alex]"])
def test_recipes_and_scale_may_stand_on_the_command_line(tree, recipes):
    """A study that extends another has the jobs of a study that says everything itself."""
    (tree / "config/studies/large.yaml").write_text(
        "extends: public\ntitle: Public posts\nseeds: 2\n"
    )
    words = ("scale=a800", f"recipes={recipes}", "check_data=false")
    done = [
        snakemake(tree, "-n", "--quiet", "rules", "--config", *study, *words)
        for study in (("study=large",), ("study=public", "seeds=2"))
    ]
    assert [run.returncode for run in done] == [0, 0], done[0].stdout + done[0].stderr
    jobs, written_out = (planned(run.stdout + run.stderr) for run in done)
    config = {"study": "large", "scale": "a800", "recipes": ["uccnlp", "alex"], "check_data": False}
    studied = Study(config, root=tree / "config")
    nodes = Counter(node.verb for graph in studied.graphs.values() for node in graph.nodes.values())
    assert jobs == written_out and jobs["score"] == 2 and jobs["finetune"] == nodes["finetune"] > 20


def test_an_unknown_name_ends_in_one_sentence(tree):
    done = snakemake(tree, "-n", "--config", "study=demmo")
    message = done.stdout + done.stderr
    assert done.returncode != 0
    assert "study: there is no file config/studies/demmo.yaml; did you mean 'demo'?" in message
    assert "Traceback" not in message
