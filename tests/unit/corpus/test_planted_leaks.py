"""Nearly all of 500 near-copies planted in splits, tasks and made posts are found."""

import random

import pandas as pd
import pytest

from postgrad.corpus.duplicates import duplicate_groups, posts_to_drop
from postgrad.corpus.near_duplicates import (
    SHARE,
    NearCopies,
    copied_posts,
    near_copies_to_drop,
    plain_words,
)
from postgrad.demo.grammar import make_pool, make_posts
from postgrad.records.names import SPLITS

PLANTED = 100  # in each of five ways


def exchanged(rng, text):
    """The text in which one word of ten is another one."""
    words = text.split()
    for place in rng.sample(range(len(words)), len(words) // 10):
        words[place] = f"other{rng.randrange(10**6)}"
    return " ".join(words)


CHANGES = (
    exchanged,
    lambda rng, text: text.upper(),
    lambda rng, text: text.replace(" ", ", ") + "!!",
    lambda rng, text: f"RT @user{rng.randrange(99)}: {text}",
    lambda rng, text: text[: int(len(text) * rng.uniform(0.6, 0.9))] + "…",
    lambda rng, text: f"{text} https://t.co/{rng.randrange(10**6)}",
    lambda rng, text: f"RT @user: {exchanged(rng, text).lower()} https://t.co/x",
)


def distinct(texts):
    """The texts of ten words or more of which none is a near-copy of an earlier one.

    Every pair is compared, without hashes.
    """
    kept, sets = [], []
    for text in texts:
        words = plain_words(text)[0]
        own = set(words)
        if len(words) >= 10 and not any(
            len(own & other) >= 0.75 * len(own | other) for other in sets
        ):
            kept.append(text)
            sets.append(own)
    return kept


def frame(prefix, texts):
    posts = pd.DataFrame({"text": texts, "label": 0}).astype({"label": "Int64"})
    return posts.assign(post_id=[f"{prefix}{i}" for i in range(len(posts))])


@pytest.mark.parametrize("seed", [1, 2])
def test_planted_near_copies_across_splits_tasks_and_derived_rows_are_found(seed):
    rng = random.Random(seed)
    tasks = ("smm4h24-task3", "smm4h24-task6", "smm4h24-task5")
    texts = [post["text"] for task in tasks for post in make_posts(task, 900, seed)]
    texts = distinct([*texts, *(post["text"] for post in make_pool(300, seed))])
    rng.shuffle(texts)
    names = ("train", "dev", "test", "unlabeled", "mud/dev", "mud/test")
    parts = {name: texts[i :: len(names)] for i, name in enumerate(names)}
    assert min(map(len, parts.values())) >= PLANTED

    def copies(source):
        chosen = rng.sample(parts[source], PLANTED)
        return [CHANGES[i % len(CHANGES)](rng, text) for i, text in enumerate(chosen)]

    planted = {
        "train": copies("test") + copies("train") + copies("mud/test"),
        "unlabeled": copies("dev"),
    }
    derived = [(copies("test") + copies("mud/dev"))[i] for i in range(0, 2 * PLANTED, 2)]
    splits = {
        name: frame(f"{name}-", parts.get(name, []) + planted.get(name, []))
        for name in dict.fromkeys([*SPLITS, *names])
    }
    dropped = posts_to_drop(splits, duplicate_groups(splits))
    near = near_copies_to_drop(splits, dropped, NearCopies.among(splits))
    gone = {*dropped["post_id"], *near["post_id"]}
    expected = {
        f"{name}-{len(parts[name]) + i}" for name in planted for i in range(len(planted[name]))
    }
    # Made posts: some of them are copies of scored posts, and the others of none.
    made = frame("made-", derived + [exchanged(rng, text) for text in parts["train"]])
    scored = {name: splits[name] for name in ("test", "dev", "mud/dev", "mud/test")}
    gone |= set(copied_posts(made, scored)["post_id"])
    expected |= {f"made-{i}" for i in range(len(derived))}

    assert len(expected) == 5 * PLANTED
    found, false_alarms = len(gone & expected), len(gone - expected)
    others = len(parts["train"]) + len(parts["unlabeled"]) + len(made) - len(derived)
    assert found >= 0.99 * len(expected), f"{found} of {len(expected)}"
    assert false_alarms <= 0.005 * others, f"{false_alarms} of {others}"
    assert (near["similarity"] >= SHARE).all()
