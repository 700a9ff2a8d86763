"""Scores against values by hand, scikit-learn and published predictions; the command score."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn import metrics as sklearn
from tree import ROOT

from postgrad.evaluation.metrics import roc_auc, score_predictions
from postgrad.records.json_files import json_text
from postgrad.records.outcomes import OUTCOMES
from postgrad.records.posts import write_posts
from postgrad.records.predictions import ABSTAIN, prediction_rows, softmax, write_predictions

TWEETEVAL = ROOT.parent / "shared" / "data" / "tweeteval"
GOLD = np.array([0, 0, 0, 1, 1, 1, 1, 0])
PREDICTED = np.array([0, 1, 0, 1, 1, 0, ABSTAIN, 0])
PROBS = np.array(
    [[0.9, 0.1], [0.3, 0.7], [0.8, 0.2], [0.2, 0.8], [0.4, 0.6], [0.7, 0.3], [0.5, 0.5], [0.9, 0.1]]
)


def one_hot(labels, classes):
    return np.eye(classes)[labels]


def test_scores_by_hand():
    found = score_predictions(GOLD, PREDICTED, PROBS, ["no", "yes"], [1], "f1")
    assert found["confusion"] == [[3, 1], [1, 2]] and found["abstained"] == 1 and found["n"] == 8
    values = found["values"]
    assert (
        values["precision"] == 2 / 3 and values["recall"] == 2 / 4
    )  # the abstention is missed, not false
    assert values["f1"] == values["official"] == 4 / 7
    assert values["accuracy"] == 5 / 8
    no, yes = found["per_class"]
    assert no == {"label": "no", "precision": 3 / 4, "recall": 3 / 4, "f1": 6 / 8, "support": 4}
    assert yes["support"] == 4 and values["macro_f1"] == (6 / 8 + 4 / 7) / 2


def test_micro_f1_of_two_classes_among_three_by_hand():
    """The metric of SMM4H-2020 Task 5, whose third class counts neither as hit nor as support."""
    body = yaml.safe_load((ROOT / "config/tasks/smm4h20-task5.yaml").read_text())
    names = [label["name"] for label in body["labels"]]
    positive = [names.index(name) for name in body["positive"]]
    matrix = np.array([[4, 1, 2], [1, 3, 1], [2, 3, 20]])  # gold down, predicted across
    gold, predicted = np.repeat(np.indices((3, 3)).reshape(2, 9), matrix.ravel(), axis=1)
    values = score_predictions(
        gold, predicted, one_hot(predicted, 3), names, positive, body["metric"]
    )["values"]
    # 4 + 3 hits; 7 + 7 answers and 7 + 5 gold posts of the two classes
    assert values["precision"] == 7 / 14 and values["recall"] == 7 / 12
    assert values["official"] == values["f1"] == 2 * 7 / (14 + 12)
    swapped = score_predictions(predicted, gold, one_hot(gold, 3), names, positive, body["metric"])[
        "values"
    ]
    assert (
        swapped["precision"] == 7 / 12 and swapped["f1"] == values["f1"]
    )  # as the official scorer writes them


def test_auc_counts_pairs_in_the_right_order_and_ties_half():
    # positives .8 .6 .3 .5 against negatives .1 .7 .2 .1: 4 + 3 + 3 + 3 of 16 pairs
    assert roc_auc(GOLD, PROBS) == 13 / 16
    assert roc_auc(GOLD, PROBS[:, ::-1]) == 3 / 16
    assert (
        roc_auc(GOLD, PROBS, positive=0) == 13 / 16
    )  # with two classes, either side gives the same area
    assert roc_auc(np.array([0, 1]), np.array([[0.5, 0.5], [0.5, 0.5]])) == 0.5
    assert roc_auc(np.zeros(8, dtype=int), PROBS) is None


@pytest.mark.parametrize("classes, positive", [(2, [1]), (3, [0, 1]), (4, [2])])
def test_scores_equal_scikit_learn(classes, positive):
    rng = np.random.default_rng(classes)
    gold, probs = rng.integers(0, classes, 200), softmax(rng.normal(size=(200, classes)))
    predicted = probs.argmax(axis=1)
    found = score_predictions(
        gold, predicted, probs, [str(code) for code in range(classes)], positive, "macro_f1"
    )
    values, micro = found["values"], {"labels": positive, "average": "micro"}
    assert values["precision"] == pytest.approx(sklearn.precision_score(gold, predicted, **micro))
    assert values["recall"] == pytest.approx(sklearn.recall_score(gold, predicted, **micro))
    assert values["f1"] == pytest.approx(sklearn.f1_score(gold, predicted, **micro))
    assert (
        values["macro_f1"]
        == values["official"]
        == pytest.approx(sklearn.f1_score(gold, predicted, average="macro"))
    )
    assert values["accuracy"] == pytest.approx(sklearn.accuracy_score(gold, predicted))
    area = probs[:, 1] if classes == 2 else probs
    assert values["auc"] == pytest.approx(sklearn.roc_auc_score(gold, area, multi_class="ovr"))
    assert found["confusion"] == sklearn.confusion_matrix(gold, predicted).tolist()
    table = sklearn.precision_recall_fscore_support(gold, predicted)
    for i, key in enumerate(("precision", "recall", "f1", "support")):
        assert [row[key] for row in found["per_class"]] == pytest.approx(table[i].tolist())


def test_a_ratio_without_a_denominator_is_zero_and_a_missing_class_has_no_auc():
    found = score_predictions(
        np.array([0, 0]), np.array([0, 0]), np.full((2, 2), 0.5), ["no", "yes"], [1], "f1"
    )
    assert found["values"]["precision"] == found["values"]["recall"] == found["values"]["f1"] == 0
    assert found["values"]["auc"] is None and found["values"]["accuracy"] == 1


def test_a_task_without_positive_classes_has_no_positive_f1():
    found = score_predictions(GOLD, PREDICTED, PROBS, ["a", "b"], [], "macro_f1")
    assert found["values"]["f1"] is None and found["values"]["official"] > 0.6
    with pytest.raises(ValueError, match="needs positive classes"):
        score_predictions(GOLD, PREDICTED, PROBS, ["a", "b"], [], "f1")


@pytest.mark.parametrize(
    "change, fault",
    [
        ({"metric": "f2"}, "'f2' does not exist"),
        ({"labels": ["a", "b", "c"]}, "2 classes predicted where the task has 3"),
        ({"gold": GOLD + 1}, "outside 0 to 1"),
        ({"predicted": PREDICTED - 1}, "outside 0 to 1"),
    ],
)
def test_impossible_input_is_refused(change, fault):
    right = {
        "gold": GOLD,
        "predicted": PREDICTED,
        "probs": PROBS,
        "labels": ["a", "b"],
        "positive": [1],
        "metric": "f1",
    }
    with pytest.raises(ValueError, match=fault):
        score_predictions(**{**right, **change})


def frame(ids, labels):
    labels = pd.array(labels, dtype="Int64")
    return pd.DataFrame({"post_id": ids, "text": "two words", "label": labels})


def test_json_is_rounded_sorted_and_finite():
    assert json_text({"b": 1 / 3, "a": [-1e-12, (True, 2, None)]}) == (
        '{\n "a": [\n  0.0,\n  [\n   true,\n   2,\n   null\n  ]\n ],\n "b": 0.3333333333\n}\n'
    )
    with pytest.raises(ValueError):
        json_text({"a": float("nan")})


@pytest.mark.skipif(
    not TWEETEVAL.exists(), reason="the public posts of ../shared/data are not here"
)
@pytest.mark.parametrize(
    "task, metric, published",
    [("irony", "f1", 0.6248), ("offensive", "macro_f1", 0.8155), ("emotion", "macro_f1", 0.7983)],
)
def test_published_predictions_score_as_published(task, metric, published):
    gold = np.loadtxt(TWEETEVAL / "datasets" / task / "test_labels.txt", dtype=int)
    predicted = np.loadtxt(TWEETEVAL / "predictions" / f"{task}.txt", dtype=int)
    labels = [str(code) for code in range(gold.max() + 1)]
    found = score_predictions(gold, predicted, one_hot(predicted, len(labels)), labels, [1], metric)
    assert round(found["values"]["official"], 4) == published


def score(tmp_path, pairs, predictions, gold):
    command = [
        sys.executable,
        "workflow/scripts/score.py",
        "--spec",
        json.dumps({"recipe": "r", "pairs": pairs}),
    ]
    for predictor, file in predictions.items():
        command += ["--predictions", predictor, file]
    for dataset, file in gold.items():
        command += ["--gold", "plain@seed=1", dataset, file]
    groups = pd.DataFrame({"post_id": ["p0", "p1", "p2"], "split": "dev", "group": ["g", "g", "h"]})
    groups.to_parquet(tmp_path / "groups.parquet")
    command += ["--groups", "t", tmp_path / "groups.parquet"]
    command += ["--outcomes", tmp_path / "outcomes.parquet", "--out", tmp_path / "score.json"]
    return subprocess.run(command, capture_output=True, text=True)


def pair(dataset):
    named = {
        "predictor": "plain@seed=1",
        "node": "plain",
        "axes": {"seed": "1"},
        "dataset": dataset,
        "task": "t",
    }
    return {**named, "labels": ["no", "yes"], "positive": [1], "metric": "f1"}


def test_command(tmp_path):
    dev, test, predicted = (tmp_path / f"{name}.parquet" for name in ("dev", "test", "predicted"))
    ids = [f"p{i}" for i in range(8)]
    write_posts(frame(ids, GOLD), dev)
    write_posts(frame(ids, [None] * 8), test)
    rows = prediction_rows(ids[::-1], np.log(PROBS[::-1]), labels=PREDICTED[::-1])
    write_predictions({"t/test": prediction_rows(ids, np.log(PROBS)), "t/dev": rows}, predicted)
    done = score(
        tmp_path,
        [pair("t/dev"), pair("t/test")],
        {"plain@seed=1": predicted},
        {"t/dev": dev, "t/test": test},
    )
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "score.json").read_text())
    scored, empty = found["entries"]
    assert found["recipe"] == "r"
    assert (
        scored["predictor"] == "plain@seed=1"
        and scored["dataset"] == "t/dev"
        and scored["task"] == "t"
    )
    assert scored["values"]["official"] == round(4 / 7, 10) and scored["values"]["auc"] == 13 / 16
    assert scored["confusion"] == [[3, 1], [1, 2]] and scored["metric"] == "f1"
    named = {
        "predictor": "plain@seed=1",
        "node": "plain",
        "axes": {"seed": "1"},
        "dataset": "t/test",
        "task": "t",
    }
    assert empty == {**named, "n": 0, "reason": "no gold labels"}
    outcomes = pd.read_parquet(tmp_path / "outcomes.parquet")
    assert list(outcomes) == OUTCOMES.names and set(outcomes["dataset"]) == {"t/dev"}
    assert outcomes["label"].tolist() == PREDICTED.tolist() and set(outcomes["words"]) == {2}
    assert outcomes["group"].nunique() == 7 and outcomes["group"][0] == outcomes["group"][1]
    (estimate,) = found["estimates"]
    assert (estimate["node"], estimate["dataset"], estimate["seeds"]) == ("plain", "t/dev", 1)
    assert estimate["low"] < estimate["mean"] == round(4 / 7, 10) < estimate["high"]


def test_command_names_both_files_where_predictions_are_missing(tmp_path):
    gold, predicted = tmp_path / "gold.parquet", tmp_path / "predicted.parquet"
    write_posts(frame(["a", "b"], [0, 1]), gold)
    rows = {
        "t/dev": prediction_rows(["a"], np.zeros((1, 2))),
        "t/test": prediction_rows(["b"], np.zeros((1, 2))),
    }
    write_predictions(rows, predicted)
    done = score(tmp_path, [pair("t/dev")], {"plain@seed=1": predicted}, {"t/dev": gold})
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"score: {predicted} lacks 1 of 2 gold posts of {gold}")
    assert not (tmp_path / "score.json").exists()


def test_command_wants_a_file_of_each_predictor_and_pair_and_of_no_other(tmp_path):
    dev = {"t/dev": tmp_path / "dev.parquet"}
    done = score(tmp_path, [pair("t/dev")], {}, dev)
    assert (
        done.returncode == 1
        and "--predictions lacks a file for plain@seed=1; give each" in done.stderr
    )
    predicted = {"plain@seed=1": tmp_path / "scored.parquet"}
    done = score(tmp_path, [pair("t/dev")], predicted, dev | {"t/test": tmp_path / "test.parquet"})
    assert (
        done.returncode == 1
        and "--gold has a file for the unknown plain@seed=1 t/test; give" in done.stderr
    )
