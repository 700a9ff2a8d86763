"""Tests of batches: every post is in one batch, in an order of the seed and the epoch."""

import numpy as np

from postgrad.models.batching import Batches, token_budget_batches


def test_batches_contain_every_post_once_and_depend_on_seed_and_epoch():
    lengths = [3, 9, 4, 4, 8, 2, 4, 4, 3, 30]
    for batches in (Batches(lengths, 1, size=3), Batches(lengths, 1, tokens=18)):
        first = list(batches)
        assert sorted(i for group in first for i in group) == list(range(10)) and len(first) == len(
            batches
        )
        assert list(batches) == first
        batches.set_epoch(1)
        assert list(batches) != first and len(list(batches)) == len(batches)
    sizes = [len(group) for group in Batches(lengths, 1, size=3).cut(np.arange(10))]
    assert sizes == [3, 3, 3, 1]
    groups = token_budget_batches(lengths, 18)
    assert all(len(group) * max(lengths[i] for i in group) <= 18 for group in groups[1:])
    assert groups[0].tolist() == [9], "a post longer than the budget has a batch of its own"
