"""The official metrics against scikit-learn, with and without positive classes and abstentions."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from postgrad.config.schemas import read_schema
from postgrad.evaluation.metrics import OFFICIAL, official_metric, score_predictions
from postgrad.records.predictions import ABSTAIN, softmax


def drawn(classes, abstaining):
    """(gold, predicted, probs) of 300 posts; `abstaining` of them have no answer."""
    rng = np.random.default_rng(classes)
    gold, probs = rng.integers(0, classes, 300), softmax(rng.normal(size=(300, classes)))
    predicted = probs.argmax(axis=1)
    predicted[rng.permutation(300)[:abstaining]] = ABSTAIN
    return gold, predicted, probs


def official(gold, predicted, probs, positive, metric):
    labels = [str(code) for code in range(probs.shape[1])]
    return score_predictions(gold, predicted, probs, labels, positive, metric)["values"]["official"]


@pytest.mark.parametrize(
    "classes, positive", [(2, []), (2, [1]), (2, [0, 1]), (4, []), (4, [1, 3]), (4, [0, 1, 2, 3])]
)
@pytest.mark.parametrize("abstaining", [0, 40])
def test_accuracy_and_micro_f1_are_those_of_scikit_learn(classes, positive, abstaining):
    gold, predicted, probs = posts = drawn(classes, abstaining)
    pooled = f1_score(gold, predicted, labels=positive or list(range(classes)), average="micro")
    accuracy = accuracy_score(gold, predicted)
    assert official(*posts, positive, "micro_f1") == pytest.approx(pooled)
    assert official(*posts, positive, "accuracy") == pytest.approx(accuracy)
    if len(positive) in (0, classes):  # of all classes: the accuracy, unless some abstain
        assert (pooled == pytest.approx(accuracy)) if not abstaining else (pooled > accuracy)
    if positive:
        assert official(*posts, positive, "micro_f1") == official(*posts, positive, "f1")


def test_an_abstention_is_missed_and_no_false_alarm_by_hand():
    """3 of 5 posts are right and one has no answer.

    3 / 5; pooled, 2 * 3 / (4 answers + 5 posts).
    """
    posts = np.array([0, 1, 1, 2, 2]), np.array([0, 1, 2, 2, ABSTAIN]), np.full((5, 3), 1 / 3)
    assert official(*posts, [], "accuracy") == 3 / 5
    assert official(*posts, [], "micro_f1") == 6 / 9
    assert official(*posts, [1, 2], "micro_f1") == 4 / (
        3 + 4
    )  # 2 hits, 3 answers and 4 posts of the two classes


@pytest.mark.parametrize("metric", OFFICIAL)
@pytest.mark.parametrize("positive", [[], [1], [0, 2]])
def test_the_official_metric_alone_is_that_of_the_scores(metric, positive):
    gold, predicted, probs = posts = drawn(3, 20)
    if metric == "f1" and not positive:
        return
    assert official_metric(*posts, 3, positive, metric) == official(*posts, positive, metric)


def test_a_task_may_name_every_metric():
    assert read_schema("task")["properties"]["metric"]["enum"] == list(OFFICIAL)
