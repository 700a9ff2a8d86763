"""Measure how far two predictors agree, and how the labels they give differ from gold labels."""

import numpy as np
from numpy.typing import ArrayLike


def cohens_kappa(first: np.ndarray, second: np.ndarray) -> float | None:
    """Return the agreement of two vectors of labels beyond chance (Cohen 1960).

    None if there are no labels, or if chance alone would give full agreement.

    Examples
    --------
    >>> cohens_kappa(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]))
    0.5
    """
    if len(first) == 0:
        return None
    observed = np.mean(first == second)
    expected = sum(
        np.mean(first == code) * np.mean(second == code) for code in np.union1d(first, second)
    )
    return None if expected == 1 else float((observed - expected) / (1 - expected))


def error_correlation(gold: np.ndarray, first: np.ndarray, second: np.ndarray) -> float | None:
    """Return the correlation of the errors of two predictors (the phi coefficient).

    Two predictors whose errors correlate agree on many wrong labels. None if one of them has no
    error, or nothing but errors.

    Parameters
    ----------
    gold
        (n,) class codes.
    first, second
        (n,) class codes. An abstention is an error.

    Examples
    --------
    >>> gold = np.array([0, 0, 1, 1])
    >>> error_correlation(gold, np.array([1, 0, 1, 1]), np.array([1, 0, 1, 1])) # the same error
    1.0
    """
    wrong = np.array([first != gold, second != gold], dtype=float)
    if wrong.shape[1] == 0 or (wrong.min(axis=1) == wrong.max(axis=1)).any():
        return None
    return round(float(np.corrcoef(wrong)[0, 1]), 12)  # 1.0, and not 0.9999999999999998


def prior_shift(labels: ArrayLike, prior: ArrayLike) -> list[float] | None:
    """Return how much larger the share of each class is among labels than in a prior.

    Parameters
    ----------
    labels, prior
        (K,) counts of posts. None is returned if one of them has no post.

    Examples
    --------
    >>> prior_shift([3, 1], [50, 50])
    [0.25, -0.25]
    """
    labels, prior = np.asarray(labels), np.asarray(prior)
    if not labels.sum() or not prior.sum():
        return None
    return [float(shift) for shift in labels / labels.sum() - prior / prior.sum()]
