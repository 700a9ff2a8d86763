"""Choose pseudo-labelled posts from the predictions of one or two teachers.

CTYUN-AI (SMM4H-2024 Task 6) keeps the posts on which two separately tuned models agree; controls
take as many by calibrated confidence, or at random. Bai and Zhou (SMM4H-2020) take a tenth of a
test set with the labels of one vote: at random in their code, and other posts for each fold.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from postgrad.evaluation.agreement import cohens_kappa, error_correlation
from postgrad.predictors.temperature_scaling import fit_temperature
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


def teacher_temperature(frame: pd.DataFrame, gold: np.ndarray) -> float | None:
    """Return the temperature of one teacher, fitted on the gold posts that it answers.

    None if it answers none of them.
    """
    rows = (frame["label"] != ABSTAIN).to_numpy()
    return (
        fit_temperature(prediction_matrix(frame, "logits")[rows], gold[rows])
        if rows.any()
        else None
    )


def join_teachers(
    frames: Sequence[pd.DataFrame], names: Sequence[str], classes: int
) -> list[pd.DataFrame]:
    """Return the teachers' predictions of the posts that all of them scored, sorted by post_id.

    Parameters
    ----------
    frames
        The predictions of each teacher.
    names
        The teachers, for the messages.
    classes
        Number of classes.

    Raises
    ------
    ValueError
        If there is no such post, or if a teacher does not predict `classes` classes.
    """
    shared = sorted(set.intersection(*(set(frame["post_id"]) for frame in frames)))
    if not shared:
        why = (
            "share no scored post; predict one pool with both"
            if len(names) > 1
            else "has scored no post of it"
        )
        raise ValueError(f"teacher{'s' * (len(names) > 1)} {' and '.join(names)} {why}.")
    joined = [frame.set_index("post_id").loc[shared].reset_index() for frame in frames]
    for frame, name in zip(joined, names, strict=True):
        if prediction_matrix(frame, "logits").shape != (len(shared), classes):
            raise ValueError(
                f"teacher {name} does not give one logit for each of {classes} classes."
            )
    return joined


def check_teachers_differ(teachers: Sequence[pd.DataFrame], names: Sequence[str]) -> None:
    """Raise `ValueError`, naming the teachers, if both give the same logits for every post."""
    first, *others = (prediction_matrix(frame, "logits") for frame in teachers)
    if any(np.array_equal(first, other) for other in others):
        raise ValueError(
            f"teachers {names[0]} and {names[1]} give identical logits, so their agreement says "
            "nothing; give one of them a different base or seed."
        )


def has_answer(frame: pd.DataFrame) -> np.ndarray:
    """Return whether a teacher answers each post: neither abstention nor a tie of logits."""
    logits = prediction_matrix(frame, "logits")
    highest = (logits == logits.max(axis=1, keepdims=True)).sum(axis=1)
    return (frame["label"].to_numpy() != ABSTAIN) & (highest == 1)


def has_label(teachers: Sequence[pd.DataFrame]) -> np.ndarray:
    """Return whether each post has a label: two teachers give the same one, or one gives any."""
    if len(teachers) == 1:
        return (teachers[0]["label"] != ABSTAIN).to_numpy()
    first, second = teachers
    return has_answer(first) & has_answer(second) & (first["label"] == second["label"]).to_numpy()


def label_word(teachers: Sequence[pd.DataFrame]) -> str:
    """Return the word under which the posts with a label are counted: agreed, or answered."""
    return "agreed" if len(teachers) > 1 else "answered"


def teacher_answers(
    teachers: Sequence[pd.DataFrame], temperatures: Sequence[float | None]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the label of each post and the confidence in it.

    With one teacher, the label is its own, in which a vote may have broken a tie, and the
    confidence is the probability of that label. With two, the label is the argmax of the mean of
    their calibrated probabilities, and the confidence is that mean.

    Parameters
    ----------
    teachers
        Predictions of the same n posts.
    temperatures
        The temperature of each teacher; one teacher alone needs none.

    Returns
    -------
    labels : ndarray of shape (n,)
        ABSTAIN if a teacher gives no answer.
    confidence : ndarray of shape (n,)
    """
    abstains = np.any([frame["label"] == ABSTAIN for frame in teachers], axis=0)
    if len(teachers) == 1:
        labels, probs = teachers[0]["label"].to_numpy(), prediction_matrix(teachers[0])
        return labels, np.take_along_axis(probs, np.maximum(labels, 0)[:, None], axis=1)[:, 0]
    own = [
        softmax(prediction_matrix(frame, "logits") / t)
        for frame, t in zip(teachers, temperatures, strict=True)
    ]
    mean = np.mean(own, axis=0)
    return np.where(abstains, ABSTAIN, mean.argmax(axis=1)), mean.max(axis=1)


def prior_matched_rows(labels: np.ndarray, prior: list[int] | np.ndarray, seed: int) -> np.ndarray:
    """Return the rows of the largest random subset of labels in given proportions.

    Each class keeps floor(s * prior) posts, where s is the least ratio of labels to prior over the
    classes that the prior holds. If such a class has no label, nothing is left.

    Parameters
    ----------
    labels
        (n,) class codes.
    prior
        (K,) counts, whose proportions are kept.
    seed
        Seed of the draw.

    Returns
    -------
    ndarray
        Positions in `labels`, ascending.

    Raises
    ------
    ValueError
        If the prior holds no post.
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


def share_of_counts(counts: ArrayLike, share: float) -> np.ndarray:
    """How many posts a share of each count is.

    Rounded down, but one at least where there is any. counts: (K,).
    """
    rounded = np.floor(share * np.asarray(counts) + 1e-9).astype(
        np.int64
    )  # 0.29 * 100 is 28.999... in floats
    return np.minimum(np.maximum(rounded, 1), counts)


def most_confident_rows(
    labels: np.ndarray, confidence: np.ndarray, budget: list[int] | np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the most confident posts of each class.

    What a class cannot supply is filled with the most confident posts that are left. The earlier of
    equally confident posts comes first.

    Parameters
    ----------
    labels, confidence
        (n,) class codes and the confidence in them.
    budget
        (K,) how many posts of each class are wanted.

    Returns
    -------
    rows : ndarray
        Positions in `labels`, ascending.
    shortfall : ndarray of shape (K,)
        How many posts of each class were missing.
    """
    order = np.argsort(-confidence, kind="stable")
    chosen = np.zeros(len(labels), dtype=bool)
    shortfall: list[int] = []
    for code, count in enumerate(budget):
        best = order[labels[order] == code][:count]
        chosen[best] = True
        shortfall.append(int(count) - len(best))
    chosen[order[~chosen[order]][: sum(shortfall)]] = True
    return np.flatnonzero(chosen), np.array(shortfall)


def draw_rows(
    rows: np.ndarray,
    wanted: int,
    beside: np.ndarray,
    seed: int,
    part: tuple[int, int] | None = None,
) -> np.ndarray:
    """Draw posts at random.

    Parameters
    ----------
    rows
        (m,) positions of the posts among which is drawn.
    wanted
        How many posts are drawn; all if there are fewer.
    beside
        (n,) whether a post may be drawn.
    seed
        Seed of the draw.
    part
        (i, k) if the draw is from the i-th of k equal parts of one random order of the rows, so
        that no two of k draws share a post.

    Returns
    -------
    ndarray
        Positions, ascending.

    Raises
    ------
    ValueError
        If that part is too small, with the posts that `beside` excludes counted in.
    """
    rng = random.Random(seed)
    if part:
        (i, k), rows = part, np.array(rng.sample(list(rows), len(rows)), dtype=np.int64)
        rows = rows[(i - 1) * len(rows) // k : i * len(rows) // k]
        if len(rows) < wanted:
            raise ValueError(
                f"part {i} of {k} holds {len(rows)} posts, and {wanted} are to be drawn; "
                "lower the share or the budget."
            )
    rows = rows[beside[rows]]
    if part:
        return np.sort(rows[:wanted])
    chosen = sorted(rng.sample(range(len(rows)), min(int(wanted), len(rows))))
    return rows[np.array(chosen, dtype=np.int64)]


def select_posts(
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
    """Select the posts that become pseudo-labelled ones, and their labels.

    Keep agreement selects all posts on which two teachers agree; with a prior, the largest random
    subset in its proportions. Keep confidence selects the posts whose answers are most probable: as
    many of each class as the budget says, or this share of the answers of each class, or all whose
    answer has at least the probability `above`, and of these, with a prior, the largest random
    subset in its proportions. Keep random draws as many as the budget has in all, or this share of
    all answers.

    With confidence and random, the labels are those of `teacher_answers`, and the prior plays no
    part if a budget or a share says how many are kept. A share counts what a fold holds out as
    well, so that it is the same number in each fold.

    Parameters
    ----------
    teachers
        Predictions of the same n posts, sorted by post_id, of one teacher or two.
    temperatures
        The temperature of each teacher, or None if there was no gold post to fit it on.
    keep
        agreement, confidence or random.
    prior
        (K,) counts of training posts.
    budget
        (K,) how many posts of each class are wanted.
    share, above
        A share of the answers; the least probability of an answer.
    seed
        Seed of what is drawn.
    beside
        (n,) whether a post may be kept, which those of a held-out fold may not. Default: all may.
    part
        As in `draw_rows`.

    Returns
    -------
    rows : ndarray
        Positions of the selected posts, ascending.
    labels : ndarray
        Their class codes.
    shortfall : ndarray of shape (K,)
        How many posts of each class were missing.

    Raises
    ------
    ValueError
        If the way to keep does not exist, or if a teacher, a number or the temperatures are
        missing.
    """
    if keep not in KEEP:
        raise ValueError(f"keep {keep!r} does not exist; known: {', '.join(KEEP)}.")
    classes = prediction_matrix(teachers[0], "logits").shape[1]
    beside = np.ones(len(teachers[0]), dtype=bool) if beside is None else beside
    none = np.zeros(classes, dtype=np.int64)
    if keep == "agreement":
        if len(teachers) < 2:
            raise ValueError(
                "keep agreement needs two teachers; "
                "name a second one, or keep confidence or random."
            )
        rows = np.flatnonzero(has_label(teachers) & beside)
        labels = teachers[0]["label"].to_numpy()[rows]
        if prior is not None:
            chosen = prior_matched_rows(labels, prior, seed)
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
    labels, confidence = teacher_answers(teachers, temperatures)
    rows = np.flatnonzero(labels != ABSTAIN)
    if keep == "random":
        wanted = (
            int(share_of_counts(len(rows), share or 0.0)) if budget is None else int(sum(budget))
        )
        rows = draw_rows(rows, wanted, beside, seed, part)
        return rows, labels[rows], none
    if above is not None:
        rows = rows[beside[rows] & (confidence[rows] >= above)]
        rows = rows if prior is None else rows[prior_matched_rows(labels[rows], prior, seed)]
        return rows, labels[rows], none
    budget = (
        share_of_counts(class_counts(labels[rows], classes), share or 0.0)
        if budget is None
        else budget
    )
    rows = rows[beside[rows]]
    chosen, shortfall = most_confident_rows(labels[rows], confidence[rows], budget)
    return rows[chosen], labels[rows[chosen]], shortfall


def audit_teachers(
    teachers: Sequence[pd.DataFrame],
    gold: np.ndarray,
    classes: int,
    temperatures: Sequence[float | None],
) -> dict[str, Any]:
    """Return how well the teachers' labels do on gold posts.

    A label is what two teachers agree on, or what one answers.

    Parameters
    ----------
    teachers
        Predictions of n posts.
    gold
        (n,) class codes.
    classes
        Number of classes.
    temperatures
        The temperature of each teacher, by which the control by confidence is chosen.

    Returns
    -------
    dict
        n, and `posts`, the gold posts of each class. `agreed`, or `answered` with one teacher: the
        share of posts with a label. classes: for each class, how many labels (under the same
        word), the share of them that is right (accuracy) and the share of the class's posts that
        have one (coverage). kappa between two teachers on the posts that both answer, or None, and
        error_correlation, that of their errors. accuracy of each teacher, where an abstention is
        wrong. by_confidence: the control of two teachers, which takes as many gold posts of each
        class by confidence as the teachers agree on; the share of its labels that is right, in all
        (accuracy) and in each class, or None.
    """
    named, labels, word = has_label(teachers), teachers[0]["label"].to_numpy(), label_word(teachers)
    per_class, kappa, correlation, control = {}, None, None, None
    for code in range(classes):
        called, held = named & (labels == code), gold == code
        per_class[str(code)] = {
            word: int(called.sum()),
            "accuracy": float(held[called].mean()) if called.any() else None,
            "coverage": float(named[held].mean()) if held.any() else None,
        }
    if len(teachers) > 1:
        both = has_answer(teachers[0]) & has_answer(teachers[1])
        answers = [frame["label"].to_numpy() for frame in teachers]
        kappa = cohens_kappa(*(labels[both] for labels in answers))
        correlation = error_correlation(gold, *answers)
        if None not in temperatures:
            budget = class_counts(labels[named], classes)
            control = _confidence_control(teachers, temperatures, gold, budget)
    return {
        "n": len(gold),
        "posts": _by_class(class_counts(gold, classes)),
        word: float(named.mean()),
        "classes": per_class,
        "kappa": kappa,
        "error_correlation": correlation,
        "by_confidence": control,
        "accuracy": [float((frame["label"].to_numpy() == gold).mean()) for frame in teachers],
    }


def _confidence_control(
    teachers: Sequence[pd.DataFrame],
    temperatures: Sequence[float | None],
    gold: np.ndarray,
    budget: np.ndarray,
) -> dict[str, Any]:
    """Return how many labels are right if the most confident ones of each class are taken."""
    labels, confidence = teacher_answers(teachers, temperatures)
    answered = np.flatnonzero(labels != ABSTAIN)
    chosen = answered[most_confident_rows(labels[answered], confidence[answered], budget)[0]]
    labels, correct = labels[chosen], labels[chosen] == gold[chosen]
    accuracy = {
        str(code): float(correct[labels == code].mean()) if (labels == code).any() else None
        for code in range(len(budget))
    }
    return {"accuracy": float(correct.mean()) if len(chosen) else None, "classes": accuracy}


def _by_class(counts: Iterable[int]) -> dict[str, int]:
    """Return counts under the code of each class, as a string."""
    return {str(code): int(count) for code, count in enumerate(counts)}


def class_counts(labels: ArrayLike, classes: int) -> np.ndarray:
    """Return the number of posts of each class; posts without a label are not counted.

    Examples
    --------
    >>> class_counts([0, 1, 1, None], classes=3).tolist()
    [1, 2, 0]
    """
    return np.bincount(pd.Series(labels).dropna().astype(int), minlength=classes)


def label_flow(
    teachers: Sequence[pd.DataFrame],
    labels: ArrayLike,
    budget: list[int] | np.ndarray | None,
    shortfall: Iterable[int],
    temperatures: Sequence[float | None],
    on_gold: Sequence[pd.DataFrame],
    gold: np.ndarray,
    train: Iterable[int],
    beside: np.ndarray | None = None,
) -> dict[str, Any]:
    """Return how many posts were scored, agreed on, wanted, kept and missing, for the report.

    Classes are keyed by their code as a string.

    Parameters
    ----------
    teachers
        Predictions of the pool.
    labels
        Labels of the posts that were kept.
    budget
        (K,) counts, or None.
    shortfall
        (K,) counts.
    temperatures
        The temperature of each teacher.
    on_gold, gold
        Predictions of gold posts and their labels, for `audit_teachers`.
    train
        (K,) gold labels of the training posts, with which the labels are compared.
    beside
        As in `select_posts`.
    """
    classes = prediction_matrix(teachers[0], "logits").shape[1]

    def named(rows: np.ndarray) -> dict[str, int]:
        return _by_class(class_counts(teachers[0]["label"][rows], classes))

    return {
        "scored": len(teachers[0]),
        label_word(teachers): named(has_label(teachers)),
        "beside": None if beside is None else named(has_label(teachers) & beside),
        "budget": None if budget is None else _by_class(budget),
        "kept": _by_class(class_counts(labels, classes)),
        "shortfall": _by_class(shortfall),
        "temperatures": temperatures,
        "train": _by_class(train),
        "gold": audit_teachers(on_gold, gold, classes, temperatures) if len(gold) else None,
    }
