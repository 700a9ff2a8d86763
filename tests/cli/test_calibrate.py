"""The command calibrate: a threshold, a temperature and a class prior, fitted on gold posts."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from postgrad.records.posts import write_posts
from postgrad.records.predictions import (
    ABSTAIN,
    dataset_predictions,
    prediction_matrix,
    prediction_rows,
    read_predictions,
    write_predictions,
)


def probabilities(*positive):
    return np.log(np.array([[1 - p, p] for p in positive]))


GOLD = [0, 0, 0, 0, 1, 1]
DEV = probabilities(
    0.1, 0.2, 0.1, 0.3, 0.4, 0.45
)  # all are called no; from .35 on all would be right
SPEC = {
    "node": "fair",
    "of": ["plain"],
    "fit": "rain/dev",
    "labels": ["no", "yes"],
    "positive": [1],
    "metric": "f1",
    "datasets": ["rain/test"],
}


def run(folder, labels=None, logits=DEV, gold=GOLD, **options):
    ids = [f"p{i}" for i in range(len(logits))]
    write_posts(
        pd.DataFrame({"post_id": ids, "text": "t", "label": pd.array(gold, dtype="Int64")}),
        folder / "dev",
    )
    test = prediction_rows(["a", "b", "c"], probabilities(0.36, 0.2, 0.5), labels=[0, 0, ABSTAIN])
    write_predictions(
        {"rain/dev": prediction_rows(ids, logits, labels=labels), "rain/test": test}, folder / "of"
    )
    pool = prediction_rows([f"u{i}" for i in range(4)], probabilities(0.9, 0.9, 0.9, 0.1))
    write_predictions({"rain/dev": test, "rain/unlabeled": pool}, folder / "pool")
    (folder / "model.json").write_text(json.dumps({"classes": {"no": 80, "yes": 20}}))
    command = [
        sys.executable,
        "workflow/scripts/calibrate.py",
        "--spec",
        json.dumps(SPEC | options),
    ]
    files = {"predictions": "of", "gold": "dev", "model": "model.json", "out": "o", "fit": "f.json"}
    if "/" in options.get("target", ""):
        files["pool"] = "pool"
    for key, name in files.items():
        command += [f"--{key}", folder / name]
    return subprocess.run(command, capture_output=True, text=True)


def fit_of(folder, **options):
    done = run(folder, **options)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "f.json").read_text())


def test_command_fits_a_threshold_and_leaves_abstentions(tmp_path):
    fit = fit_of(tmp_path, method="threshold")
    assert (
        0.3 < fit["threshold"] < 0.4 and fit["before"]["score"] == 0 and fit["after"]["score"] == 1
    )
    assert {
        key: fit[key] for key in ("node", "of", "fit", "posts", "metric", "method", "pool")
    } == {
        "node": "fair",
        "of": ["plain"],
        "fit": "rain/dev",
        "posts": 6,
        "metric": "f1",
        "method": "threshold",
        "pool": None,
    }
    frame = read_predictions(tmp_path / "o")
    assert frame["post_id"].tolist() == ["a", "b", "c"] and set(frame["dataset"]) == {"rain/test"}
    assert frame["label"].tolist() == [1, 0, ABSTAIN]
    assert np.allclose(prediction_matrix(frame)[2], [0.5, 0.5])  # no answer: the logits stay
    assert (prediction_matrix(frame)[:2].argmax(axis=1) == [1, 0]).all()


def test_one_fit_is_for_all_datasets_of_the_file(tmp_path):
    fit = fit_of(tmp_path, method="threshold", datasets=["rain/dev", "rain/test"])
    assert fit["datasets"] == ["rain/dev", "rain/test"]
    frame = read_predictions(tmp_path / "o")
    assert dataset_predictions(frame, "rain/dev")["label"].tolist() == GOLD
    assert dataset_predictions(frame, "rain/test")["label"].tolist() == [1, 0, ABSTAIN]


def test_command_fits_a_temperature(tmp_path):
    fit = fit_of(tmp_path, method="temperature")
    assert (
        fit["after"]["log loss"] < fit["before"]["log loss"]
        and fit["after"]["score"] == fit["before"]["score"]
    )
    logits = prediction_matrix(read_predictions(tmp_path / "o"), "logits")
    assert np.allclose(logits[0] * fit["temperature"], probabilities(0.36)[0])


def test_command_exchanges_the_prior(tmp_path):
    fit = fit_of(tmp_path, method="prior", target="uniform", **{"lambda": [0, 0.4, 0.5, 1]})
    # yes where p / (1 - p) > 4^-lambda: at .4 from .365 on, at .5 from .333 on, at 1 from .2 on
    assert fit["lambda"] == 0.4 and fit["train"] == [0.8, 0.2] and fit["after"]["score"] == 1
    assert [strength for strength, _ in fit["tried"]] == [0, 0.4, 0.5, 1]
    assert read_predictions(tmp_path / "o")["label"].tolist() == [0, 0, ABSTAIN]


def test_command_estimates_the_prior_of_a_split(tmp_path):
    fit = fit_of(tmp_path, method="prior", target="rain/unlabeled", **{"lambda": [1]})
    assert fit["pool"] == 4 and fit["target"][1] > 0.7 and sum(fit["target"]) == pytest.approx(1)


def test_an_abstention_on_dev_is_not_fitted_on_and_counts_as_wrong(tmp_path):
    fit = fit_of(tmp_path, method="threshold", labels=[0, 0, 0, 0, 0, ABSTAIN])
    assert fit["after"]["score"] == pytest.approx(2 / 3)  # one of two found, none too many


def test_command_refuses_in_one_sentence_without_a_post(tmp_path):
    for options, fault in (
        ({"method": "threshold", "gold": [None] * 6}, "answers no gold post"),
        ({"method": "threshold", "labels": [ABSTAIN] * 6}, "answers no gold post"),
        (
            {"method": "temperature", "metric": "auc", "gold": [0] * 6},
            "auc needs gold posts of every class",
        ),
    ):
        done = run(tmp_path, **options)
        assert (
            done.returncode == 1
            and done.stderr.startswith("calibrate: ")
            and done.stderr.count("\n") == 1
        )
        assert fault in done.stderr and not (tmp_path / "o").exists()
