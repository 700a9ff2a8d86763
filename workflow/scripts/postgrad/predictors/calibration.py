"""Predictions fitted on gold posts: exchanged class priors, temperatures and thresholds.

Everywhere z are logits (n, K), y gold labels (n,), pi class shares (K,). A fit is a record of plain
numbers, which `applied` turns other logits by; it is what fit.json holds.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from postgrad.evaluation.metrics import score_predictions
from postgrad.predictors.temperature_scaling import temperature
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
        """The dataset whose class shares are estimated, if it is one."""
        return self.target if isinstance(self.target, str) and "/" in self.target else None


def metric_to_maximise(
    gold: ArrayLike,
    labels: ArrayLike,
    logits: np.ndarray,
    task: tuple[Sequence[str], list[int], str],
) -> float:
    """The official metric of n posts, of which a fit seeks the highest value.

    task: (names of the classes, positive codes, metric), as `scores` takes them.

    Raises ValueError if the metric does not exist: an AUC needs a post of every class.
    """
    value = score_predictions(gold, labels, softmax(logits), *task)["values"]["official"]
    if value is None:
        raise ValueError(f"{task[2]} needs gold posts of every class; fit on a larger split.")
    return value


def first_best(candidates: Sequence[T], score: Callable[[T], float]) -> tuple[T, list[float]]:
    """(the first candidate of the highest score, [score of each]).

    The order of the candidates breaks ties.
    """
    found = [score(candidate) for candidate in candidates]
    return candidates[found.index(max(found))], found


def prior_adjusted(
    logits: ArrayLike, train: ArrayLike, target: ArrayLike, strength: float
) -> np.ndarray:
    """(n, K) logits z_j + strength * log(pi_target_j / pi_train_j).

    train, target: (K,) shares. Two papers have this one formula. Post-hoc logit adjustment (Menon
    et al. 2021) subtracts tau log pi_train. Posterior re-balancing (Tian et al. 2020) takes
    p^(1-lambda) p_r^lambda, normalised, where p_r is p pi_target / pi_train, normalised. Their code
    sets 1 / pi_train to 0 for a class without training posts, so such a class loses; here its
    logarithm is that of the smallest float.
    """
    train, target = np.asarray(train, dtype=np.float64), np.asarray(target, dtype=np.float64)
    return np.asarray(logits) + strength * np.log(np.maximum(ratio(target, train), TINY))


def ratio(target: np.ndarray, train: np.ndarray) -> np.ndarray:
    """(K,) target / train, 0 where train is 0."""
    return np.divide(target, train, out=np.zeros_like(train), where=train > 0)


def estimated_prior(probs: np.ndarray, train: ArrayLike) -> np.ndarray:
    """(K,) the class shares of unlabelled posts by EM (Saerens, Latinne & Decaestecker 2002).

    probs: (m, K), posteriors under the shares train (K,). From q = train on, the posteriors are
    p_ij q_j / train_j, normalised over j, and the next q is their mean. A class without training
    posts stays at 0. Raises ValueError where m is 0.
    """
    if not len(probs):
        raise ValueError(
            "no post is answered whose class shares could be estimated; name another split as target."
        )
    train = np.asarray(train, dtype=np.float64)
    shares = train
    for _ in range(ROUNDS):
        posterior = probs * ratio(shares, train)
        posterior /= np.maximum(posterior.sum(axis=1, keepdims=True), TINY)
        before, shares = shares, posterior.mean(axis=0)
        if np.abs(shares - before).max() < CLOSE:
            break
    return shares


def moved(logits: np.ndarray, positive: list[int], cut: float) -> np.ndarray:
    """(n, K) logits, those of the positive classes lowered by `cut`, the log odds of a threshold.

    With two classes the positive one then wins where its probability was above 1 / (1 + exp(-cut));
    with more, where the best positive class beats the best other one by more than `cut`.
    """
    lowered = np.array(logits, dtype=np.float64)
    lowered[:, positive] -= cut
    return lowered


def cuts(logits: np.ndarray, gold: np.ndarray, positive: list[int]) -> list[float]:
    """The cuts that may be the best of n gold posts, nearest to 0 (a probability of .5) first; 0 is
    among them.

    A cut lies halfway between two margins, best positive logit less best other, and beyond the last
    ones. Only those with a right positive answer just above and a wrong one just below are kept:
    with two classes every other cut has one beside it that is no worse in F1, macro-F1 and
    accuracy.
    """
    others = [code for code in range(logits.shape[1]) if code not in positive]
    margins = logits[:, positive].max(axis=1) - logits[:, others].max(axis=1)
    right = gold == np.asarray(positive)[logits[:, positive].argmax(axis=1)]
    steps, place = np.unique(margins, return_inverse=True)
    hits, posts = np.bincount(place, weights=right), np.bincount(place)
    turns = (hits[1:] > 0) & (hits[:-1] < posts[:-1])
    halfway = ((steps[1:] + steps[:-1]) / 2)[turns]
    found = {0.0, float(steps[0] - 1), float(steps[-1] + 1), *halfway.tolist()}
    return sorted(found, key=lambda cut: (abs(cut), cut))


def fitted(
    options: CalibrateOptions,
    gold: np.ndarray,
    logits: np.ndarray,
    score: Callable[[dict[str, Any]], float],
    counts: list[int] | None = None,
    pool: np.ndarray | None = None,
) -> dict[str, Any]:
    """The record of one fit: its method and the numbers that `applied` needs.

    gold (n,), logits (n, K), n > 0: the posts with a gold label and an answer. score: a record ->
    the official metric under it. For method prior alone, counts: (K,) training posts a class; pool:
    (m, K) probabilities of unlabelled posts where the target is a split. temperature: the lowest
    log loss (Guo et al. 2017). threshold: the best cut, the one nearest to .5 among equal ones.
    prior: the best lambda, the smallest of equal ones.
    """
    record: dict[str, Any] = {"method": options.method}
    if options.method == "temperature":
        return {**record, "temperature": temperature(logits, gold)}
    if options.method == "threshold":
        record["positive"] = options.positive
        records = [{**record, "cut": cut} for cut in cuts(logits, gold, options.positive)]
        best, _ = first_best(records, score)
        return {**best, "threshold": float(1 / (1 + np.exp(-best["cut"])))}
    if counts is None or (pool is None and options.pool):
        raise ValueError(
            f"method prior to {options.target} needs the model and, where that is a split, its predictions."
        )
    train = np.asarray(counts) / np.sum(counts)
    if pool is not None:
        target = estimated_prior(pool, train).tolist()
    elif isinstance(options.target, dict):
        target = [options.target[name] for name in options.labels]
    else:
        target = [1 / len(train)] * len(train)
    record |= {"train": train.tolist(), "target": target}
    best, found = first_best(
        [{**record, "lambda": strength} for strength in sorted(options.lambda_)], score
    )
    return {**best, "tried": [list(pair) for pair in zip(sorted(options.lambda_), found)]}


def applied(logits: np.ndarray, fit: Mapping[str, Any]) -> np.ndarray:
    """(n, K) logits turned by the record of a fit."""
    if fit["method"] == "temperature":
        return logits / fit["temperature"]
    if fit["method"] == "threshold":
        return moved(logits, fit["positive"], fit["cut"])
    return prior_adjusted(logits, fit["train"], fit["target"], fit["lambda"])


def calibrated(frame: pd.DataFrame, fit: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """(labels (n,), logits (n, K)) of predictions under a fit.

    A post without an answer stays as it is.
    """
    answered, logits = (frame["label"] != ABSTAIN).to_numpy(), prediction_matrix(frame, "logits")
    if answered.any():
        logits[answered] = applied(logits[answered], fit)
    return np.array(
        [row.argmax() if answer else ABSTAIN for row, answer in zip(logits, answered)], dtype=int
    ), logits
