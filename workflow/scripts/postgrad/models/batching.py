"""Batches of posts of similar length, seeded, and the same after a resume."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike


class Batches:
    """Lists of positions of posts, one list for each batch, in a new order in each epoch.

    Give either `size` or `tokens`. Posts of similar length share a batch, so that little padding is
    computed. The number of batches is the same in every epoch, and the order depends on
    (seed, epoch) only, so that a resume is exact.

    Parameters
    ----------
    lengths
        (n,) tokens of each post.
    seed
        Seed of the order.
    size
        Posts of a batch.
    tokens
        Most tokens of a batch, padding included: its posts times its longest post. A post that is
        longer than this has a batch of its own.
    """

    def __init__(
        self, lengths: ArrayLike, seed: int, size: int | None = None, tokens: int | None = None
    ) -> None:
        self.lengths, self.seed, self.epoch = np.asarray(lengths), seed, 0
        self.size, self.tokens = size, tokens
        self.count = len(self.cut(np.arange(len(self.lengths))))

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch, counted from 0, whose order the next iteration has."""
        self.epoch = epoch

    def __len__(self) -> int:
        """Return the number of batches of an epoch."""
        return self.count

    def __iter__(self) -> Iterator[list[int]]:
        """Yield the batches of the epoch that was set last."""
        random = np.random.default_rng([self.seed, self.epoch])
        groups = self.cut(random.permutation(len(self.lengths)))
        yield from (groups[i].tolist() for i in random.permutation(len(groups)))

    def cut(self, order: np.ndarray) -> list[np.ndarray]:
        """Return the positions in `order` cut into batches; posts of equal length keep the order.

        Raise `ValueError` if neither `size` nor `tokens` was given.
        """
        if self.tokens:
            return token_budget_batches(self.lengths, self.tokens, order)
        if self.size is None:
            raise ValueError(
                "batches are cut by a number of posts or of tokens: give size or tokens"
            )
        # Posts are sorted within pools of at most 50 batches, and there are at least four pools: a
        # batch has similar lengths, and posts are still mixed.
        pool = self.size * max(1, min(50, len(order) // (4 * self.size)))
        pools = [order[i : i + pool] for i in range(0, len(order), pool)]
        order = np.concatenate(
            [part[np.argsort(-self.lengths[part], kind="stable")] for part in pools]
        )
        return [order[i : i + self.size] for i in range(0, len(order), self.size)]


def token_budget_batches(
    lengths: ArrayLike, tokens: int, order: np.ndarray | None = None
) -> list[np.ndarray]:
    """Return batches of at most `tokens` tokens, padding included, longest posts first.

    Parameters
    ----------
    lengths
        (n,) tokens of each post.
    tokens
        Most posts times longest post of a batch. A batch has at least one post.
    order
        (n,) positions; posts of equal length keep this order. Default: 0 to n - 1.

    Returns
    -------
    list of ndarray
        The positions of the posts in each batch.

    Examples
    --------
    >>> [batch.tolist() for batch in token_budget_batches([2, 9, 3, 1], 9)]
    [[1], [2, 0, 3]]
    """
    lengths = np.asarray(lengths)
    order = np.arange(len(lengths)) if order is None else order
    order = order[np.argsort(-lengths[order], kind="stable")]
    groups, start = [], 0
    while start < len(order):
        size = max(1, tokens // max(1, int(lengths[order[start]])))
        groups.append(order[start : start + size])
        start += size
    return groups


def shard_batches(
    batches: Sequence[np.ndarray], part: slice
) -> tuple[Sequence[np.ndarray], np.ndarray]:
    """Return the batches of one shard.

    Parameters
    ----------
    batches
        The positions of the posts in each batch.
    part
        The slice of `batches` that is the shard.

    Returns
    -------
    batches : sequence of ndarray
        The batches of the shard.
    positions : ndarray
        Their positions in ascending order, int64.
    """
    own = batches[part]
    return own, np.sort(np.concatenate([np.empty(0, dtype=np.int64), *own]))
