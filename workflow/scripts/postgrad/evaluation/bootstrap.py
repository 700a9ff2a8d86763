"""Chance in a difference of scores: bootstraps over posts."""

from collections.abc import Callable

import numpy as np

Score = Callable[[np.ndarray], float | None]
DRAWS = 2000  # of posts with replacement; the smallest p is 1 / 2001


def no_gain(posts: int, before: Score, after: Score, seed: int, draws: int = DRAWS) -> float:
    """The one-sided p-value of a paired bootstrap: how likely the gain of a score over n posts is
    none.

    before, after: functions of rows (n,), drawn with replacement, to the score of these posts, or
    None where it does not exist. (1 + draws in which after is not higher than before) / (1 +
    draws): see Davison & Hinkley 1997, 4.
    """
    rng, none = np.random.default_rng(seed), 0
    for _ in range(draws):
        rows = rng.integers(posts, size=posts)
        old, new = before(rows), after(rows)
        none += old is None or new is None or new <= old
    return (1 + none) / (1 + draws)
