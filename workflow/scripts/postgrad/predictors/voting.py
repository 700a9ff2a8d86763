"""Combine several predictions of the same posts by a majority vote or a soft vote."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from postgrad.records.predictions import ABSTAIN, prediction_matrix

RULES = ("majority", "soft")
TIES = ("probability", "lowest")
TINY = np.finfo(np.float64).tiny  # stands for 0 under the logarithm; its softmax is 0 to 300 digits


@dataclass(frozen=True)
class VoteOptions:
    """The options of one file of votes."""

    node: str
    rule: str
    ties: str
    datasets: list[str]  # in the order of the file
    weights: list[float] | None = None  # one a member


def check_same_posts(frames: Sequence[pd.DataFrame], names: Sequence[str]) -> None:
    """Raise `ValueError`, naming the files, unless all members predict the same posts in one order.

    Parameters
    ----------
    frames
        The predictions of each member.
    names
        The members' files.
    """
    for frame, name in zip(frames[1:], names[1:], strict=True):
        if frame["post_id"].tolist() != frames[0]["post_id"].tolist():
            raise ValueError(
                f"{name} and {names[0]} do not hold the same posts in the same order; "
                "predict one dataset with every member."
            )
        if len(frame) and len(frame["logits"].iloc[0]) != len(frames[0]["logits"].iloc[0]):
            raise ValueError(
                f"{name} and {names[0]} differ in the number of classes; vote on one task."
            )


def extend_to_all_posts(
    frames: Sequence[pd.DataFrame], post_ids: Sequence[str], names: Sequence[str]
) -> list[pd.DataFrame]:
    """Extend the predictions of each member to all n posts.

    A member abstains, with logits of 0, on posts that it does not predict. So each post gets its
    answer from the models that held it out, one fold of each.

    Parameters
    ----------
    frames
        The predictions of each member.
    post_ids
        The n posts, in the order of the result.
    names
        The members' files.

    Raises
    ------
    ValueError
        If a member predicts a post twice or one outside `post_ids`, or if a post is predicted by
        fewer members than another.
    """
    whole, posts, members = [], pd.Index(post_ids), np.zeros(len(post_ids), dtype=int)
    for frame, name in zip(frames, names, strict=True):
        at = posts.get_indexer(frame["post_id"])
        if (at < 0).any() or not frame["post_id"].is_unique:
            raise ValueError(
                f"{name} holds a post twice, or one that is not held out; predict again."
            )
        columns: dict[str, Any] = {"post_id": posts, "label": np.full(len(posts), ABSTAIN)}
        columns["label"][at] = frame["label"]
        for column in ("logits", "probs"):
            values = prediction_matrix(frame, column)
            columns[column] = np.zeros((len(posts), values.shape[1]))
            columns[column][at] = values
            columns[column] = list(columns[column])
        members[at] += 1
        whole.append(pd.DataFrame(columns))
    if incomplete := int((members < members.max(initial=0)).sum()):
        raise ValueError(
            f"{incomplete} of {len(posts)} held-out posts are predicted by fewer members than the "
            f"others, {names[0]} among them; predict every fold."
        )
    return whole


def integer_weights(weights: Sequence[float]) -> list[int]:
    """Return weights as the smallest integers in the same ratio.

    Sums of integers are exact, so that ties are found. Six decimals of a weight count. Raise
    `ValueError` if a weight is not positive.

    Examples
    --------
    >>> integer_weights([0.2, 0.1, 0.3])
    [2, 1, 3]
    """
    millionths = [round(1_000_000 * weight) for weight in weights]
    if any(weight <= 0 for weight in millionths):
        raise ValueError(
            f"the weights of a vote are positive numbers, found {min(weights):g}; "
            "leave that member out."
        )
    return [weight // math.gcd(*millionths) for weight in millionths]


def vote(
    probs: ArrayLike,
    labels: ArrayLike,
    rule: str = "majority",
    ties: str = "probability",
    weights: Sequence[float] | None = None,
) -> tuple[np.ndarray, np.ndarray, int]:
    """Return one label a post from the predictions of m members.

    Members that abstain on a post do not count there, whatever their weight. Where all abstain, so
    does the vote, at logits of 0.

    Parameters
    ----------
    probs : array of shape (m, n, K)
        Probabilities of n posts.
    labels : array of shape (m, n)
        Class codes, ABSTAIN where a member gives no answer.
    rule : {"majority", "soft"}
        majority: the class with the most votes, or with the highest sum of weights of its votes.
        soft: the class of the highest mean probability, weighted if there are weights.
    ties : {"probability", "lowest"}
        Who wins where several classes have the most votes: the higher mean probability, weighted as
        above, and then the lowest class; or the lowest class at once. A soft vote gives equal means
        to the lowest class.
    weights : sequence of m positive numbers, optional
        How much each member counts. Only their ratio matters, to six decimals. Default: all count
        alike.

    Returns
    -------
    labels : array of shape (n,)
    logits : array of shape (n, K)
        soft: the logarithm of the mean probabilities. majority: that of (votes + mean probability /
        (m + 1)), normalised, where votes are sums of whole weights. The second term is below one
        vote, so it orders ties only; with ties `lowest` the voted class gains 1 / (m + 1) more, so
        that it stays the argmax.
    ties : int
        The number of posts on which several classes had the most.

    Raises
    ------
    ValueError
        If the rule or the way to break ties does not exist, or if there is not one positive weight
        a member.

    Examples
    --------
    Two members say class 0 and one says class 1:

    >>> probs = np.array([[[0.6, 0.4]], [[0.7, 0.3]], [[0.1, 0.9]]])
    >>> vote(probs, [[0], [0], [1]])[0].tolist()
    [0]
    >>> vote(probs, [[0], [0], [1]], weights=[1, 1, 3])[0].tolist()
    [1]
    """
    if rule not in RULES or ties not in TIES:
        raise ValueError(
            f"rule {rule!r} or ties {ties!r} does not exist; rules: {RULES}, ties: {TIES}."
        )
    probs, labels = np.asarray(probs, dtype=np.float64), np.asarray(labels)
    m, n, classes = probs.shape
    whole = np.array([1] * m if weights is None else integer_weights(weights))
    if len(whole) != m:
        raise ValueError(f"{len(whole)} weights for {m} members; give each member one.")
    if n == 0:
        return np.zeros(0, dtype=np.int64), np.zeros((0, classes)), 0
    counted = (labels != ABSTAIN) * whole[:, None]
    answers = counted.sum(axis=0)
    mean = (probs * counted[:, :, None]).sum(axis=0) / np.maximum(answers, 1)[:, None]
    votes = ((labels[:, :, None] == np.arange(classes)) * whole[:, None, None]).sum(axis=0)
    share = mean if rule == "soft" else votes.astype(np.float64)
    tied = (share == share.max(axis=1, keepdims=True)).sum(axis=1) > 1
    if rule == "majority":
        share = votes + mean / (m + 1)
        if ties == "lowest":
            share[np.arange(n), votes.argmax(axis=1)] += 1 / (m + 1)
    voted = share.argmax(axis=1)
    logits = np.log(np.maximum(share / np.maximum(share.sum(axis=1, keepdims=True), TINY), TINY))
    voted[answers == 0], logits[answers == 0] = ABSTAIN, 0.0
    return voted, logits, int((tied & (answers > 0)).sum())
