"""Which posts go together: batches of similar length, seeded, the same after a resume."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike


class Batches:
    """Lists of positions, one a batch; a fresh order for each epoch that is set.

    lengths: (n,) tokens a post. Either `size` posts a batch, or batches whose posts times longest
    post stay within `tokens`. Posts of similar length share a batch, so little padding is computed.
    The number of batches is the same in every epoch, and the order depends on (seed, epoch) alone:
    a resume is exact.
    """

    def __init__(
        self, lengths: ArrayLike, seed: int, size: int | None = None, tokens: int | None = None
    ) -> None:
        self.lengths, self.seed, self.size, self.tokens, self.epoch = (
            np.asarray(lengths),
            seed,
            size,
            tokens,
            0,
        )
        self.count = len(self.grouped(np.arange(len(self.lengths))))

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[list[int]]:
        random = np.random.default_rng([self.seed, self.epoch])
        groups = self.grouped(random.permutation(len(self.lengths)))
        yield from (groups[i].tolist() for i in random.permutation(len(groups)))

    def grouped(self, order: np.ndarray) -> list[np.ndarray]:
        """The positions in `order` cut into batches. Ties in length keep the order given."""
        if self.tokens:
            return token_budget_batches(self.lengths, self.tokens, order)
        if self.size is None:
            raise ValueError(
                "batches are cut by a number of posts or of tokens: give size or tokens"
            )
        # Sort within pools of at most 50 batches and at least four pools: similar lengths, yet
        # mixed posts.
        pool = self.size * max(1, min(50, len(order) // (4 * self.size)))
        pools = [order[i : i + pool] for i in range(0, len(order), pool)]
        order = np.concatenate(
            [part[np.argsort(-self.lengths[part], kind="stable")] for part in pools]
        )
        return [order[i : i + self.size] for i in range(0, len(order), self.size)]


def token_budget_batches(
    lengths: ArrayLike, tokens: int, order: np.ndarray | None = None
) -> list[np.ndarray]:
    """Positions sorted by length, longest first, cut so that posts x longest post <= tokens (one
    post at least).
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


def share(groups: Sequence[np.ndarray], part: slice) -> tuple[Sequence[np.ndarray], np.ndarray]:
    """(the groups of one shard, their positions in order). part: a slice of the list of groups."""
    own = groups[part]
    return own, np.sort(np.concatenate([np.empty(0, dtype=np.int64), *own]))
