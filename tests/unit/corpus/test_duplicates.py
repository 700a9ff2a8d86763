"""Which texts nearly copy another one."""

import random

import pytest

from postgrad.corpus.duplicates import NearCopyIndex

# -- near-copies
# -------------------------------------------------------------------------------------


@pytest.mark.parametrize("text, place", [
    ("it rains and I have no boots for this street today", "train"),
    # with a link: 11 of 12
    ("It RAINS and I have no boots, for this street... today! https://t.co/x", "train"),
    ("it rains and I have no shoes for this street today", "train"),  # 10 of 12 words
    ("today this street for boots no have I and rains it", "train"),
    ("it rains and we have no shoes for this street today", None),  # 9 of 13
    ("it rains", None),
    ("I am 26", None),
    ("i am 25!", "dev"),
    ("🙂", "dev"),
    ("🙃", None),
])  # fmt: skip
def test_a_near_copy_shares_four_fifths_of_the_words(text, place):
    known = NearCopyIndex(
        {"train": ["it rains and I have no boots for this street today"], "dev": ["I am 25", "🙂"]}
    )
    assert known.place(text) == place


@pytest.mark.parametrize("seed", range(5))
def test_near_copies_are_those_that_every_pair_tells(seed):
    """The oracle compares every pair; the sizes of the sets only spare comparisons."""
    rng = random.Random(seed)
    texts = [" ".join(rng.choices("abcdefgh", k=rng.randint(1, 9))) for _ in range(60)]
    known = NearCopyIndex({"train": texts[:40]})
    sets = [set(text.split()) for text in texts]
    for i in range(40, 60):
        near = any(len(sets[i] & other) / len(sets[i] | other) >= 0.8 for other in sets[:40])
        assert (known.place(texts[i]) == "train") is near
