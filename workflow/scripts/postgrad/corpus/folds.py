"""Divide labelled posts into folds that are stratified by label and keep linked posts together."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class FoldOptions:
    """The options of one fold of pooled splits."""

    node: str
    k: int
    seed: int
    fold: int  # the one that is held out, 1 to k
    classes: list[str]  # names of the labels, in class order


def post_links(posts: pd.DataFrame, duplicates: pd.DataFrame) -> pd.DataFrame:
    """Return what links posts to each other: duplicates, the post they derive from, the author.

    Parameters
    ----------
    posts
        n posts with the columns post_id, parent and author.
    duplicates
        The groups of the audit, one row a post, with the columns post_id and group.

    Returns
    -------
    DataFrame of shape (n, 3)
        The columns group, root and author. Null where nothing is known, which is common for
        authors.

    Raises
    ------
    ValueError
        If a post has no group.
    """
    group = posts["post_id"].map(duplicates.set_index("post_id")["group"])
    if lacking := int(group.isna().sum()):
        raise ValueError(f"{lacking} of {len(posts)} posts have no group; audit these posts first.")
    root = posts["parent"].fillna(posts["post_id"])
    return pd.DataFrame({"group": group, "root": root, "author": posts["author"]})


def group_numbers(links: pd.DataFrame) -> np.ndarray:
    """Return equal numbers for posts that share a value in any column.

    Posts that are linked through other posts have equal numbers as well.

    Parameters
    ----------
    links
        (n, k) frame from `post_links`.

    Returns
    -------
    ndarray of shape (n,)

    Examples
    --------
    >>> links = pd.DataFrame({"group": ["a", "b", "b", "c"], "author": ["x", "x", None, None]})
    >>> group_numbers(links).tolist()
    [0, 0, 0, 3]
    """
    numbers = pd.Series(np.arange(len(links)))
    while True:
        before = numbers
        for column in links:
            smallest = numbers.groupby(links[column].to_numpy()).transform(
                "min"
            )  # NaN where the value is null
            numbers = smallest.fillna(numbers).astype(int)
        if numbers.equals(before):
            return numbers.to_numpy()


def is_linked(links: pd.DataFrame, held: ArrayLike) -> np.ndarray:
    """Return whether each post shares a value in any column with a post that is held out.

    Parameters
    ----------
    links
        (n, k) frame from `post_links`.
    held
        (n,) booleans, true for the posts that are held out.

    Returns
    -------
    ndarray of shape (n,)
    """
    return np.any([column.isin(column[held].dropna()) for _, column in links.items()], axis=0)


def assign_folds(
    post_ids: ArrayLike, labels: ArrayLike, groups: ArrayLike, k: int, seed: int
) -> np.ndarray:
    """Return the fold of each post, 1 to k, with whole groups and each class in equal shares.

    The groups are assigned in the order of their sizes, and groups of one size in a seeded order.
    Each goes to the fold that has the fewest posts of its classes, where rare classes count more.
    Among equal folds the one with the fewest posts wins, and then the first. This is the greedy
    assignment of scikit-learn's StratifiedGroupKFold with other weights. The order of the posts
    changes nothing.

    Parameters
    ----------
    post_ids, labels, groups
        (n,) ids of the posts, their labels, and the groups that stay together.
    k
        Number of folds.
    seed
        Seed of the order of groups of one size.

    Returns
    -------
    ndarray of shape (n,)

    Raises
    ------
    ValueError
        If a class has fewer than `k` groups.
    """
    frame = pd.DataFrame({"post": post_ids, "label": labels, "group": groups}).sort_values("post")
    for label, posts in frame.groupby("label"):
        if (count := posts["group"].nunique()) < k:
            raise ValueError(
                f"{k} folds need {k} separate posts of class {label!r}, and its {len(posts)} posts "
                f"stand in {count} "
                "groups (copies, one source or one author); choose fewer folds."
            )
    if len(frame) < k:
        raise ValueError(
            f"{len(frame)} posts cannot be shared out to {k} folds; choose fewer folds."
        )
    group, _ = pd.factorize(
        frame["group"]
    )  # numbered by their first post, whatever the caller's numbers
    label, names = pd.factorize(frame["label"], sort=True)
    counts = np.zeros((group.max() + 1, len(names)))
    np.add.at(counts, (group, label), 1)
    order = np.random.default_rng(seed).permutation(len(counts))
    order = order[np.argsort(-counts[order].sum(axis=1), kind="stable")]
    weights, held, place = (
        1 / counts.sum(axis=0) ** 2,
        np.zeros((k, len(names))),
        np.zeros(len(counts), dtype=int),
    )
    for one in order:
        # Squares of the shares held grow by twice this, and by what is the same in each fold. No
        # matrix product: its last digits, which order near ties, differ between machines.
        growth = (held * (weights * counts[one])).sum(axis=1)
        place[one] = np.lexsort((held.sum(axis=1), growth))[0]
        held[place[one]] += counts[one]
    return pd.Series(place[group] + 1, index=frame.index).sort_index().to_numpy()
