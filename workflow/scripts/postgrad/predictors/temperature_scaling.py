"""Fit one temperature for all logits of a predictor (Guo et al. 2017).

This module stands apart from calibration.py, which imports the metrics: pseudo-labels need a
temperature and no metric, so that a change of a metric does not make them again.
"""

import numpy as np

LOG_BOUNDS = (
    np.log(0.05),
    np.log(20.0),
)  # temperatures; a teacher without an error on dev ends at 0.05


def negative_log_likelihood(logits: np.ndarray, gold: np.ndarray, temperature: float) -> float:
    """Return the mean negative log-likelihood of gold labels.

    The probabilities are softmax(logits / temperature).

    Parameters
    ----------
    logits
        (n, K) logits.
    gold
        (n,) class codes.
    temperature
        A positive number.

    Examples
    --------
    >>> round(negative_log_likelihood(np.array([[0.0, 0.0]]), np.array([1]), temperature=1.0), 4)
    0.6931
    """
    scaled = logits / temperature
    peak = scaled.max(axis=1)
    log_sum = peak + np.log(np.exp(scaled - peak[:, None]).sum(axis=1))
    return float(np.mean(log_sum - scaled[np.arange(len(gold)), gold]))


def fit_temperature(logits: np.ndarray, gold: np.ndarray) -> float:
    """Return the temperature that minimises the negative log-likelihood of gold labels.

    The loss is convex in 1 / T and so has one minimum in log T, which golden-section search finds
    (Guo et al. 2017).

    Parameters
    ----------
    logits
        (n, K) logits, n > 0.
    gold
        (n,) class codes.
    """
    low, high = LOG_BOUNDS
    golden = (np.sqrt(5) - 1) / 2
    while high - low > 1e-6:
        a, b = high - golden * (high - low), low + golden * (high - low)
        if negative_log_likelihood(logits, gold, np.exp(a)) < negative_log_likelihood(
            logits, gold, np.exp(b)
        ):
            high = b
        else:
            low = a
    return float(np.exp((low + high) / 2))
