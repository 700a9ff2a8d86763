"""Scores of predicted against gold labels.

Two rules hold everywhere. A ratio without a denominator is 0. An abstention is a wrong answer: a
miss for its gold class and a false alarm for none.
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
    """What is scored in one recipe."""

    recipe: str
    pairs: list[ScoredPair]


def confusion(gold: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """(K, K) counts: gold classes down, predicted classes across. Abstentions stand in no cell."""
    answered = predicted != ABSTAIN
    cells = gold[answered] * classes + predicted[answered]
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def ratio(part: float, whole: float) -> float:
    """part / whole as a float, 0 where whole is 0."""
    return float(part) / float(whole) if whole else 0.0


def f1(hits: float, claimed: float, support: float) -> F1:
    """Precision, recall and F1 of `hits` among `claimed` answers and `support` gold posts."""
    return {
        "precision": ratio(hits, claimed),
        "recall": ratio(hits, support),
        "f1": ratio(2 * hits, claimed + support),
    }


def auc(gold: np.ndarray, probs: np.ndarray, positive: int = 1) -> float | None:
    """Area under the ROC curve. gold: (n,); probs: (n, K).

    K = 2: of the positive class's probability. K > 2: mean over classes of one against the rest.
    None where a class is missing in gold.
    """
    from sklearn.metrics import roc_auc_score  # a second of start-up: only for those who score

    classes = probs.shape[1]
    if len(np.unique(gold)) < classes:
        return None
    chosen = [positive] if classes == 2 else range(classes)
    return float(np.mean([roc_auc_score(gold == code, probs[:, code]) for code in chosen]))


def of_labels(
    cells: np.ndarray, support: np.ndarray, positive: list[int]
) -> dict[str, float | None]:
    """Scores that depend on labels alone: precision, recall, f1, micro_f1, macro_f1 and accuracy.

    cells: the (K, K) confusion; support: (K,) gold posts, abstentions among them; positive: class
    codes, may be none. Precision, recall and f1 are pooled (micro) over the positive classes, and
    None without any. micro_f1 is the same f1 where there are positive classes, and is pooled over
    all classes where there are none. Over all classes it is the accuracy if every post has an
    answer, and higher if some abstain, since an abstention is no false alarm.
    """
    hits, claimed = cells.diagonal(), cells.sum(axis=0)
    counted = positive or list(range(len(cells)))
    pooled = f1(hits[counted].sum(), claimed[counted].sum(), support[counted].sum())
    values: dict[str, float | None] = dict.fromkeys(("precision", "recall", "f1"))
    if positive:
        values.update(precision=pooled["precision"], recall=pooled["recall"], f1=pooled["f1"])
    values["micro_f1"] = pooled["f1"]
    values["accuracy"] = ratio(hits.sum(), support.sum())
    values["macro_f1"] = float(
        np.mean([f1(*counts)["f1"] for counts in zip(hits, claimed, support)])
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
    """The official metric alone, as in `scores`, whose checks are left out.

    For thousands of draws of posts.
    """
    if metric == "auc":
        return auc(gold, probs, positive[0] if len(positive) == 1 else 1)
    return of_labels(
        confusion(gold, predicted, classes), np.bincount(gold, minlength=classes), positive
    )[metric]


def scores(
    gold: ArrayLike,
    predicted: ArrayLike,
    probs: np.ndarray,
    labels: Sequence[str],
    positive: list[int],
    metric: str,
) -> Scores:
    """All scores of one predictor on one dataset.

    gold, predicted: (n,) class codes, predicted with ABSTAIN; probs: (n, K); labels: K names in
    class order; positive: codes of the classes whose pooled (micro) precision, recall and F1 are
    reported, None where the task has no positive class; metric: the official one (OFFICIAL). Raises
    ValueError for codes outside the task, another number of classes, an unknown metric, and F1
    without a positive class.
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
    cells = confusion(gold, predicted, classes)
    hits, claimed, support = (
        cells.diagonal(),
        cells.sum(axis=0),
        np.bincount(gold, minlength=classes),
    )
    per_class: list[ClassScores] = [
        {
            "label": label,
            **f1(hits[code], claimed[code], support[code]),
            "support": int(support[code]),
        }
        for code, label in enumerate(labels)
    ]
    values = of_labels(cells, support, positive)
    values["auc"] = auc(gold, probs, positive[0] if len(positive) == 1 else 1)
    values["official"] = values[metric]
    return {
        "n": len(gold),
        "metric": metric,
        "values": values,
        "per_class": per_class,
        "confusion": cells.tolist(),
        "abstained": int((predicted == ABSTAIN).sum()),
    }
