"""Folds: even in size and class, whole groups, the same in any order of the posts."""

import numpy as np
import pandas as pd
import pytest

from postgrad.corpus.folds import assign_folds, group_numbers, is_linked, post_links

NAMES = np.array(["defect", "possible", "no"])


def ids(n):
    return [f"p{i:05}" for i in range(n)]


def drawn(rng):
    """(labels, groups, k, seed) at random.

    Groups of 1 to 6 posts, every class in at least k of them.
    """
    k = int(rng.integers(2, 7))
    sizes = rng.integers(1, 7, size=int(rng.integers(3 * k, 12 * k)))
    groups = np.repeat(np.arange(len(sizes)), sizes)
    labels = rng.choice(3, p=rng.dirichlet([1, 1, 1]), size=len(groups))
    starts = np.cumsum(sizes) - sizes
    labels[starts[: 3 * k]] = np.repeat(np.arange(3), k)  # k groups of each class at least
    order = rng.permutation(len(groups))
    return labels[order], groups[order], k, int(rng.integers(2**32))


def test_no_group_stands_in_two_folds_and_every_post_in_one():
    rng = np.random.default_rng(1)
    for _ in range(1000):
        labels, groups, k, seed = drawn(rng)
        found = assign_folds(ids(len(labels)), labels, groups, k, seed)
        assert found.shape == labels.shape and set(found) == set(range(1, k + 1))
        assert (pd.Series(found).groupby(groups).nunique() == 1).all()


@pytest.mark.parametrize("k", [2, 5])
def test_separate_posts_are_shared_out_to_the_post(k):
    labels = NAMES[np.random.default_rng(2).choice(3, p=[0.05, 0.15, 0.8], size=1000)]
    found = assign_folds(ids(1000), labels, np.arange(1000), k, seed=42)
    for name in NAMES:
        sizes = np.bincount(found[labels == name], minlength=k + 1)[1:]
        assert sizes.max() - sizes.min() <= 1
    sizes = np.bincount(found)[1:]
    assert (
        sizes.max() - sizes.min() <= 2
    )  # a whole class each time: the folds that got less get the next


def test_groups_leave_sizes_and_class_shares_near_even():
    """Groups of up to 20 posts and a class of 5 %.

    Sizes within 2 %, each class's posts within 12 % of a fifth.
    """
    rng = np.random.default_rng(3)
    sizes = np.concatenate([np.full(10, 20), rng.integers(1, 5, size=800)])
    groups = np.repeat(np.arange(len(sizes)), sizes)
    labels = rng.choice(3, p=[0.05, 0.15, 0.8], size=len(groups))
    for seed in range(20):
        found = assign_folds(ids(len(labels)), labels, groups, 5, seed)
        assert np.abs(np.bincount(found)[1:] / len(labels) * 5 - 1).max() < 0.02
        for label in range(3):
            held = np.bincount(found[labels == label], minlength=6)[1:]
            assert np.abs(held / held.mean() - 1).max() < 0.12


def test_the_order_of_the_posts_and_the_names_of_groups_change_nothing():
    labels, groups, k, seed = drawn(np.random.default_rng(4))
    found = pd.Series(
        assign_folds(ids(len(labels)), labels, groups, k, seed), index=ids(len(labels))
    )
    order = np.random.default_rng(5).permutation(len(labels))
    again = assign_folds(
        np.array(ids(len(labels)))[order], labels[order], 1000 - groups[order], k, seed
    )
    assert (found.iloc[order].to_numpy() == again).all()


def test_the_seed_decides():
    n = 200
    one, same, other = (
        assign_folds(ids(n), np.zeros(n), np.arange(n), 5, seed) for seed in (42, 42, 24)
    )
    assert (one == same).all() and (one != other).any()


def test_too_many_folds_are_refused_in_a_sentence():
    with pytest.raises(
        ValueError,
        match="5 folds need 5 separate posts of class 'defect', and its 4 posts stand in 4",
    ):
        assign_folds(ids(20), np.repeat(["defect", "no"], [4, 16]), np.arange(20), 5, 1)
    with pytest.raises(
        ValueError, match="class 'defect', and its 6 posts stand in 2 groups .*; choose fewer folds"
    ):
        assign_folds(
            ids(20), np.repeat(["defect", "no"], [6, 14]), [0, 0, 0, 1, 1, 1, *range(2, 16)], 5, 1
        )
    with pytest.raises(ValueError, match="5 folds need 5"):
        assign_folds(ids(4), np.zeros(4), np.arange(4), 5, 1)
    with pytest.raises(ValueError, match="0 posts cannot be shared out to 5 folds"):
        assign_folds([], [], [], 5, 1)


def test_copies_siblings_and_posts_of_one_author_belong_together():
    """a and b are copies, b and c of one author, c and d derive from a post that is not there.

    E shares nothing.
    """
    posts = pd.DataFrame({"post_id": list("abcde"), "parent": [None, None, "x", "x", None],
                          "author": [None, "k", "k", None, "m"]})  # fmt: skip
    groups = pd.DataFrame({"post_id": list("edcba"), "group": list("54311")})
    found = group_numbers(post_links(posts, groups))
    assert len(set(found[:4])) == 1 and found[4] != found[0]
    parent = posts.assign(
        parent=[None, None, None, "c", None], author=None
    )  # a post beside what derives from it
    assert (
        group_numbers(post_links(parent, groups))[2] == group_numbers(post_links(parent, groups))[3]
    )


def test_what_is_tied_to_a_held_out_post_is_found():
    posts = pd.DataFrame({"post_id": list("abcde"), "parent": [None, None, None, "a", None],
                          "author": ["k", "k", None, None, "m"]})  # fmt: skip
    groups = pd.DataFrame({"post_id": list("abcde"), "group": list("12345")})
    held = np.array([True, False, False, False, False])
    assert is_linked(post_links(posts, groups), held).tolist() == [True, True, False, True, False]


def test_posts_without_a_group_are_refused():
    posts = pd.DataFrame({"post_id": ["a", "b"], "parent": None, "author": None})
    with pytest.raises(ValueError, match="1 of 2 posts have no group; audit"):
        post_links(posts, pd.DataFrame({"post_id": ["a"], "group": ["1"]}))
