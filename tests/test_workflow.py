"""The graph itself: every study dry-run, and the demo run for real, twice from scratch."""

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from tree import ROOT, copy_of_tree, snakemake

from postgrad.predictions import matrix, read_predictions
from postgrad.study import Study

PREDICT = Path("results/demo/ctyun/predict")


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
    for verb in ("pretrain", "finetune", "augment", "label"):
        assert jobs[verb] == nodes[verb], verb


def test_a_second_run_does_nothing(demo):
    done = snakemake(demo, "-n")
    assert "Nothing to be done" in done.stdout + done.stderr


def test_the_same_study_from_scratch_is_byte_identical(demo, tmp_path):
    again = copy_of_tree(tmp_path)
    done = snakemake(again)
    assert done.returncode == 0, done.stdout + done.stderr
    files = sorted(path.relative_to(demo) for path in (demo / "results" / "demo").rglob("*.parquet"))
    files += [Path("results/demo") / name for name in ("scores.csv", "scores.txt", "report.html")]
    assert len(files) > 60
    different = [str(file) for file in files if (demo / file).read_bytes() != (again / file).read_bytes()]
    assert not different


def logits(tree, node, dataset):
    return matrix(read_predictions(tree / PREDICT / f"{node}@seed=1" / f"{dataset}.parquet"), "logits")


@pytest.mark.parametrize(
    "step, without, dataset",
    [
        ("pretraining", ("ages-read", "ages-plain"), "ages/dev"),
        ("agreement", ("ages-expert", "ages-read"), "ages/dev"),
        ("agreement beside its control", ("ages-expert", "ages-drawn"), "ages/dev"),
        ("cross-task", ("disorders-expert", "disorders-read"), "disorders/dev"),
        ("shuffling", ("outdoors-expert", "outdoors-repeated"), "outdoors/dev"),
        ("shuffling of all classes", ("outdoors-exchanged", "outdoors-doubled"), "outdoors/dev"),
    ],
)
def test_each_step_changes_the_logits(demo, step, without, dataset):
    one, other = (logits(demo, node, dataset) for node in without)
    assert one.shape == other.shape and np.abs(one - other).max() > 1e-3, step


def test_the_teachers_differ(demo):
    one, two = (
        matrix(read_predictions(demo / PREDICT / teacher / "ages" / "unlabeled.parquet"), "logits")
        for teacher in ("qwen", "qwen15")
    )
    assert one.shape == two.shape and np.abs(one - two).max() > 1e-3


def test_scores_are_complete_and_below_one(demo):
    rows = list(csv.DictReader((demo / "results" / "demo" / "scores.csv").open()))
    assert list(rows[0]) == ["recipe", "predictor", "dataset", "metric", "value", "n", "transductive"]
    assert {row["dataset"] for row in rows} == {
        f"{task}/{split}" for task in ("ages", "disorders", "outdoors") for split in ("dev", "test")
    }
    official = [float(row["value"]) for row in rows if row["metric"] in ("f1", "macro_f1") and row["value"]]
    assert official and max(official) < 1.0
    assert max(official) > 0.6  # something was learnt


def test_no_torn_or_foreign_file_is_left(demo):
    names = [path.name for path in (demo / "results").rglob("*") if path.is_file()]
    assert not [name for name in names if name.startswith(".") and not name.startswith(".snakemake")]


def test_an_unknown_name_ends_in_one_sentence(tree):
    done = snakemake(tree, "-n", "--config", "study=demmo")
    message = done.stdout + done.stderr
    assert done.returncode != 0
    assert "study: there is no file config/studies/demmo.yaml; did you mean 'demo'?" in message
    assert "Traceback" not in message
