"""Bootstrap tests over posts for the difference of two scores."""

from collections.abc import Callable

import numpy as np

Score = Callable[[np.ndarray], float | None]
DRAWS = 2000  # the smallest possible p-value is 1 / 2001


def bootstrap_p_value(
    posts: int, before: Score, after: Score, seed: int, draws: int = DRAWS
) -> float:
    """Return the one-sided p-value of a paired bootstrap for a gain of a score.

    The null hypothesis is that `after` is not higher than `before`. The p-value is (1 + draws in
    which `after` is not higher) / (1 + draws) [1]_. A draw in which one of the scores does not
    exist counts as one without a gain.

    Parameters
    ----------
    posts
        Number n of posts.
    before, after
        Functions from (n,) positions, drawn with replacement, to the score of these posts, or None
        if the score does not exist for them.
    seed
        Seed of the draws.
    draws
        Number of draws.

    References
    ----------
    .. [1] Davison and Hinkley 1997, Bootstrap Methods and their Application, chapter 4.

    Examples
    --------
    >>> bootstrap_p_value(4, lambda rows: 0.0, lambda rows: 1.0, seed=1, draws=99)
    0.01
    >>> bootstrap_p_value(4, lambda rows: 1.0, lambda rows: 0.0, seed=1, draws=99)
    1.0
    """
    rng, without_gain = np.random.default_rng(seed), 0
    for _ in range(draws):
        rows = rng.integers(posts, size=posts)
        old, new = before(rows), after(rows)
        without_gain += old is None or new is None or new <= old
    return (1 + without_gain) / (1 + draws)
