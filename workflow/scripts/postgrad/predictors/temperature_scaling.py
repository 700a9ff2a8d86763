"""One temperature for all logits of a predictor, and the loss that it lowers (Guo et al. 2017).

It stands apart from calibration.py, which reads the metrics: pseudo-labels use a temperature and no
metric, so a change of a metric must not make them anew.
"""

import numpy as np

LOG_BOUNDS = (
    np.log(0.05),
    np.log(20.0),
)  # temperatures; a teacher without an error on dev ends at 0.05


def nll(logits: np.ndarray, gold: np.ndarray, temperature: float) -> float:
    """Mean negative log-likelihood of gold labels (n,) under softmax(logits (n, K) / temperature)."""
    scaled = logits / temperature
    peak = scaled.max(axis=1)
    log_sum = peak + np.log(np.exp(scaled - peak[:, None]).sum(axis=1))
    return float(np.mean(log_sum - scaled[np.arange(len(gold)), gold]))


def temperature(logits: np.ndarray, gold: np.ndarray) -> float:
    """The temperature that minimises the NLL (Guo et al. 2017), by golden section over its
    logarithm.

    logits: (n, K), n > 0; gold: (n,). The NLL is convex in 1/T and so has one minimum in log T.
    """
    low, high = LOG_BOUNDS
    golden = (np.sqrt(5) - 1) / 2
    while high - low > 1e-6:
        a, b = high - golden * (high - low), low + golden * (high - low)
        if nll(logits, gold, np.exp(a)) < nll(logits, gold, np.exp(b)):
            high = b
        else:
            low = a
    return float(np.exp((low + high) / 2))
