"""Compute the scores of predicted labels against gold labels.

Two rules hold everywhere. A ratio whose denominator is 0 is 0. An abstention is a wrong answer: it
is a false negative of its gold class and a false positive of no class.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from postgrad.records.predictions import ABSTAIN
from postgrad.records.score_files import F1, ClassScores, Scores

OFFICIAL = ("f1", "macro_f1", "micro_f1", "accuracy", "auc")


@dataclass(frozen=True)
class ScoredPair:
    """A predictor, a dataset on which it is scored, and how the dataset's task is scored."""

    predictor: str  # the id of a node
    node: str  # its name
    axes: dict[str, str]
    dataset: str
    task: str
    labels: list[str]  # in class order
    positive: list[int]  # codes of the positive classes
    metric: str


@dataclass(frozen=True)
class ScoreOptions:
    """The predictors that are scored in one recipe, and on which datasets."""

    recipe: str
    pairs: list[ScoredPair]


def confusion_matrix(gold: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Return the confusion matrix, in which abstentions are not counted.

    Parameters
    ----------
    gold, predicted
        (n,) class codes; `predicted` may hold ABSTAIN.
    classes
        Number K of classes.

    Returns
    -------
    ndarray of shape (K, K)
        Counts of posts; row: gold class, column: predicted class.

    Examples
    --------
    >>> confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, ABSTAIN]), classes=2)
    array([[1, 1],
           [0, 0]])
    """
    answered = predicted != ABSTAIN
    cells = gold[answered] * classes + predicted[answered]
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def ratio_or_zero(part: float, whole: float) -> float:
    """Return part / whole, or 0.0 if `whole` is 0."""
    return float(part) / float(whole) if whole else 0.0


def precision_recall_f1(hits: float, claimed: float, support: float) -> F1:
    """Return precision, recall and F1 of one class, or of several whose counts are added up.

    Parameters
    ----------
    hits
        True positives.
    claimed
        Posts for which the class was predicted.
    support
        Posts whose gold label is the class.

    Examples
    --------
    >>> precision_recall_f1(hits=2, claimed=4, support=2)
    {'precision': 0.5, 'recall': 1.0, 'f1': 0.6666666666666666}
    """
    return {
        "precision": ratio_or_zero(hits, claimed),
        "recall": ratio_or_zero(hits, support),
        "f1": ratio_or_zero(2 * hits, claimed + support),
    }


def roc_auc(gold: np.ndarray, probs: np.ndarray, positive: int = 1) -> float | None:
    """Return the area under the ROC curve, or None if a class has no gold post.

    With two classes it is that of the probability of the positive class. With more it is the mean,
    over classes, of one class against the rest.

    Parameters
    ----------
    gold
        (n,) class codes.
    probs
        (n, K) probabilities.
    positive
        Code of the positive class, if there are two classes.
    """
    from sklearn.metrics import roc_auc_score  # a second of start-up: only for those who score

    classes = probs.shape[1]
    if len(np.unique(gold)) < classes:
        return None
    chosen = [positive] if classes == 2 else range(classes)
    return float(np.mean([roc_auc_score(gold == code, probs[:, code]) for code in chosen]))


def average_precision(gold: np.ndarray, probs: np.ndarray, positive: int = 1) -> float | None:
    """Return the average precision, or None if a class has no gold post.

    It is the mean, over the gold posts of the class, of the precision among the posts whose
    probability is not lower. With more than two classes it is the mean, over classes, of one class
    against the rest. The parameters are those of `roc_auc`.

    Examples
    --------
    >>> ranked = np.array([[0.1, 0.9], [0.2, 0.8], [0.3, 0.7]])
    >>> average_precision(np.array([1, 0, 1]), ranked)
    0.8333333333333333
    """
    from sklearn.metrics import average_precision_score

    classes = probs.shape[1]
    if len(np.unique(gold)) < classes:
        return None
    chosen = [positive] if classes == 2 else range(classes)
    return float(
        np.mean([average_precision_score(gold == code, probs[:, code]) for code in chosen])
    )


def label_metrics(
    cells: np.ndarray, support: np.ndarray, positive: list[int]
) -> dict[str, float | None]:
    """Return the scores that need no probabilities.

    Precision, recall and f1 are those of the positive classes, with their counts added up (micro
    average), and None if the task has no positive class. micro_f1 is the same f1; without positive
    classes it is that of all classes. Over all classes it equals the accuracy if every post has an
    answer, and is higher if some abstain, since an abstention is no false positive.

    Parameters
    ----------
    cells
        (K, K) confusion matrix.
    support
        (K,) gold posts of each class, those with an abstention included.
    positive
        Codes of the positive classes. The list may be empty.

    Returns
    -------
    dict
        Under precision, recall, f1, micro_f1, macro_f1 and accuracy.
    """
    hits, claimed = cells.diagonal(), cells.sum(axis=0)
    counted = positive or list(range(len(cells)))
    pooled = precision_recall_f1(
        hits[counted].sum(), claimed[counted].sum(), support[counted].sum()
    )
    values: dict[str, float | None] = dict.fromkeys(("precision", "recall", "f1"))
    if positive:
        values.update(precision=pooled["precision"], recall=pooled["recall"], f1=pooled["f1"])
    values["micro_f1"] = pooled["f1"]
    values["accuracy"] = ratio_or_zero(hits.sum(), support.sum())
    values["macro_f1"] = float(
        np.mean([precision_recall_f1(*counts)["f1"] for counts in zip(hits, claimed, support)])
    )
    return values


def official_metric(
    gold: np.ndarray,
    predicted: np.ndarray,
    probs: np.ndarray,
    classes: int,
    positive: list[int],
    metric: str,
) -> float | None:
    """Return the official metric alone, without the checks of `score_predictions`.

    It is fast enough for thousands of draws of posts. The parameters are those of
    `score_predictions`, with the number of classes in the place of their labels.
    """
    if metric == "auc":
        return roc_auc(gold, probs, positive[0] if len(positive) == 1 else 1)
    return label_metrics(
        confusion_matrix(gold, predicted, classes), np.bincount(gold, minlength=classes), positive
    )[metric]


def score_predictions(
    gold: ArrayLike,
    predicted: ArrayLike,
    probs: np.ndarray,
    labels: Sequence[str],
    positive: list[int],
    metric: str,
) -> Scores:
    """Return all scores of one predictor on one dataset.

    Parameters
    ----------
    gold
        (n,) class codes.
    predicted
        (n,) class codes, with ABSTAIN for a post without an answer.
    probs
        (n, K) probabilities.
    labels
        The K labels in class order.
    positive
        Codes of the positive classes. Precision, recall and F1 are those of these classes
        together (micro average), and None if there are none.
    metric
        The official metric, one of OFFICIAL.

    Raises
    ------
    ValueError
        If a code lies outside the task, the number of classes differs, the metric is unknown, or
        it is f1 and there is no positive class.
    """
    gold, predicted, classes = np.asarray(gold), np.asarray(predicted), len(labels)
    if metric not in OFFICIAL:
        raise ValueError(f"metric {metric!r} does not exist; known: {', '.join(OFFICIAL)}.")
    if metric == "f1" and not positive:
        raise ValueError(
            "metric f1 needs positive classes; name them under `positive` in the task file."
        )
    if probs.shape != (len(gold), classes):
        raise ValueError(
            f"{probs.shape[1]} classes predicted where the task has {classes}; predict again."
        )
    if ((gold < 0) | (gold >= classes)).any() or (
        (predicted < ABSTAIN) | (predicted >= classes)
    ).any():
        raise ValueError(f"a class code lies outside 0 to {classes - 1}; clean and predict again.")
    cells = confusion_matrix(gold, predicted, classes)
    hits, claimed, support = (
        cells.diagonal(),
        cells.sum(axis=0),
        np.bincount(gold, minlength=classes),
    )
    per_class: list[ClassScores] = [
        {
            "label": label,
            **precision_recall_f1(hits[code], claimed[code], support[code]),
            "support": int(support[code]),
        }
        for code, label in enumerate(labels)
    ]
    values = label_metrics(cells, support, positive)
    values["auc"] = roc_auc(gold, probs, positive[0] if len(positive) == 1 else 1)
    values["official"] = values[metric]
    return {
        "n": len(gold),
        "metric": metric,
        "positive": list(positive),
        "values": values,
        "per_class": per_class,
        "confusion": cells.tolist(),
        "abstained": int((predicted == ABSTAIN).sum()),
    }
