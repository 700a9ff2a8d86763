"""The hashes of the plain words of many texts tell what the words of each text tell."""

import random
from collections import Counter

import numpy as np
import pytest

from postgrad.corpus.text_forms import normalize_text
from postgrad.corpus.word_hashes import HEAD, hash_texts, plain_words, sort_words

# Links, mentions, retweets, cut ends, white space, letters and punctuation of all kinds; words of
# less and more than 8 and 64 bytes.
PARTS = (
    *("https://a.b", "www.x.y/http://z", "HTTP://Q ", "www.", "wwwhttp://a", "http", "_http_"),
    *("@bob", "a@user", "@@user", "u/x", "xu/y", "rt @user :", "RT  @Bob: ", "foo-http-bar"),
    *("…", "...", "ht…", "t…", "I'm", "1,000", "—", "😡", "\u200d", "\ud800", "\x00", "\x01"),
    *("\n", "\x1c", "\u00a0", "\u2003", "ſ", "İ", "ß", "é", "٣", "中文", "\xff", "a", "hello"),
    *("eightlet", "ninelette", "é" * 32, "é" * 33, "b" * 100),
)


def made_up(rng):
    return "".join(
        rng.choice(PARTS) + rng.choice(("", " ", " ")) for _ in range(rng.randint(0, 15))
    )


@pytest.mark.parametrize("seed", range(3))
def test_hashes_agree_with_the_words_of_each_text(seed):
    rng = random.Random(seed)
    texts = [made_up(rng) for _ in range(2000)]
    hashed = hash_texts(texts)
    said = [plain_words(text) for text in texts]
    words = [words for words, _ in said]
    assert hashed.cut.tolist() == [cut for _, cut in said]
    assert np.diff(hashed.starts).tolist() == [len(own) for own in words]
    assert hashed.different.tolist() == [len(set(own)) for own in words]
    for hashes, keys in (
        (hashed.orders.tolist(), [tuple(own) for own in words]),
        (hashed.heads.tolist(), [tuple(own[:HEAD]) for own in words]),
    ):
        assert len(set(zip(hashes, keys))) == len(set(hashes)) == len(set(keys)) > 500
    for i in range(0, 2000, 2):
        one, other = (
            set(hashed.words[hashed.starts[j] : hashed.starts[j + 1]].tolist()) for j in (i, i + 1)
        )
        assert len(one) == len(words[i])
        assert len(one & other) == (Counter(words[i]) & Counter(words[i + 1])).total()


def test_no_texts():
    assert hash_texts([]).starts.tolist() == [0]
    assert hash_texts(["", "..."]).starts.tolist() == [0, 0, 0]


def test_words_are_sorted_within_each_text():
    high = np.array([9, 3, 3, 5, 2, 3], np.uint64) << np.uint64(16)
    words, repeated = sort_words(high, np.array([0, 3, 3, 6]))
    assert (words >> np.uint64(16)).tolist() == [3, 3, 9, 2, 3, 5] and repeated.tolist() == [1]


@pytest.mark.parametrize("text", ["see www.http://a now", "see http://www.a now", "HTTPſ://a.b"])
def test_a_link_in_a_link_is_one_link(text):
    assert [word for word in normalize_text(text).split() if word not in ("see", "now")] == ["http"]
    assert set(normalize_text(text, "").split()) <= {"see", "now"}
