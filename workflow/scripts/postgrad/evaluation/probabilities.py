"""Measure how far the probabilities of a predictor can be trusted.

The confidence of a predictor in a post is the probability of the label that it gives. An abstention
has no confidence: it is left out of the reliability curve, and comes last, as a wrong answer, where
posts are ordered by confidence.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from postgrad.evaluation.metrics import precision_recall_f1
from postgrad.records.predictions import ABSTAIN

BINS = 10
MOST_POINTS = 100  # of a curve that is drawn
THRESHOLDS = tuple(step / 20 for step in range(1, 20))


@dataclass(frozen=True)
class Curve:
    """Points of a curve. `n` is the number of posts behind each point, or up to it."""

    x: np.ndarray
    y: np.ndarray
    n: np.ndarray

    def thinned(self, most: int = MOST_POINTS) -> "Curve":
        """Return at most `most` of the points, evenly spaced, with the first and the last.

        Examples
        --------
        >>> numbers = np.arange(5)
        >>> Curve(numbers, numbers, numbers).thinned(3).x.tolist()
        [0, 2, 4]
        """
        if len(self.x) <= most:
            return self
        rows = np.linspace(0, len(self.x) - 1, most).round().astype(int)
        return Curve(self.x[rows], self.y[rows], self.n[rows])


@dataclass(frozen=True)
class ThresholdScores:
    """The scores of a binary predictor that flags all posts from one probability upwards."""

    threshold: float
    precision: float
    recall: float
    f1: float
    flagged: int


def label_confidence(labels: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """Return the probability of the label of each post, and NaN for an abstention.

    Parameters
    ----------
    labels
        (n,) class codes, or ABSTAIN.
    probs
        (n, K) probabilities.

    Examples
    --------
    >>> label_confidence(np.array([1, ABSTAIN]), np.array([[0.25, 0.75], [0.5, 0.5]])).tolist()
    [0.75, nan]
    """
    own = np.take_along_axis(probs, np.maximum(labels, 0)[:, None], axis=1)[:, 0]
    return np.where(labels == ABSTAIN, np.nan, own)


def reliability_curve(
    confidence: np.ndarray,
    correct: np.ndarray,
    bins: int = BINS,
    strategy: Literal["uniform", "quantile"] = "uniform",
) -> Curve:
    """Return the share of correct answers by their confidence.

    The bins are those of `sklearn.calibration.calibration_curve`, which does not return how many
    posts each of them holds.

    Parameters
    ----------
    confidence
        (n,) confidences. Posts whose confidence is NaN are left out.
    correct
        (n,) whether the answer is correct.
    bins
        Number of bins.
    strategy
        Bins of equal width (uniform) or of equally many posts (quantile).

    Returns
    -------
    Curve
        For each bin that holds a post: mean confidence, share of correct answers, posts.

    Examples
    --------
    >>> curve = reliability_curve(np.array([0.6, 0.7, 0.9]), np.array([True, False, True]), bins=2)
    >>> curve.y.round(3).tolist(), curve.n.tolist()
    ([0.667], [3])
    """
    answered = ~np.isnan(confidence)
    confidence, correct = confidence[answered], correct[answered]
    edges = np.linspace(0, 1, bins + 1)
    if strategy == "quantile" and len(confidence):
        edges = np.percentile(confidence, edges * 100)
    bin_of = np.searchsorted(edges[1:-1], confidence)
    posts = np.bincount(bin_of, minlength=bins)
    held = posts > 0
    means = [
        np.bincount(bin_of, weights=values, minlength=bins)[held] / posts[held]
        for values in (confidence, correct)
    ]
    return Curve(means[0], means[1], posts[held])


def expected_calibration_error(curve: Curve) -> float | None:
    """Return the mean distance of confidence from correctness (Guo et al. 2017, equation 3).

    Parameters
    ----------
    curve
        The reliability curve. Without a post the error is None.

    Examples
    --------
    >>> expected_calibration_error(Curve(np.array([0.5, 1.0]), np.array([0.5, 0.5]), np.ones(2)))
    0.25
    """
    return float(np.average(np.abs(curve.x - curve.y), weights=curve.n)) if len(curve.n) else None


def brier_score(gold: np.ndarray, probs: np.ndarray) -> float | None:
    """Return the mean squared distance of the probabilities from the gold labels (Brier 1950).

    It is the sum over the classes, and half of that with two classes, which is the usual form.
    None without posts. An abstention counts with the probabilities that it has.

    Parameters
    ----------
    gold
        (n,) class codes.
    probs
        (n, K) probabilities.

    Examples
    --------
    >>> brier_score(np.array([1, 0]), np.array([[0.5, 0.5], [1.0, 0.0]]))
    0.125
    """
    from sklearn.metrics import brier_score_loss  # a second of start-up, as in `roc_auc`

    classes = range(probs.shape[1])
    return float(brier_score_loss(gold, probs, labels=classes)) if len(gold) else None


def risk_coverage_curve(confidence: np.ndarray, correct: np.ndarray) -> Curve:
    """Return the share of wrong answers (risk) among the most confident posts (coverage).

    Parameters
    ----------
    confidence
        (n,) confidences, NaN for an abstention.
    correct
        (n,) whether the answer is correct.

    Returns
    -------
    Curve
        For each confidence that occurs, from the highest: the share of the posts that have at
        least this confidence, the risk among them, and their number. Abstentions form the last
        point.

    References
    ----------
    .. [1] Geifman and El-Yaniv 2017, Selective Classification for Deep Neural Networks.

    Examples
    --------
    >>> curve = risk_coverage_curve(np.array([0.9, 0.8, 0.8]), np.array([True, True, False]))
    >>> curve.n.tolist(), curve.y.round(3).tolist()
    ([1, 3], [0.0, 0.333])
    """
    confidence = np.where(np.isnan(confidence), -np.inf, confidence)
    order = np.argsort(-confidence, kind="stable")
    ordered, wrong = confidence[order], np.cumsum(~correct[order])
    last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], len(ordered) > 0))
    posts = last + 1
    return Curve(posts / max(len(ordered), 1), wrong[last] / posts, posts)


def area_under_risk_coverage(curve: Curve) -> float | None:
    """Return the mean risk over all coverages from one post to all posts.

    Posts of equal confidence count as if they were ordered at random. None without posts.

    Parameters
    ----------
    curve
        The whole curve of `risk_coverage_curve`.

    Examples
    --------
    >>> curve = risk_coverage_curve(np.array([0.9, 0.8]), np.array([True, False]))
    >>> area_under_risk_coverage(curve)
    0.25
    """
    if not len(curve.n):
        return None
    posts = np.arange(1, curve.n[-1] + 1)
    wrong = np.interp(posts, np.append(0, curve.n), np.append(0, curve.y * curve.n))
    return float(np.mean(wrong / posts))


def positive_probability(probs: np.ndarray, positive: Sequence[int]) -> np.ndarray:
    """Return the probability of each post that it belongs to one of the positive classes.

    Parameters
    ----------
    probs
        (n, K) probabilities.
    positive
        Codes of the positive classes.
    """
    return np.asarray(probs[:, list(positive)].sum(axis=1))


def precision_recall_points(is_positive: np.ndarray, score: np.ndarray) -> Curve:
    """Return precision against recall over all thresholds of a score.

    Parameters
    ----------
    is_positive
        (n,) whether the gold label is a positive class.
    score
        (n,) probability of a positive class.

    Returns
    -------
    Curve
        Recall, precision and the number of posts flagged, from the lowest threshold, which flags
        all posts, to the highest. Empty without a positive post.
    """
    from sklearn.metrics import precision_recall_curve

    if not is_positive.any():
        return Curve(np.zeros(0), np.zeros(0), np.zeros(0, dtype=np.int64))
    precision, recall, thresholds = precision_recall_curve(is_positive, score)
    flagged = len(score) - np.searchsorted(np.sort(score), thresholds)
    # The last point of scikit-learn, precision 1 at recall 0, stands for no threshold.
    return Curve(recall[:-1], precision[:-1], flagged)


def threshold_table(
    is_positive: np.ndarray, score: np.ndarray, thresholds: Sequence[float] = THRESHOLDS
) -> list[ThresholdScores]:
    """Return the scores of a predictor that flags a post whose probability reaches a threshold.

    Parameters
    ----------
    is_positive
        (n,) whether the gold label is a positive class.
    score
        (n,) probability of a positive class.
    thresholds
        The thresholds, one row each.

    Examples
    --------
    >>> threshold_table(np.array([True, False]), np.array([0.75, 0.25]), [0.5])
    [ThresholdScores(threshold=0.5, precision=1.0, recall=1.0, f1=1.0, flagged=1)]
    """
    rows = []
    for threshold in thresholds:
        flagged = score >= threshold
        counts = (flagged & is_positive).sum(), flagged.sum(), is_positive.sum()
        rows.append(
            ThresholdScores(threshold, **precision_recall_f1(*counts), flagged=int(flagged.sum()))
        )
    return rows
