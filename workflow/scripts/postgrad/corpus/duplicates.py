"""Find exact duplicates of posts.

Two posts are duplicates if their texts are equal once case, links, mentions and white space are
normalised.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import pandas as pd
import pyarrow as pa

from postgrad.corpus.text_forms import normalize_text
from postgrad.records.names import EVALUATED, TRAINED

GROUPS = pa.schema([("post_id", pa.string()), ("split", pa.string()), ("group", pa.string())])
ALSO = "also in"  # the reason for an exact copy, before the name of the split


def duplicate_groups(splits: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the group of duplicates to which each post belongs.

    Parameters
    ----------
    splits
        The posts of each split, with the columns post_id and text.

    Returns
    -------
    DataFrame
        One row a post, with the columns of `GROUPS`. Posts of one group are duplicates of each
        other. The name of a group is a hash of the normalised text and of nothing else.
    """
    rows = [
        (post_id, split, hashlib.sha256(normalize_text(text).encode()).hexdigest()[:16])
        for split, frame in splits.items()
        for post_id, text in zip(frame["post_id"], frame["text"], strict=True)
    ]
    return pd.DataFrame(rows, columns=GROUPS.names)


@dataclass(frozen=True)
class AuditOptions:
    """The options of the audit of one task."""

    task: str
    near_duplicates: str = "drop"  # or report or stop
    # Splits of other tasks, such as caves/test, on which models that stand on this task are scored.
    beside: list[str] = field(default_factory=list)


def evaluation_splits(splits: Iterable[str]) -> list[str]:
    """Return the splits on which models are scored, in the order in which a reason names them.

    Those of other tasks come after the task's own.

    Examples
    --------
    >>> evaluation_splits(["train", "dev", "test", "unlabeled", "caves/test"])
    ['test', 'dev', 'caves/test']
    """
    names = list(splits)
    own = [split for split in EVALUATED if split in names]
    return own + [split for split in names if split not in (*EVALUATED, *TRAINED)]


def posts_to_drop(splits: Mapping[str, pd.DataFrame], groups: pd.DataFrame) -> pd.DataFrame:
    """Return the posts of train and unlabeled that no model may read, with the reason.

    A post is dropped if test, dev, cross or a split of another task has a copy of its text. Of the
    copies within train, or within unlabeled, the first is kept, also where the labels of train
    disagree. No post of test, dev or cross is dropped.

    Parameters
    ----------
    splits
        The posts of each split. Those of other tasks have names such as caves/test.
    groups
        The groups of duplicates, from `duplicate_groups`.

    Returns
    -------
    DataFrame
        One row a dropped post, with the columns post_id, split and reason.
    """
    members = {
        split: frame.set_index("post_id")["group"] for split, frame in groups.groupby("split")
    }
    evaluated = {split: set(members.get(split, ())) for split in evaluation_splits(splits)}
    rows = []
    for split in TRAINED:
        first = {}
        frame = splits[split]
        for post_id, label in zip(frame["post_id"], frame["label"], strict=True):
            group = members[split][post_id]
            also = next((other for other in evaluated if group in evaluated[other]), None)
            if also:
                rows.append((post_id, split, f"{ALSO} {also}"))
            elif group not in first:
                first[group] = label
            else:
                other = pd.notna(label) and label != first[group]
                rows.append((post_id, split, "duplicate, other label" if other else "duplicate"))
    return pd.DataFrame(rows, columns=["post_id", "split", "reason"])
