"""Labels for posts from one or two teachers: where two agree, the most confident ones, or some at
random.

CTYUN-AI (SMM4H-2024 Task 6) keeps the posts on which two separately tuned models agree; controls
take as many by calibrated confidence, or at random. Bai & Zhou (SMM4H-2020) take a tenth of a test
set, as one vote labels it: at random in their code, and other posts for each fold.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from postgrad.predictors.temperature_scaling import temperature
from postgrad.records.predictions import ABSTAIN, prediction_matrix, softmax

KEEP = ("agreement", "confidence", "random")


@dataclass(frozen=True)
class LabelOptions:
    """The options of one pseudo-labelled dataset."""

    node: str
    teachers: list[str]  # one or two
    fit: (
        str | None
    )  # the dataset of the gold posts on which the teachers are audited, if there are any
    classes: list[str]
    keep: str
    balance: str
    seed: int
    share: float | None = None
    above: float | None = None  # the least probability of an answer
    part: tuple[int, int] | None = None  # (i, k): a random draw is from the i-th of k parts


def calibration(frame: pd.DataFrame, gold: np.ndarray) -> float | None:
    """The temperature of one teacher on gold posts, fitted where it answers.

    None where it answers nowhere.
    """
    rows = (frame["label"] != ABSTAIN).to_numpy()
    return temperature(prediction_matrix(frame, "logits")[rows], gold[rows]) if rows.any() else None


def joined(
    frames: Sequence[pd.DataFrame], names: Sequence[str], classes: int
) -> list[pd.DataFrame]:
    """The teachers' predictions of the posts that all of them scored, each sorted by post_id.

    names: the teachers', for the errors. Raises ValueError where there is no such post, or where a
    teacher does not predict `classes` classes.
    """
    shared = sorted(set.intersection(*(set(frame["post_id"]) for frame in frames)))
    if not shared:
        why = (
            "share no scored post; predict one pool with both"
            if len(names) > 1
            else "has scored no post of it"
        )
        raise ValueError(f"teacher{'s' * (len(names) > 1)} {' and '.join(names)} {why}.")
    found = [frame.set_index("post_id").loc[shared].reset_index() for frame in frames]
    for frame, name in zip(found, names, strict=True):
        if prediction_matrix(frame, "logits").shape != (len(shared), classes):
            raise ValueError(
                f"teacher {name} does not give one logit for each of {classes} classes."
            )
    return found


def check_distinct(teachers: Sequence[pd.DataFrame], names: Sequence[str]) -> None:
    """Raise ValueError, naming the teachers, where two give the same logits for every post."""
    first, *others = (prediction_matrix(frame, "logits") for frame in teachers)
    if any(np.array_equal(first, other) for other in others):
        raise ValueError(
            f"teachers {names[0]} and {names[1]} give identical logits, so their agreement says nothing; "
            "give one of them a different base or seed."
        )


def decided(frame: pd.DataFrame) -> np.ndarray:
    """(n,) whether a teacher has an answer: no abstention, and no tie at the highest logit."""
    logits = prediction_matrix(frame, "logits")
    highest = (logits == logits.max(axis=1, keepdims=True)).sum(axis=1)
    return (frame["label"].to_numpy() != ABSTAIN) & (highest == 1)


def agreed(teachers: Sequence[pd.DataFrame]) -> np.ndarray:
    """(n,) whether two teachers answer with the same label; whether one answers at all."""
    if len(teachers) == 1:
        return (teachers[0]["label"] != ABSTAIN).to_numpy()
    first, second = teachers
    return decided(first) & decided(second) & (first["label"] == second["label"]).to_numpy()


def verdict(teachers: Sequence[pd.DataFrame]) -> str:
    """What `agreed` says of these teachers, in a word."""
    return "agreed" if len(teachers) > 1 else "answered"


def answers(
    teachers: Sequence[pd.DataFrame], temperatures: Sequence[float | None]
) -> tuple[np.ndarray, np.ndarray]:
    """(labels (n,), confidence (n,)) of n posts; ABSTAIN where a teacher gives no answer.

    One teacher: its own label, which a vote's rule for ties may have settled, and the probability
    of that label. Two: the argmax of the mean of their calibrated probabilities, and its height.
    """
    silent = np.any([frame["label"] == ABSTAIN for frame in teachers], axis=0)
    if len(teachers) == 1:
        labels, probs = teachers[0]["label"].to_numpy(), prediction_matrix(teachers[0])
        return labels, np.take_along_axis(probs, np.maximum(labels, 0)[:, None], axis=1)[:, 0]
    own = [
        softmax(prediction_matrix(frame, "logits") / t)
        for frame, t in zip(teachers, temperatures, strict=True)
    ]
    mean = np.mean(own, axis=0)
    return np.where(silent, ABSTAIN, mean.argmax(axis=1)), mean.max(axis=1)


def cohens_kappa(first: np.ndarray, second: np.ndarray) -> float | None:
    """Agreement of two label vectors beyond chance.

    None where chance alone would be perfect or n is 0.
    """
    if len(first) == 0:
        return None
    observed = np.mean(first == second)
    expected = sum(
        np.mean(first == code) * np.mean(second == code) for code in np.union1d(first, second)
    )
    return None if expected == 1 else float((observed - expected) / (1 - expected))


def prior_matched(labels: np.ndarray, prior: list[int] | np.ndarray, seed: int) -> np.ndarray:
    """Rows (sorted) of the largest random subset of `labels` (n,) in the proportions of `prior`
    (K,) counts.

    Each class keeps floor(s * prior), s being the least ratio of labels to prior over the classes
    that the prior holds. Without labels of such a class nothing is left. Raises ValueError for an
    empty prior.
    """
    if not sum(prior):
        raise ValueError("no gold posts to take the class prior from; set `balance: none`.")
    counts = np.bincount(labels, minlength=len(prior))
    scarce = min(np.flatnonzero(prior), key=lambda code: counts[code] / prior[code])
    rng = random.Random(seed)
    rows: list[int] = []
    for code in range(len(prior)):
        share = int(counts[scarce]) * int(prior[code]) // int(prior[scarce])
        rows += rng.sample(np.flatnonzero(labels == code).tolist(), share)
    return np.sort(np.array(rows, dtype=np.int64))


def shared_out(counts: ArrayLike, share: float) -> np.ndarray:
    """How many posts a share of each count is.

    Rounded down, but one at least where there is any. counts: (K,).
    """
    rounded = np.floor(share * np.asarray(counts) + 1e-9).astype(
        np.int64
    )  # 0.29 * 100 is 28.999... in floats
    return np.minimum(np.maximum(rounded, 1), counts)


def most_confident(
    labels: np.ndarray, confidence: np.ndarray, budget: list[int] | np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rows (sorted) of the most confident posts per class, and the shortfall per class.

    labels, confidence: (n,); of equally confident posts the earlier one counts. budget: (K,) posts
    per class. What a class cannot supply is filled from the most confident posts left.
    """
    order = np.argsort(-confidence, kind="stable")
    chosen = np.zeros(len(labels), dtype=bool)
    shortfall: list[int] = []
    for code, wanted in enumerate(budget):
        best = order[labels[order] == code][:wanted]
        chosen[best] = True
        shortfall.append(int(wanted) - len(best))
    chosen[order[~chosen[order]][: sum(shortfall)]] = True
    return np.flatnonzero(chosen), np.array(shortfall)


def drawn(
    rows: np.ndarray,
    wanted: int,
    beside: np.ndarray,
    seed: int,
    part: tuple[int, int] | None = None,
) -> np.ndarray:
    """A random draw (sorted) of `wanted` posts among `rows` (m,) that `beside` (n,) lets in; all
    where they are fewer.

    part: (i, k), the draw is from the i-th of k equal parts of one seeded permutation of the rows,
    so that no two of the k draws share a post. Raises ValueError where that part, what `beside`
    leaves out included, is too small.
    """
    rng = random.Random(seed)
    if part:
        (i, k), rows = part, np.array(rng.sample(list(rows), len(rows)), dtype=np.int64)
        rows = rows[(i - 1) * len(rows) // k : i * len(rows) // k]
        if len(rows) < wanted:
            raise ValueError(f"part {i} of {k} holds {len(rows)} posts, and {wanted} are to be drawn; lower the share "
                             "or the budget.")  # fmt: skip
    rows = rows[beside[rows]]
    if part:
        return np.sort(rows[:wanted])
    chosen = sorted(rng.sample(range(len(rows)), min(int(wanted), len(rows))))
    return rows[np.array(chosen, dtype=np.int64)]


def kept(
    teachers: Sequence[pd.DataFrame],
    temperatures: Sequence[float | None],
    keep: str,
    prior: list[int] | np.ndarray | None = None,
    budget: list[int] | np.ndarray | None = None,
    share: float | None = None,
    above: float | None = None,
    seed: int = 1,
    beside: np.ndarray | None = None,
    part: tuple[int, int] | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which posts are kept, and their labels: (rows sorted, labels of these rows, shortfall per
    class).

    teachers: predictions of the same n posts, sorted by post_id, of one teacher or two;
    temperatures: one a teacher, None where there was no gold post to fit it on. beside: (n,)
    whether a post may be kept, as those of a held-out fold may not; all where None. agreement: all
    posts agreed on; with a `prior` (K,), the largest random subset in its proportions. confidence:
    the posts whose answers are most probable, as many per class as in `budget` (K,), or this
    `share` of each class of the answers, or all whose answer has at least the probability `above`;
    of these with a prior, the largest random subset in its proportions. random: as many as the
    budget in all, or this share of all answers; `part` as of `drawn`. The labels of both are those
    of `answers`; the prior plays no part where a budget or a share says how many are kept. A share
    counts what a fold holds out as well, so that it is the same number in each fold. Raises
    ValueError for an unknown way to keep, and for one that lacks a teacher, a number or
    temperatures.
    """
    if keep not in KEEP:
        raise ValueError(f"keep {keep!r} does not exist; known: {', '.join(KEEP)}.")
    classes = prediction_matrix(teachers[0], "logits").shape[1]
    beside = np.ones(len(teachers[0]), dtype=bool) if beside is None else beside
    none = np.zeros(classes, dtype=np.int64)
    if keep == "agreement":
        if len(teachers) < 2:
            raise ValueError(
                "keep agreement needs two teachers; name a second one, or keep confidence or random."
            )
        rows = np.flatnonzero(agreed(teachers) & beside)
        labels = teachers[0]["label"].to_numpy()[rows]
        if prior is not None:
            chosen = prior_matched(labels, prior, seed)
            rows, labels = rows[chosen], labels[chosen]
        return rows, labels, none
    if keep == "random" and ((budget is None) == (share is None) or above is not None):
        raise ValueError(
            "keep random needs a budget or a share, and not both, and reads no probability."
        )
    if sum(given is not None for given in (budget, share, above)) != 1:
        raise ValueError(
            f"keep {keep} needs exactly one of a budget, a share and a probability under `above`."
        )
    if len(teachers) > 1 and None in temperatures:
        raise ValueError(
            f"keep {keep} needs gold posts to calibrate two teachers on; name them under `fit`."
        )
    labels, confidence = answers(teachers, temperatures)
    rows = np.flatnonzero(labels != ABSTAIN)
    if keep == "random":
        wanted = int(shared_out(len(rows), share or 0.0)) if budget is None else int(sum(budget))
        rows = drawn(rows, wanted, beside, seed, part)
        return rows, labels[rows], none
    if above is not None:
        rows = rows[beside[rows] & (confidence[rows] >= above)]
        rows = rows if prior is None else rows[prior_matched(labels[rows], prior, seed)]
        return rows, labels[rows], none
    budget = (
        shared_out(class_counts(labels[rows], classes), share or 0.0) if budget is None else budget
    )
    rows = rows[beside[rows]]
    chosen, shortfall = most_confident(labels[rows], confidence[rows], budget)
    return rows[chosen], labels[rows[chosen]], shortfall


def audit(teachers: Sequence[pd.DataFrame], gold: np.ndarray, classes: int) -> dict[str, Any]:
    """How the teachers' labels do on gold posts, a label being what two agree on, or what one
    answers.

    teachers: predictions of n posts; gold: (n,) labels. Returns n; `agreed` or, of one teacher,
    `answered`: the share of posts with a label; classes: per class how many labels, under the same
    word, the share of them that is right (accuracy) and the share of the class's posts that have
    one (coverage); kappa between two teachers where both answer, else None; accuracy: one a
    teacher, an abstention being wrong.
    """
    named, labels, word = agreed(teachers), teachers[0]["label"].to_numpy(), verdict(teachers)
    per_class, kappa = {}, None
    for code in range(classes):
        called, held = named & (labels == code), gold == code
        per_class[str(code)] = {
            word: int(called.sum()),
            "accuracy": float(held[called].mean()) if called.any() else None,
            "coverage": float(named[held].mean()) if held.any() else None,
        }
    if len(teachers) > 1:
        both = decided(teachers[0]) & decided(teachers[1])
        kappa = cohens_kappa(*(frame["label"].to_numpy()[both] for frame in teachers))
    return {
        "n": len(gold),
        word: float(named.mean()),
        "classes": per_class,
        "kappa": kappa,
        "accuracy": [float((frame["label"].to_numpy() == gold).mean()) for frame in teachers],
    }


def class_counts(labels: ArrayLike, classes: int) -> np.ndarray:
    """(K,) the number of posts per class; those without a label do not count."""
    return np.bincount(pd.Series(labels).dropna().astype(int), minlength=classes)


def flow(
    teachers: Sequence[pd.DataFrame],
    labels: ArrayLike,
    budget: list[int] | np.ndarray | None,
    shortfall: Iterable[int],
    temperatures: Sequence[float | None],
    on_gold: Sequence[pd.DataFrame],
    gold: np.ndarray,
    beside: np.ndarray | None = None,
) -> dict[str, Any]:
    """How many posts went where, for the report; classes are keyed by their code as a string.

    teachers: their predictions of the pool; labels: of the posts kept; budget (K,) or None;
    shortfall (K,); on_gold, gold: the teachers' predictions of gold posts and their labels, for
    `audit`; beside: as of `kept`.
    """
    classes = prediction_matrix(teachers[0], "logits").shape[1]

    def by_class(counts: Iterable[int]) -> dict[str, int]:
        return {str(code): int(count) for code, count in enumerate(counts)}

    def named(rows: np.ndarray) -> dict[str, int]:
        return by_class(class_counts(teachers[0]["label"][rows], classes))

    return {
        "scored": len(teachers[0]),
        verdict(teachers): named(agreed(teachers)),
        "beside": None if beside is None else named(agreed(teachers) & beside),
        "budget": None if budget is None else by_class(budget),
        "kept": by_class(class_counts(labels, classes)),
        "shortfall": by_class(shortfall),
        "temperatures": temperatures,
        "gold": audit(on_gold, gold, classes) if len(gold) else None,
    }
