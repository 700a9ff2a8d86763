"""Several predictions of the same posts as one: majority and soft votes, ties by a named rule."""

import numpy as np
import pandas as pd

from postgrad.records.predictions import ABSTAIN, matrix

RULES = ("majority", "soft")
TIES = ("probability", "lowest")
TINY = np.finfo(np.float64).tiny  # stands for 0 under the logarithm; its softmax is 0 to 300 digits


def check_members(frames, names):
    """Raise ValueError, naming the files, unless all members predict the same posts in the same order."""
    for frame, name in zip(frames[1:], names[1:], strict=True):
        if frame["post_id"].tolist() != frames[0]["post_id"].tolist():
            raise ValueError(
                f"{name} and {names[0]} do not hold the same posts in the same order; "
                "predict one dataset with every member."
            )
        if len(frame) and len(frame["logits"].iloc[0]) != len(frames[0]["logits"].iloc[0]):
            raise ValueError(f"{name} and {names[0]} differ in the number of classes; vote on one task.")


def spread(frames, post_ids, names):
    """The members' predictions over all n posts: a member abstains, at logits of 0, on posts that it does not hold.

    So a post is answered by the models that held it out, one fold of each. names: the members' files.
    Raises ValueError where a member holds another post, or where a post has fewer members than the rest.
    """
    whole, posts, members = [], pd.Index(post_ids), np.zeros(len(post_ids), dtype=int)
    for frame, name in zip(frames, names, strict=True):
        at = posts.get_indexer(frame["post_id"])
        if (at < 0).any() or not frame["post_id"].is_unique:
            raise ValueError(f"{name} holds a post twice, or one that is not held out; predict again.")
        columns = {"post_id": posts, "label": np.full(len(posts), ABSTAIN)}
        columns["label"][at] = frame["label"]
        for column in ("logits", "probs"):
            found = matrix(frame, column)
            columns[column] = np.zeros((len(posts), found.shape[1]))
            columns[column][at] = found
            columns[column] = list(columns[column])
        members[at] += 1
        whole.append(pd.DataFrame(columns))
    if few := int((members < members.max(initial=0)).sum()):
        raise ValueError(f"{few} of {len(posts)} held-out posts are predicted by fewer members than the others, "
                         f"{names[0]} among them; predict every fold.")  # fmt: skip
    return whole


def vote(probs, labels, rule="majority", ties="probability"):
    """One label a post from m members: (labels (n,), logits (n, K), number of ties).

    probs: (m, n, K); labels: (m, n), ABSTAIN where a member gives no answer; such members do not count,
    and where all abstain so does the vote, at logits of 0.
    majority: the class with most votes. A tie goes to the higher mean probability and then the lowest
    class (`probability`), or to the lowest class at once (`lowest`). Logits are the logarithm of
    (votes + mean probability / (m + 1)), normalised; the second term is below one vote, so it orders
    ties only. Under `lowest` the voted class gains 1 / (m + 1) more, so that it stays the argmax.
    soft: the class of the highest mean probability, the lowest where several are equal. Logits are the
    logarithm of the mean probabilities.
    Raises ValueError for an unknown rule.
    """
    if rule not in RULES or ties not in TIES:
        raise ValueError(f"rule {rule!r} or ties {ties!r} does not exist; rules: {RULES}, ties: {TIES}.")
    probs, labels = np.asarray(probs, dtype=np.float64), np.asarray(labels)
    m, n, classes = probs.shape
    if n == 0:
        return np.zeros(0, dtype=np.int64), np.zeros((0, classes)), 0
    counted = labels != ABSTAIN
    answers = counted.sum(axis=0)
    mean = (probs * counted[:, :, None]).sum(axis=0) / np.maximum(answers, 1)[:, None]
    votes = (labels[:, :, None] == np.arange(classes)).sum(axis=0)
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
