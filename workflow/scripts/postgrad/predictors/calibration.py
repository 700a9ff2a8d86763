"""Calibrate predictions on gold posts: class priors, temperatures and thresholds.

A fit is a dict of plain numbers, which fit.json holds and `calibrated_logits` applies to other
logits.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from postgrad.evaluation.metrics import score_predictions
from postgrad.predictors.temperature_scaling import fit_temperature
from postgrad.records.predictions import ABSTAIN, prediction_matrix, softmax

T = TypeVar("T")

TINY = np.finfo(np.float64).tiny  # stands for 0 under the logarithm
CLOSE, ROUNDS = 1e-8, 1000  # EM ends where no share moves by more, or after so many rounds


@dataclass(frozen=True)
class PickOptions:
    """The options of one file of picked predictions."""

    node: str
    of: list[str]  # the candidates
    fit: str  # the dataset of the gold posts on which the best is chosen
    labels: list[str]  # in class order
    positive: list[int]  # codes of the positive classes
    metric: str
    datasets: list[str]  # in the order of the file

    @property
    def task(self) -> tuple[list[str], list[int], str]:
        """The labels, positive codes and metric, as `metric_to_maximise` takes them."""
        return self.labels, self.positive, self.metric


@dataclass(frozen=True)
class CalibrateOptions(PickOptions):
    """The options of one file of calibrated predictions.

    `of` is the one predictor, `fit` what it is fitted on.
    """

    method: str
    target: str | dict[str, float] | None = (
        None  # of method prior: uniform, a share a class, or a dataset
    )
    lambda_: list[float] = field(
        default_factory=list
    )  # of method prior: the strengths that are tried

    @property
    def pool(self) -> str | None:
        """The dataset whose class shares are estimated, if the target is a dataset."""
        return self.target if isinstance(self.target, str) and "/" in self.target else None


def metric_to_maximise(
    gold: ArrayLike,
    labels: ArrayLike,
    logits: np.ndarray,
    task: tuple[Sequence[str], list[int], str],
) -> float:
    """Return the official metric of n posts, which a fit maximises.

    Parameters
    ----------
    gold, labels
        (n,) class codes.
    logits
        (n, K) logits.
    task
        Names of the classes, codes of the positive classes, and the metric, as
        `score_predictions` takes them.

    Raises
    ------
    ValueError
        If the metric does not exist for these posts: an AUC needs a post of every class.
    """
    value = score_predictions(gold, labels, softmax(logits), *task)["values"]["official"]
    if value is None:
        raise ValueError(f"{task[2]} needs gold posts of every class; fit on a larger split.")
    return value


def first_best(candidates: Sequence[T], score: Callable[[T], float]) -> tuple[T, list[float]]:
    """Return the candidate with the highest score, and the scores of all candidates.

    The first of equal candidates wins.

    Examples
    --------
    >>> first_best(["a", "bb", "cc"], len)
    ('bb', [1, 2, 2])
    """
    scores = [score(candidate) for candidate in candidates]
    return candidates[scores.index(max(scores))], scores


def prior_adjusted_logits(
    logits: ArrayLike, train: ArrayLike, target: ArrayLike, strength: float
) -> np.ndarray:
    """Return logits z_j + strength * log(target_j / train_j) of posts.

    Two papers have this one formula. Post-hoc logit adjustment (Menon et al. 2021) subtracts
    tau log train_j. Posterior re-balancing (Tian et al. 2020) takes p^(1-lambda) p_r^lambda,
    normalised, where p_r is p target / train, normalised. Their code sets 1 / train_j to 0 for a
    class without training posts, so that such a class loses; here its logarithm is that of the
    smallest float.

    Parameters
    ----------
    logits
        (n, K) logits z.
    train, target
        (K,) shares of the classes.
    strength
        tau or lambda; 0 leaves the logits as they are.
    """
    train, target = np.asarray(train, dtype=np.float64), np.asarray(target, dtype=np.float64)
    return np.asarray(logits) + strength * np.log(np.maximum(share_ratio(target, train), TINY))


def share_ratio(target: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Return target / train of each class, and 0 where train is 0."""
    return np.divide(target, train, out=np.zeros_like(train), where=train > 0)


def estimate_class_shares(probs: np.ndarray, train: ArrayLike) -> np.ndarray:
    """Estimate the class shares of unlabelled posts by expectation maximisation.

    The iteration begins with q = train. Each step takes the posteriors p_ij q_j / train_j,
    normalised over j, and sets q to their mean (Saerens, Latinne and Decaestecker 2002). A class
    without training posts stays at 0.

    Parameters
    ----------
    probs
        (m, K) posterior probabilities under the shares `train`.
    train
        (K,) shares of the classes in training.

    Returns
    -------
    ndarray of shape (K,)

    Raises
    ------
    ValueError
        If m is 0.
    """
    if not len(probs):
        raise ValueError(
            "no post of the target has an answer from which class shares could be estimated; "
            "name another split as target."
        )
    train = np.asarray(train, dtype=np.float64)
    shares = train
    for _ in range(ROUNDS):
        posterior = probs * share_ratio(shares, train)
        posterior /= np.maximum(posterior.sum(axis=1, keepdims=True), TINY)
        before, shares = shares, posterior.mean(axis=0)
        if np.abs(shares - before).max() < CLOSE:
            break
    return shares


def threshold_shifted_logits(logits: np.ndarray, positive: list[int], cut: float) -> np.ndarray:
    """Return logits with those of the positive classes lowered by `cut`.

    `cut` is the log odds of a threshold. With two classes the positive one then wins if its
    probability was above 1 / (1 + exp(-cut)). With more classes it wins if the best positive class
    was more than `cut` above the best other one.

    Parameters
    ----------
    logits
        (n, K) logits.
    positive
        Codes of the positive classes.
    cut
        A number; 0 leaves the logits as they are.
    """
    lowered = np.array(logits, dtype=np.float64)
    lowered[:, positive] -= cut
    return lowered


def candidate_cuts(logits: np.ndarray, gold: np.ndarray, positive: list[int]) -> list[float]:
    """Return the cuts among which the best one for n gold posts is found.

    A cut lies halfway between two margins (best positive logit minus best other logit), or beyond
    the last ones. Only cuts with a correct positive answer just above and a wrong one just below
    are returned: with two classes every other cut has a neighbour that is no worse in F1, macro-F1
    and accuracy. Cuts nearer to 0, which is a threshold of 0.5, come first, and 0 is among them.

    Parameters
    ----------
    logits
        (n, K) logits.
    gold
        (n,) class codes.
    positive
        Codes of the positive classes.
    """
    others = [code for code in range(logits.shape[1]) if code not in positive]
    margins = logits[:, positive].max(axis=1) - logits[:, others].max(axis=1)
    right = gold == np.asarray(positive)[logits[:, positive].argmax(axis=1)]
    steps, place = np.unique(margins, return_inverse=True)
    hits, posts = np.bincount(place, weights=right), np.bincount(place)
    turns = (hits[1:] > 0) & (hits[:-1] < posts[:-1])
    halfway = ((steps[1:] + steps[:-1]) / 2)[turns]
    cuts = {0.0, float(steps[0] - 1), float(steps[-1] + 1), *halfway.tolist()}
    return sorted(cuts, key=lambda cut: (abs(cut), cut))


def fit_calibration(
    options: CalibrateOptions,
    gold: np.ndarray,
    logits: np.ndarray,
    score: Callable[[dict[str, Any]], float],
    counts: list[int] | None = None,
    pool: np.ndarray | None = None,
) -> dict[str, Any]:
    """Fit one calibration on gold posts.

    Method temperature takes the temperature of the lowest log loss (Guo et al. 2017). Method
    threshold takes the best cut, and among equal ones that nearest to a probability of 0.5. Method
    prior takes the best lambda, and the smallest of equal ones.

    Parameters
    ----------
    options
        Method, labels, positive classes, target, and the values of lambda that are tried.
    gold, logits
        (n,) class codes and (n, K) logits of the posts with a gold label and an answer; n > 0.
    score
        A function from a record to the official metric that the record leads to.
    counts
        (K,) training posts of each class, for method prior.
    pool
        (m, K) probabilities of unlabelled posts, for method prior with a split as target.

    Returns
    -------
    dict
        The method and the numbers that `calibrated_logits` needs; fit.json holds it.

    Raises
    ------
    ValueError
        If method prior lacks `counts` or `pool`.
    """
    record: dict[str, Any] = {"method": options.method}
    if options.method == "temperature":
        return {**record, "temperature": fit_temperature(logits, gold)}
    if options.method == "threshold":
        record["positive"] = options.positive
        records = [{**record, "cut": cut} for cut in candidate_cuts(logits, gold, options.positive)]
        best, _ = first_best(records, score)
        return {**best, "threshold": float(1 / (1 + np.exp(-best["cut"])))}
    if counts is None or (pool is None and options.pool):
        raise ValueError(
            f"method prior to {options.target} needs the model and, if that is a split, "
            "its predictions."
        )
    train = np.asarray(counts) / np.sum(counts)
    if pool is not None:
        target = estimate_class_shares(pool, train).tolist()
    elif isinstance(options.target, dict):
        target = [options.target[name] for name in options.labels]
    else:
        target = [1 / len(train)] * len(train)
    record |= {"train": train.tolist(), "target": target}
    best, scores = first_best(
        [{**record, "lambda": strength} for strength in sorted(options.lambda_)], score
    )
    return {**best, "tried": [list(pair) for pair in zip(sorted(options.lambda_), scores)]}


def calibrated_logits(logits: np.ndarray, fit: Mapping[str, Any]) -> np.ndarray:
    """Return logits changed as the record of a fit says.

    Parameters
    ----------
    logits
        (n, K) logits.
    fit
        What `fit_calibration` returned.
    """
    if fit["method"] == "temperature":
        return logits / fit["temperature"]
    if fit["method"] == "threshold":
        return threshold_shifted_logits(logits, fit["positive"], fit["cut"])
    return prior_adjusted_logits(logits, fit["train"], fit["target"], fit["lambda"])


def apply_calibration(frame: pd.DataFrame, fit: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return labels (n,) and logits (n, K) of predictions under a fit.

    A post without an answer stays as it is.
    """
    answered, logits = (frame["label"] != ABSTAIN).to_numpy(), prediction_matrix(frame, "logits")
    if answered.any():
        logits[answered] = calibrated_logits(logits[answered], fit)
    return np.array(
        [row.argmax() if answer else ABSTAIN for row, answer in zip(logits, answered)], dtype=int
    ), logits
