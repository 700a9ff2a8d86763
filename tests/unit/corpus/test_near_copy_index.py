"""Which texts nearly copy another one."""

import random
from collections import Counter

import pytest

from postgrad.corpus.near_copy_index import NearCopyIndex

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
    ("RT @maria: it rains and I have no boots for this str…", "train"),
    ("it rains and I have no boots for this street today and that is all there is", None),
    ("the sun shines on all who are there", "cross"),  # where a post is cut off
    ("the sun does not shine on all", None),
    ("the sun…", None),
])  # fmt: skip
def test_a_near_copy_shares_four_fifths_of_the_words(text, place):
    known = NearCopyIndex(
        {
            "train": ["it rains and I have no boots for this street today"],
            "dev": ["I am 25", "🙂"],
            "cross": ["the sun shines on all wh… https://t.co/x"],
        }
    )
    assert known.place(text) == place


@pytest.mark.parametrize("seed", range(5))
def test_near_copies_are_those_that_every_pair_tells(seed):
    """The oracle compares every pair; the sizes of the sets only spare comparisons."""
    rng = random.Random(seed)
    texts = [" ".join(rng.choices("abcdefgh", k=rng.randint(1, 9))) for _ in range(60)]
    known = NearCopyIndex({"train": texts[:40]})
    counts = [Counter(text.split()) for text in texts]  # a word counts as often as it occurs
    for i in range(40, 60):
        near = any(
            (counts[i] & other).total() / (counts[i] | other).total() >= 0.8
            for other in counts[:40]
        )
        assert (known.place(texts[i]) == "train") is near
