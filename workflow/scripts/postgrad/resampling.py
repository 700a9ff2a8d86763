"""A dataset of classes of one size: posts left out of the larger ones, copies added to the smaller ones."""

import random
from collections import Counter
from itertools import cycle, islice

import pandas as pd


def resampled(posts, node, to, seed):
    """The posts of a union, balanced by class: those that stay, in the order given, and copies behind them.

    posts: labelled posts (posts.POSTS). to: `largest`, `smallest`, or how many posts each class gets. A larger class
    keeps posts drawn without replacement. A smaller one keeps all, and its copies go round a random order of the class,
    so that the uses of two posts differ by one at most. A copy is named `<parent>~<node>~<k>`, where the parent of a
    derived post is its own parent; it keeps text, label and origin.
    Raises ValueError for unlabelled posts, for none, and where a post stands in the union twice.
    """
    if unlabelled := int(posts["label"].isna().sum()):
        raise ValueError(f"{node}: {unlabelled} of {len(posts)} posts have no label; name labelled datasets.")
    if twice := int(posts["post_id"].duplicated().sum()):
        raise ValueError(f"{node}: {twice} posts stand in its datasets twice; name no dataset that another one holds.")
    if posts.empty:
        raise ValueError(f"{node}: its datasets hold no posts; see the logs of what made them.")
    rng = random.Random(seed)
    sizes = Counter(posts["label"].astype(int))
    size = {"largest": max(sizes.values()), "smallest": min(sizes.values())}.get(to, to)
    order = posts["post_id"].argsort(kind="stable").tolist()  # the draw must not hang on the order of the files
    labels = posts["label"].astype(int).tolist()
    kept, copies = [], []
    for label in sorted(sizes):
        own = [row for row in order if labels[row] == label]
        rng.shuffle(own)
        kept += own[:size]
        copies += islice(cycle(own), max(0, size - len(own)))

    copied, series, ids = posts.iloc[copies], Counter(), []
    parents = copied["parent"].fillna(copied["post_id"]).tolist()
    for parent in parents:
        ids.append(f"{parent}~{node}~{series[parent]}")
        series[parent] += 1
    return pd.concat([posts.iloc[sorted(kept)], copied.assign(post_id=ids, parent=parents)], ignore_index=True)
