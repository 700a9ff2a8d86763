"""Balance a dataset: leave posts of larger classes out, and copy posts of smaller classes."""

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import cycle, islice

import pandas as pd


@dataclass(frozen=True)
class ResampleOptions:
    """The options of one balanced dataset.

    `to` is largest, smallest, or how many posts each class gets.
    """

    node: str
    seed: int
    to: str | int | None = None  # None with a budget


def resample_posts(
    posts: pd.DataFrame, options: ResampleOptions, budget: Mapping[int, int] | None = None
) -> pd.DataFrame:
    """Return posts balanced by class: the posts that stay, in their order, and then copies.

    A larger class keeps posts that are drawn without replacement. A smaller one keeps all posts,
    and copies follow a random order of the class, so that the uses of two posts differ by at most
    one. A copy has the id `<parent>~<node>~<k>`, where the parent of a derived post is its own
    parent; it keeps text, label and origin.

    Parameters
    ----------
    posts
        Labelled posts with the columns of `POSTS`.
    options
        The options of the node.
    budget
        How many posts each class gets, if `options.to` is None. A class that is missing gets none.

    Raises
    ------
    ValueError
        If there is no post, a post has no label or occurs twice, or a class of the budget has no
        post.
    """
    node, to = options.node, options.to
    if unlabelled := int(posts["label"].isna().sum()):
        raise ValueError(
            f"{node}: {unlabelled} of {len(posts)} posts have no label; name labelled datasets."
        )
    if repeated := int(posts["post_id"].duplicated().sum()):
        raise ValueError(
            f"{node}: {repeated} posts stand in its datasets twice; "
            "name no dataset that another one holds."
        )
    if posts.empty:
        raise ValueError(f"{node}: its datasets hold no posts; see the logs of what made them.")
    rng = random.Random(options.seed)
    sizes = Counter(posts["label"].astype(int))
    if budget is None:
        named = {"largest": max(sizes.values()), "smallest": min(sizes.values())}
        budget = dict.fromkeys(sizes, to if isinstance(to, int) else named[str(to)])
    if lacking := sorted(label for label in budget if label not in sizes):
        raise ValueError(
            f"{node}: no post to copy for class {lacking[0]} of its budget; "
            "name datasets that have some."
        )
    # The draw must not depend on the order of the files.
    order = posts["post_id"].argsort(kind="stable").tolist()
    labels = posts["label"].astype(int).tolist()
    kept: list[int] = []
    copies: list[int] = []
    for label in sorted(sizes):
        own = [row for row in order if labels[row] == label]
        rng.shuffle(own)
        size = budget.get(label, 0)
        kept += own[:size]
        copies += islice(cycle(own), max(0, size - len(own)))

    copied, ids = posts.iloc[copies], []
    series: Counter[str] = Counter()
    parents = copied["parent"].fillna(copied["post_id"]).tolist()
    for parent in parents:
        ids.append(f"{parent}~{node}~{series[parent]}")
        series[parent] += 1
    return pd.concat(
        [posts.iloc[sorted(kept)], copied.assign(post_id=ids, parent=parents)], ignore_index=True
    )
