"""Which posts are near-copies of others, what leaves for it, and which groups they form."""

import random

import numpy as np
import pandas as pd
import pytest

from postgrad.corpus import near_duplicates
from postgrad.corpus.duplicates import duplicate_groups, posts_to_drop
from postgrad.corpus.near_duplicates import (
    NearCopies,
    copied_posts,
    joined_groups,
    leave_out_copies,
    near_copies_to_drop,
    plain_words,
)
from postgrad.records.names import SPLITS

TEN = "it rains and nobody here owns any boots for mud"
VOCABULARY = [f"word{i}" for i in range(2000)]


def made_up(rng, words):
    return " ".join(rng.choices(VOCABULARY, k=words))


def edited(rng, text):
    """The text in which one word of ten is another one."""
    words = text.split()
    for place in rng.sample(range(len(words)), len(words) // 10):
        words[place] = f"new{rng.randrange(10**6)}"
    return " ".join(words)


def is_near(one, other):
    copies = NearCopies([one, other])
    first, second = copies.forms.tolist()
    return first >= 0 and second >= 0 and (first == second or len(copies.pairs) == 1)


CHANGES = {
    "edited": edited,
    "retweeted": lambda rng, text: f"RT @user{rng.randrange(99)}: {text}",
    "cut": lambda rng, text: text[: int(len(text) * rng.uniform(0.5, 0.9))] + "…",
    "cut before a link": lambda rng, text: text[: int(len(text) * 0.7)] + "... https://t.co/a1",
    "retweeted and cut": lambda rng, text: f"RT @user: {text[: int(len(text) * 0.8)]}…",
    "case": lambda rng, text: text.upper(),
    "punctuation": lambda rng, text: text.replace(" ", ", ") + "!!!",
    "link and mention": lambda rng, text: f"@someone {text} https://t.co/{rng.randrange(999)}",
    "all": lambda rng, text: f"RT @user: {edited(rng, text).upper()} https://t.co/x",
}


# -- pairs
# -------------------------------------------------------------------------------------


@pytest.mark.parametrize("text, near", [
    (TEN, True),
    (TEN.replace("boots", "shoes"), True),  # 9 of 11 words
    (TEN.replace("boots", "shoes").replace("mud", "snow"), False),  # 8 of 12
    (f"RT @maria: {TEN.upper()}!!! https://t.co/x", True),
    (f"RT @maria: RT @bob: {TEN}", True),
    ("it rains and nobody here…", True),
    ("it rains and nobody he…", True),
    ("it rains and nobody here... https://t.co/x", True),
    ("it rains and nobody here owns https://t…", True),
    ("it rains and nobody here", False),  # not cut off
    ("it rains and nobody there…", False),
    ("it rains and…", False),  # too short
    ("rains and nobody here owns…", False),  # from the middle
    (f"{TEN} {TEN}", False),  # as often as both have a word: 10 of 20
])  # fmt: skip
def test_near_copies_of_a_text(text, near):
    assert is_near(TEN, text) is near
    assert is_near(text, TEN) is near


def test_short_texts_have_no_near_copies():
    assert (
        NearCopies(["so tired of rain", "So tired of rain!", "🙂", ""]).forms.tolist() == [-1] * 4
    )


def test_apostrophes_and_emoji_are_set_aside():
    assert plain_words("I'm so tired 😡 of it, don’t ask") == plain_words(
        "im so tired of it dont ask"
    )


@pytest.mark.parametrize("change", CHANGES)
def test_planted_near_copies_are_found(change):
    rng = random.Random(change)
    texts = [made_up(rng, rng.randint(10, 40)) for _ in range(500)]
    planted = [CHANGES[change](rng, text) for text in texts]
    copies = NearCopies(texts + planted)
    pairs = {tuple(pair) for pair in copies.pairs.tolist()}
    forms = copies.forms.tolist()
    found = {i for i in range(500) if forms[i] == forms[500 + i]}
    found |= {i for i in range(500) if (forms[i], forms[500 + i]) in pairs}
    assert len(found) >= 495
    assert len(pairs) <= 500  # and nothing else


@pytest.mark.parametrize("seed", range(3))
def test_every_pair_is_one_that_comparing_all_texts_finds(seed):
    """The oracle compares every pair of texts; few words make many pairs around the limit."""
    rng = random.Random(seed)
    texts = sorted({" ".join(rng.sample(VOCABULARY[:14], rng.randint(5, 12))) for _ in range(400)})
    copies = NearCopies(texts)
    sets = [set(text.split()) for text in texts]
    assert copies.forms.tolist() == list(range(len(texts)))
    expected = {
        (i, j): len(sets[i] & sets[j]) / len(sets[i] | sets[j])
        for i in range(len(texts))
        for j in range(i + 1, len(texts))
        if len(sets[i] & sets[j]) >= 0.8 * len(sets[i] | sets[j])
    }
    found = dict(zip(map(tuple, copies.pairs.tolist()), copies.similarities.tolist()))
    assert found.keys() <= expected.keys() and len(found) >= 0.99 * len(expected) > 100
    assert all(found[pair] == pytest.approx(expected[pair]) for pair in found)


def test_the_order_of_the_texts_does_not_matter():
    rng = random.Random(3)
    texts = [made_up(rng, 12) for _ in range(200)]
    texts += [edited(rng, text) for text in texts] + [text[:40] + "…" for text in texts[:50]]

    def pairs(texts):
        copies = NearCopies(texts)
        named = [frozenset(texts[form] for form in pair) for pair in copies.pairs.tolist()]
        return set(zip(named, copies.similarities.tolist()))

    shuffled = rng.sample(texts, len(texts))
    assert pairs(texts) == pairs(shuffled) and len(pairs(texts)) >= 200


def test_chunks_change_nothing(monkeypatch):
    rng = random.Random(4)
    texts = [made_up(rng, rng.randint(8, 30)) for _ in range(150)]
    texts += [edited(rng, text) for text in texts]
    whole = NearCopies(texts)
    monkeypatch.setattr(near_duplicates, "_CHUNK", 20)
    parts = NearCopies(texts)
    assert len(whole.pairs) > 80
    assert np.array_equal(whole.pairs, parts.pairs)
    assert np.array_equal(whole.similarities, parts.similarities)


def test_many_posts_from_one_template_are_compared_with_the_first_ones():
    """A test post that hundreds of posts copy is found by each of them."""
    texts = ["the same long words of one advert stand in every post of this shop number", *(
        f"the same long words of one advert stand in every post of this shop number {i}"
        for i in range(1000)
    )]  # fmt: skip
    near = {second for first, second in NearCopies(texts).pairs.tolist() if first == 0}
    assert near == set(range(1, 1001))


# -- what leaves
# -------------------------------------------------------------------------------------

OTHER = "nobody told me that these new pills make your hands shake"
POSTS = {
    "train": [
        ("a", TEN, 0),
        ("b", f"RT @x: {TEN}", 0),
        ("c", TEN.replace("boots", "shoes"), 1),
        ("d", OTHER.replace("pills", "tablets"), 1),
        ("e", OTHER.replace("pills", "drops"), 1),
        ("f", "something else of which there is only a single one", 1),
        ("g", "so tired of rain", 0),
        ("h", "So tired of rain!", 0),
        ("i", TEN.upper(), 0),  # an exact duplicate
    ],
    "dev": [("j", OTHER.upper(), 1)],
    "test": [("k", OTHER.replace("hands", "legs"), 1)],
    "unlabeled": [("l", TEN, None), ("m", "it rains and nobody here owns…", None)],
}


def exact(rows):
    splits = {
        split: pd.DataFrame(rows.get(split, []), columns=["post_id", "text", "label"]).astype(
            {"label": "Int64"}
        )
        for split in dict.fromkeys([*SPLITS, *rows])
    }
    return splits, duplicate_groups(splits)


def audited(rows):
    splits, groups = exact(rows)
    dropped = posts_to_drop(splits, groups)
    copies = NearCopies.among(splits)
    return near_copies_to_drop(splits, dropped, copies), joined_groups(groups, copies)


def test_near_copies_leave_train_and_unlabeled():
    near, _ = audited(POSTS)
    assert near.values.tolist() == [
        ["b", "train", "near-duplicate", "a", 1.0],
        ["c", "train", "near-duplicate, other label", "a", pytest.approx(9 / 11)],
        ["d", "train", "near-copy of a post in dev", "j", pytest.approx(10 / 12)],
        ["e", "train", "near-copy of a post in dev", "j", pytest.approx(10 / 12)],
        ["m", "unlabeled", "near-duplicate", "l", 1.0],
    ]


def test_no_post_of_a_template_stays_beside_one_in_test():
    template = "the same long words of one advert stand in every post of this shop number"
    near, _ = audited(
        {
            "train": [(f"t{i}", f"{template} {i}", 0) for i in range(300)],
            "test": [("x", f"{template} x", 0)],
        }
    )
    assert set(near["reason"]) == {"near-copy of a post in test"} and len(near) == 300


def test_a_post_leaves_only_for_one_that_stays():
    """Of a chain, the second leaves, so that the third, which copies only the second, stays."""
    second = TEN.replace("boots", "shoes")
    third = second.replace("mud", "snow")
    near, groups = audited({"train": [("a", TEN, 0), ("b", second, 0), ("c", third, 0)]})
    assert near[["post_id", "partner"]].values.tolist() == [["b", "a"]]
    assert groups["group"].nunique() == 1


def test_the_most_similar_partner_is_named():
    near, _ = audited(
        {"train": [("a", TEN, 0)], "test": [("x", f"{TEN} now again", 0), ("y", f"{TEN} now", 0)]}
    )
    assert near["partner"].to_list() == ["y"]


def test_groups_are_joined_by_near_copies_and_bear_the_smallest_name():
    _, groups = audited(POSTS)
    together = groups.groupby("group")["post_id"].apply("".join)
    assert sorted(together) == ["abcilm", "dejk", "f", "g", "h"]
    reordered = {split: POSTS[split][::-1] for split in POSTS}
    _, again = audited(reordered)
    names = groups.set_index("post_id")["group"]
    assert again.set_index("post_id")["group"].loc[names.index].equals(names)


def test_posts_leave_for_a_copy_in_a_split_of_another_task_after_their_own_splits():
    rows = {
        "train": [
            ("a", TEN, 0),
            ("b", OTHER.replace("pills", "drops"), 0),
            ("c", "so tired of rain", 0),
        ],
        "unlabeled": [("d", f"RT @x: {TEN}", None)],
        "dev": [("e", OTHER, 1)],
        "mud/test": [
            ("a", TEN.replace("boots", "shoes"), 1),  # an id is unique within its task only
            ("b", OTHER, 1),
            ("c", "So tired of rain!", 0),
        ],
        "mud/dev": [("f", TEN, 1), ("g", "SO TIRED  of rain", 0)],
    }
    near, groups = audited(rows)
    assert near[["post_id", "reason", "partner"]].values.tolist() == [
        ["b", "near-copy of a post in dev", "e"],
        ["d", "near-copy of a post in mud/test", "a"],
    ]
    names = groups.set_index(["split", "post_id"])["group"]
    assert names["train", "a"] == names["unlabeled", "d"] == names["mud/test", "a"]
    dropped = posts_to_drop(*exact(rows))
    assert dropped.values.tolist() == [
        ["a", "train", "also in mud/dev"],
        ["c", "train", "also in mud/dev"],
    ]


def test_no_posts_at_all():
    near, groups = audited({})
    assert near.empty and groups.empty


# -- posts that were made
# -------------------------------------------------------------------------------------

MADE = [
    ("a~n~0", TEN.replace("boots", "shoes")),
    ("a~n~1", OTHER),
    ("b~n~0", "so tired of RAIN"),
    ("b~n~1", "so tired of my rain"),
    ("c~n~0", f"{TEN} now"),
]
SCORED = {
    "test": [("k", "so tired of rain", 0), ("l", TEN.replace("mud", "snow"), 0)],
    "dev": [("m", TEN, 0)],
    "mud/test": [("k", f"RT @x: {OTHER[:40]}…", 1)],
}
COPIED = [
    ["a~n~1", "near-copy of a post in mud/test", "k", 1.0],
    ["b~n~0", "also in test", "k", 1.0],
    ["c~n~0", "near-copy of a post in dev", "m", pytest.approx(10 / 11)],
]


def made_copies():
    made = pd.DataFrame(MADE, columns=["post_id", "text"])
    splits, _ = exact(SCORED)
    return made, copied_posts(made, {name: splits[name] for name in SCORED})


def test_made_posts_that_copy_a_scored_one():
    first = ["a~n~0", "near-copy of a post in dev", "m", pytest.approx(9 / 11)]
    assert made_copies()[1].values.tolist() == [first, *COPIED]


def test_made_posts_are_no_copies_of_nothing():
    made, _ = made_copies()
    assert copied_posts(made, {}).empty
    assert copied_posts(made.head(0), exact(SCORED)[0]).empty


@pytest.mark.parametrize("policy, gone", [("drop", 4), ("report", 1)])
def test_copies_are_left_out_or_stay_and_are_counted(policy, gone):
    posts, flow = leave_out_copies(*made_copies(), policy, "n")
    assert posts["post_id"].to_list() == (
        ["b~n~1"] if gone == 4 else ["a~n~0", "a~n~1", "b~n~1", "c~n~0"]
    )
    assert (flow["made"], flow["left_out"], flow["stay"]) == (5, gone, 4 - gone)
    assert flow["copies"] == {
        "also in test": 1,
        "near-copy of a post in dev": 2,
        "near-copy of a post in mud/test": 1,
    }
    assert flow["least"] == {
        "post_id": "a~n~0",
        "partner": "m",
        "similarity": pytest.approx(9 / 11),
    }


def test_near_copies_of_scored_posts_stop_a_node():
    with pytest.raises(ValueError, match="node n: 3 of 5 new posts nearly copy a post on which"):
        leave_out_copies(*made_copies(), "stop", "n")
    made, copies = made_copies()
    posts, flow = leave_out_copies(made, copies[copies["similarity"] < 0], "stop", "n")
    assert len(posts) == 5 and flow["least"] is None
