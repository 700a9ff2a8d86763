"""The demo run for real, and then every recipe on top of it."""

import csv
import json
import re
import shutil
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from predicted import predicted
from tree import ROOT, snakemake

from postgrad.records.predictions import prediction_matrix
from postgrad.study.study import Study

pytestmark = pytest.mark.slow
RESULTS = Path("results/demo")


def test_a_second_run_does_nothing(demo):
    done = snakemake(demo, "-n")
    assert "Nothing to be done" in done.stdout + done.stderr


def test_the_scores_begin_as_the_readme_shows(demo):
    """Up to the figures, whose last digits are those of one machine."""
    shown = re.findall(r"^```text\n(.*?)^```", (ROOT / "README.md").read_text(), re.S | re.M)[0]
    scores = (demo / RESULTS / "scores.txt").read_text().splitlines()
    figure = re.compile(r"\d\.\d{3}")
    lines = shown.splitlines()
    assert [figure.sub("", line) for line in lines] == [
        figure.sub("", line) for line in scores[: len(lines)]
    ]


@pytest.fixture(scope="module")
def every(demo, tmp_path_factory, forked_python):
    """A copy of the finished demo in which every recipe was run."""
    folder = shutil.copytree(demo, tmp_path_factory.mktemp("every") / "tree", symlinks=True)
    done = snakemake(folder, "all_recipes", python=forked_python)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_every_recipe_leaves_what_the_demo_has_made_as_it_was(demo, every):
    files = [
        path.relative_to(demo) for path in sorted((demo / RESULTS).rglob("*")) if path.is_file()
    ]
    assert len(files) > 100
    for file in files:
        before, after = (demo / file).stat(), (every / file).stat()
        assert (after.st_mtime_ns, after.st_size) == (before.st_mtime_ns, before.st_size), file


def logits(tree, predictor, dataset, file="scored"):
    """predictor: recipe/verb/node."""
    return prediction_matrix(predicted(tree / RESULTS / predictor, dataset, file), "logits")


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
    one, other = (logits(demo, f"ctyun/predict/{node}@seed=1", dataset) for node in without)
    assert one.shape == other.shape and np.abs(one - other).max() > 1e-3, step


def test_the_teachers_differ(demo):
    one, two = (
        logits(demo, f"ctyun/predict/{teacher}", "ages/unlabeled", "teaching")
        for teacher in ("qwen", "qwen15")
    )
    assert one.shape == two.shape and np.abs(one - two).max() > 1e-3


def differ(tree, predictors, dataset):
    """Whether no two of these give the same logits."""
    found = [logits(tree, predictor, dataset) for predictor in predictors]
    return all(np.abs(one - other).max() > 1e-3 for one, other in combinations(found, 2))


def test_every_loss_weight_and_calibration_of_uccnlp_changes_the_logits(every):
    models = [
        f"{base}-{loss}"
        for base in ("roberta", "bertweet")
        for loss in ("ce", "focal", "ldam", "mm")
    ]
    models += ["roberta-plain", "roberta-weighted"]
    assert differ(
        every, [f"uccnlp/predict/violence-{model}@seed=1" for model in models], "violence/test"
    )
    for model in models[:9]:
        fair = every / RESULTS / f"uccnlp/calibrate/violence-{model}-fair@seed=1"
        step = json.loads((fair / "scored.fit.json").read_text())["lambda"]
        pair = [f"uccnlp/{verb}/violence-{model}" for verb in ("predict", "calibrate")]
        names = (f"{pair[0]}@seed=1", f"{pair[1]}-fair@seed=1")
        assert differ(every, names, "violence/test") is (step > 0), model


def test_every_member_of_biobert_is_another_and_the_ensemble_holds_them_all(every):
    members = [
        "gru",
        "last2",
        "last3",
        "gru-24",
        "last2-24",
        "last2-clean",
        "gru-more",
        "last2-more",
        "deep",
    ]
    means = [
        f"biobert/vote/effects-{member}-mean" for member in [*members, "gru-drawn", "last2-drawn"]
    ]
    assert differ(every, means, "effects/test")
    counts = {
        path.parts[-2]: json.loads(path.read_text())
        for path in (every / RESULTS).glob("biobert/vote/*/scored.json")
    }
    assert {counts[Path(mean).name]["members"] for mean in means} == {2}  # the study's folds
    assert counts["effects-stage-a"]["members"] == 6 and counts["effects-all-nine"]["members"] == 9


def test_what_read_the_test_set_is_marked_in_the_table(every):
    rows = list(csv.DictReader((every / RESULTS / "all_recipes/scores.csv").open()))
    assert {row["recipe"] for row in rows} == {
        "alex",
        "biobert",
        "ctyun",
        "starter",
        "uccnlp",
        "utrad",
    }
    marked = {row["predictor"] for row in rows if row["transductive"]}
    models = ["gru-more-mean", "last2-more-mean", "all-nine", "all-drawn"]
    assert marked == {f"effects-{name}" for name in models}
    ruled = {(row["recipe"], row["predictor"].partition("@")[0]) for row in rows if row["stand_in"]}
    alex = Study({"study": "demo"}, root=every / "config").graph("alex")
    reviewed = {("alex", node.name) for node in alex.nodes.values() if node.asked}
    written = {
        ("utrad", f"{name}-{kind}")
        for name in ("disorders", "ages")
        for kind in ("expert", "duplicated")
    }
    assert (
        ruled == reviewed | written
    )  # as many duplicates as written posts: their number hangs on the rule


def test_scores_are_complete_and_below_one(demo):
    rows = list(csv.DictReader((demo / RESULTS / "scores.csv").open()))
    assert list(rows[0]) == [
        "recipe",
        "predictor",
        "dataset",
        "metric",
        "value",
        "n",
        "transductive",
        "stand_in",
    ]
    assert {row["dataset"] for row in rows} == {
        f"{task}/{split}" for task in ("ages", "disorders", "outdoors") for split in ("dev", "test")
    }
    official = [
        float(row["value"]) for row in rows if row["metric"] in ("f1", "macro_f1") and row["value"]
    ]
    assert official and max(official) < 1.0
    assert max(official) > 0.6  # something was learnt


def test_no_torn_or_foreign_file_is_left(demo):
    names = [path.name for path in (demo / "results").rglob("*") if path.is_file()]
    assert not [
        name for name in names if name.startswith(".") and not name.startswith(".snakemake")
    ]
