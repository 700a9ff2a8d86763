"""Gold posts for the tests of augmentation: given rows, or so many posts of each class."""

from collections import Counter

import pandas as pd

from postgrad.augmentation.shuffling import AugmentOptions, augment_posts
from postgrad.augmentation.word_edits import KINDS

LONG = "one two, three. four, five six. seven"  # five segments, 120 orders
TEXT = "the rusty kettle sings in a quiet kitchen while nobody listens to the radio"


def posts(rows):
    """(post_id, text, label) rows as posts."""
    frame = pd.DataFrame(rows, columns=["post_id", "text", "label"]).astype({"label": "Int64"})
    return frame.assign(keyword=None, platform="x", author=None, origin="gold", parent=None)


def posts_of_classes(*sizes, name="p"):
    """As many posts of each class as `sizes` says."""
    return posts(
        [
            (f"{name}{label}-{i}", f"{TEXT} {i}", label)
            for label, size in enumerate(sizes)
            for i in range(size)
        ]
    )


def augmented_posts(frame, *, synonyms=None, budget=None, **options):
    """The new posts of a node n, and their counts; options that are not given have usual values."""
    usual = {
        "node": "n",
        "method": "shuffle",
        "copies": 0,
        "seed": 1,
        "split": "protected",
        "edits": KINDS,
        "rate": 0.1,
    }
    return augment_posts(frame, AugmentOptions(**usual | options), synonyms, budget)


def class_sizes(frame):
    return [int(count) for _, count in sorted(Counter(frame["label"]).items())]
