"""Exact duplicates and near-copies of posts.

Two posts are duplicates if their texts are equal after case, links, mentions and spacing are set
aside. A text is a near-copy of another one if they share at least SHARE of all their words.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa

from postgrad.corpus.text_forms import normalized

GROUPS = pa.schema([("post_id", pa.string()), ("split", pa.string()), ("group", pa.string())])
EVALUATED = ("test", "dev", "cross")  # posts of these are never left out
SHARE = 0.8  # of the words of two posts; one of ten words exchanged leaves 9 of 11
TRAINED = ("train", "unlabeled")


def duplicate_groups(splits: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One row a post, (post_id, split, group): posts of one group are duplicates of each other.

    splits: {split: posts}. The group is a hash of the normalised text and of nothing else.
    """
    rows = [
        (post_id, split, hashlib.sha256(normalized(text).encode()).hexdigest()[:16])
        for split, frame in splits.items()
        for post_id, text in zip(frame["post_id"], frame["text"], strict=True)
    ]
    return pd.DataFrame(rows, columns=GROUPS.names)


@dataclass(frozen=True)
class AuditOptions:
    """The options of the audit of one task."""

    task: str


def left_out(splits: Mapping[str, pd.DataFrame], groups: pd.DataFrame) -> pd.DataFrame:
    """The posts of train and unlabeled that no model may read: (post_id, split, reason).

    A copy of a text in test, dev or cross goes, and so does every copy but the first of a text
    within train or within unlabeled; where labels of train disagree, the first stands. Evaluation
    splits stay whole.
    """
    members = {
        split: frame.set_index("post_id")["group"] for split, frame in groups.groupby("split")
    }
    evaluated = {split: set(members.get(split, ())) for split in EVALUATED}
    rows = []
    for split in TRAINED:
        first = {}
        frame = splits[split]
        for post_id, label in zip(frame["post_id"], frame["label"], strict=True):
            group = members[split][post_id]
            also = next((other for other in EVALUATED if group in evaluated[other]), None)
            if also:
                rows.append((post_id, split, f"also in {also}"))
            elif group not in first:
                first[group] = label
            else:
                other = pd.notna(label) and label != first[group]
                rows.append((post_id, split, "duplicate, other label" if other else "duplicate"))
    return pd.DataFrame(rows, columns=["post_id", "split", "reason"])


class Known:
    """Texts that are there already, each at a place such as train, and whether another one nearly
    copies one.
    """

    def __init__(self, places: Mapping[str, Iterable[str]]) -> None:
        """places: {place: texts}, in the order in which they are looked through."""
        # place -> {number of words: sets of so many words}
        self.sizes: dict[str, dict[int, list[frozenset[str]]]] = {}
        for place, texts in places.items():
            self.sizes[place] = {}
            for text in texts:
                self.add(text, place)

    def add(self, text: str, place: str) -> None:
        found = word_set(text)
        self.sizes.setdefault(place, {}).setdefault(len(found), []).append(found)

    def place(self, text: str) -> str | None:
        """The first place with a near-copy of the text, or None.

        Both share at least SHARE of all their words.
        """
        own = word_set(text)
        for place, sizes in self.sizes.items():
            for size in sizes:
                # Of n and m words s in common are SHARE of all: s >= SHARE * (n + m - s). No larger
                # difference in size allows it, which spares most comparisons: 1,000 posts beside
                # 20,000 take some 10 s.
                least = SHARE / (1 + SHARE) * (len(own) + size) - 1e-9
                if least <= min(len(own), size) and any(
                    len(own & other) >= least for other in sizes[size]
                ):
                    return place
        return None


def word_set(text: str) -> frozenset[str]:
    """The words of a text as a set, each once.

    Case, links, mentions and punctuation play no part where words are.
    """
    plain = normalized(text)
    return frozenset(re.findall(r"\w+", plain)) or frozenset([plain])
