"""Estimate scores and differences of scores with intervals that cover posts and seeds.

docs/statistics.md explains the methods and holds the table of their simulated coverage.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from postgrad.evaluation.bootstrap import (
    RANKED,
    GoldPosts,
    SeedPredictions,
    bootstrap_scores,
    joined_seeds,
    seed_scores,
)

TAIL = 0.025  # on either side of an interval of 95 %
LARGEST_GROWTH = 1000  # more posts than so many times those of the estimate are not named
LARGEST_SEEDS = 1000


@dataclass(frozen=True)
class ScoreEstimate:
    """The mean score of a system over its seeds, with an interval of 95 %."""

    mean: float
    low: float
    high: float
    standard_error: float
    degrees_of_freedom: float
    posts_sd: float  # standard deviation of the mean over draws of posts
    seeds_sd: float | None  # standard deviation of the score over seeds; None for one seed
    seeds: int
    posts: int


@dataclass(frozen=True)
class DifferenceEstimate:
    """The mean difference of two systems over paired seeds, with an interval of 95 %."""

    difference: float  # after - before
    low: float
    high: float
    standard_error: float
    degrees_of_freedom: float
    posts_sd: float  # standard deviation of the mean difference over draws of posts
    seeds_sd: float | None  # standard deviation of the difference over seeds; None for one pair
    seeds: int
    posts: int
    p: float  # two-sided, for the hypothesis of no difference
    gain_probability: float  # that the true difference is above 0
    near_zero_probability: float  # that it lies within the margin around 0
    mcnemar_p: float | None  # None for several seeds


@dataclass(frozen=True)
class Uncertainty:
    """The standard error of a mean over seeds, with its parts as in `ScoreEstimate`."""

    standard_error: float
    degrees_of_freedom: float
    posts_sd: float
    seeds_sd: float | None


def estimate_score(
    posts: GoldPosts,
    predictions: SeedPredictions,
    metric: str,
    seed: int,
    draws: int | None = None,
) -> ScoreEstimate | None:
    """Return the mean score over seeds with its interval, or None if the score does not exist.

    The interval is the percentile interval over draws of posts, whose two arms are lengthened by
    one factor: the half-width of the t interval of `mean_uncertainty` over that of a normal
    interval for the draws alone. With one seed and many posts the factor is 1. If no draw has
    another score, because all answers are right or all are wrong, each arm is 1 - .05^(1/G) for G
    groups of posts, the rate of errors that would have gone unseen with a probability of 5 %.

    Parameters
    ----------
    posts
        The gold posts.
    predictions
        The predictions of S seeds.
    metric
        One of `evaluation.metrics.OFFICIAL`, or average_precision.
    seed, draws
        Seed and number of the draws, as in `bootstrap_scores`.
    """
    from scipy.special import ndtri, stdtrit  # half a second: only for those who estimate

    scores, groups = seed_scores(posts, predictions, metric), len(np.unique(posts.groups))
    if not groups or np.isnan(scores).any():
        return None
    drawn = _existing(bootstrap_scores(posts, predictions, metric, seed, draws))
    mean, found = float(scores.mean()), mean_uncertainty(scores, drawn, groups)
    half_width = stdtrit(found.degrees_of_freedom, 1 - TAIL) * found.standard_error
    means = drawn.mean(axis=1)
    spread = float(means.std()) if len(means) else 0.0
    if spread > 0:
        factor = half_width / (ndtri(1 - TAIL) * spread)
        arms = (mean - np.quantile(means, [TAIL, 1 - TAIL])) * factor
    else:
        arm = max(half_width, 1 - (2 * TAIL) ** (1 / groups))
        arms = np.array([arm, -arm])
    low, high = np.clip(mean - arms, 0, 1)
    return ScoreEstimate(
        mean=mean,
        low=float(low),
        high=float(high),
        standard_error=found.standard_error,
        degrees_of_freedom=found.degrees_of_freedom,
        posts_sd=found.posts_sd,
        seeds_sd=found.seeds_sd,
        seeds=len(scores),
        posts=len(posts.gold),
    )


def estimate_difference(
    posts: GoldPosts,
    before: SeedPredictions,
    after: SeedPredictions,
    metric: str,
    margin: float,
    seed: int,
    draws: int | None = None,
) -> DifferenceEstimate | None:
    """Return the mean difference over paired seeds, or None if the score does not exist.

    The interval, the p-value and the probabilities are those of a t distribution around the
    difference, with the standard error and the degrees of freedom of `mean_uncertainty`. The
    probabilities are posterior ones under a flat prior.

    If the two systems differ on m groups of posts, no test that exchanges them within groups can
    have a p-value below 2^(1 - m). Neither can this one, and the standard error is at least the
    one that gives this p-value. This matters only for a handful of posts, where draws of posts
    say little.

    Parameters
    ----------
    posts
        The gold posts.
    before, after
        Predictions of two systems. Row s of both is the same seed.
    metric
        One of `evaluation.metrics.OFFICIAL`, or average_precision.
    margin
        The largest difference that counts as practically zero.
    seed, draws
        Seed and number of the draws, as in `bootstrap_scores`.

    Raises
    ------
    ValueError
        If the two systems have different numbers of seeds.
    """
    from scipy.special import stdtr, stdtrit

    seeds, groups = len(before.labels), len(np.unique(posts.groups))
    if seeds != len(after.labels):
        raise ValueError(
            f"{seeds} and {len(after.labels)} seeds cannot be paired; pass pairs of seeds."
        )
    both = joined_seeds(before, after)
    scores = seed_scores(posts, both, metric)
    if not groups or np.isnan(scores).any():
        return None
    drawn = _existing(bootstrap_scores(posts, both, metric, seed, draws))
    differences = scores[seeds:] - scores[:seeds]
    found = mean_uncertainty(differences, drawn[:, seeds:] - drawn[:, :seeds], groups)
    mean, df = float(differences.mean()), found.degrees_of_freedom
    unequal = differing_groups(posts, before, after, metric)
    smallest_p = min(1.0, 2.0 ** (1 - min(unequal, 1000)))
    error = found.standard_error
    if mean:
        reach = -float(stdtrit(df, smallest_p / 2))
        error = min(1.0, max(error, abs(mean) / reach if reach > 0 else 1.0))
    half_width = float(stdtrit(df, 1 - TAIL)) * error
    if error:
        p = max(smallest_p, 2 * float(stdtr(df, -abs(mean) / error)))
        gain = float(stdtr(df, mean / error))
        near_zero = float(stdtr(df, (margin - mean) / error) - stdtr(df, (-margin - mean) / error))
    else:  # the systems are equal
        p, gain, near_zero = 1.0, 0.5, 1.0
    return DifferenceEstimate(
        difference=mean,
        low=max(-1.0, mean - half_width),
        high=min(1.0, mean + half_width),
        standard_error=error,
        degrees_of_freedom=df,
        posts_sd=found.posts_sd,
        seeds_sd=found.seeds_sd,
        seeds=seeds,
        posts=len(posts.gold),
        p=p,
        gain_probability=gain,
        near_zero_probability=near_zero,
        mcnemar_p=mcnemar_p(posts.gold, before.labels[0], after.labels[0]) if seeds == 1 else None,
    )


def _existing(drawn: np.ndarray) -> np.ndarray:
    """Return the draws in which all scores exist."""
    return drawn[~np.isnan(drawn).any(axis=1)]


def mean_uncertainty(scores: np.ndarray, drawn: np.ndarray, groups: int) -> Uncertainty:
    """Return the standard error of a mean over seeds, from variance components.

    The squared standard error is the variance of the mean over draws of posts plus 1 / S times the
    variance over seeds. The chance by which single seeds do well on single posts is in both parts.
    How large it is follows from the draws: the variance of a single seed over draws, averaged over
    seeds, minus that of the mean, times S / (S - 1). It is subtracted from the variance over seeds,
    whose rest is at least 0. The degrees of freedom are those of Satterthwaite [1]_, with G - 1 for
    the posts and S - 1 for the seeds.

    Parameters
    ----------
    scores
        (S,) scores of the seeds, or their differences.
    drawn
        (draws, S) the same on draws of posts.
    groups
        Number G of groups of posts.

    References
    ----------
    .. [1] Satterthwaite 1946, An approximate distribution of estimates of variance components.
    """
    seeds, correction = len(scores), groups / max(groups - 1, 1)
    posts_df = float(max(groups - 1, 1))
    posts_part = float(drawn.mean(axis=1).var()) * correction if len(drawn) else 0.0
    if seeds == 1:
        return Uncertainty(posts_part**0.5, posts_df, posts_part**0.5, None)
    seeds_variance = float(scores.var(ddof=1))
    single = float(drawn.var(axis=0).mean()) * correction if len(drawn) else 0.0
    chance = max(0.0, single - posts_part) * seeds / (seeds - 1)
    total = posts_part + max(0.0, seeds_variance - chance) / seeds
    uncertain = posts_part**2 / posts_df + (seeds_variance / seeds) ** 2 / (seeds - 1)
    df = total**2 / uncertain if total else posts_df
    return Uncertainty(total**0.5, max(df, 1.0), posts_part**0.5, seeds_variance**0.5)


def differing_groups(
    posts: GoldPosts, before: SeedPredictions, after: SeedPredictions, metric: str
) -> int:
    """Return the number of groups of posts on which a pair of seeds differs.

    Two predictions differ in their labels, or for a score by rank in their probabilities.
    """
    differs = (before.labels != after.labels).any(axis=0)
    if metric in RANKED and before.probs is not None and after.probs is not None:
        differs = (before.probs != after.probs).any(axis=(0, 2))
    return len(np.unique(posts.groups[differs]))


def mcnemar_p(gold: np.ndarray, before: np.ndarray, after: np.ndarray) -> float:
    """Return the two-sided p-value of McNemar's exact test of equal accuracy.

    Each post counts by itself, also where posts form groups.

    Examples
    --------
    >>> gold = np.ones(6, dtype=int)
    >>> round(mcnemar_p(gold, np.array([0, 0, 0, 0, 0, 1]), np.array([1, 1, 1, 1, 1, 0])), 5)
    0.21875
    """
    from scipy.special import bdtr

    gained = int(((after == gold) & (before != gold)).sum())
    lost = int(((before == gold) & (after != gold)).sum())
    return min(1.0, 2 * float(bdtr(min(gained, lost), gained + lost, 0.5)))


def needed_posts(
    estimate: DifferenceEstimate, power: float = 0.8, alpha: float = 0.05
) -> int | None:
    """Return how many posts would show the estimated difference, with the same seeds.

    Parameters
    ----------
    estimate
        The difference, which is taken as the true one.
    power
        Probability that the two-sided test finds it.
    alpha
        Level of the test.

    Returns
    -------
    int or None
        At least the posts of the estimate, rounded up to two digits, since the estimate says no
        more. None if the difference is 0, or if `LARGEST_GROWTH` times as many posts do not
        suffice, since the seeds differ too much.
    """
    growth = np.geomspace(1, LARGEST_GROWTH, 1000)
    enough = _is_found(estimate, growth, np.array(estimate.seeds), power, alpha)
    if not enough.any():
        return None
    posts = int(np.ceil(estimate.posts * growth[enough.argmax()]))
    step = 10 ** max(0, len(str(posts)) - 2)
    return -(-posts // step) * step


def needed_seeds(
    estimate: DifferenceEstimate, power: float = 0.8, alpha: float = 0.05
) -> int | None:
    """Return how many seeds would show the estimated difference, on the same posts.

    The parameters are those of `needed_posts`.

    Returns
    -------
    int or None
        At least the seeds of the estimate. None if there is one pair of seeds, from which one
        cannot see how much seeds differ, if the difference is 0, or if `LARGEST_SEEDS` do not
        suffice, since the posts are too few.
    """
    if estimate.seeds_sd is None:
        return None
    seeds = np.arange(estimate.seeds, LARGEST_SEEDS + 1)
    enough = _is_found(estimate, np.array(1.0), seeds, power, alpha)
    return int(seeds[enough.argmax()]) if enough.any() else None


def _is_found(
    estimate: DifferenceEstimate,
    growth: np.ndarray,
    seeds: np.ndarray,
    power: float,
    alpha: float,
) -> np.ndarray:
    """Return whether the difference is found with `growth` times the posts, and so many seeds."""
    from scipy.special import stdtrit

    posts_part = estimate.posts_sd**2 / growth
    seeds_variance = max(0.0, estimate.standard_error**2 - estimate.posts_sd**2) * estimate.seeds
    seeds_part = seeds_variance / seeds
    df = np.full(np.broadcast(growth, seeds).shape, np.inf)
    if estimate.seeds > 1:
        ratio = (posts_part + seeds_part) / np.maximum(seeds_part, 1e-9 * posts_part + 1e-99)
        df = (seeds - 1) * ratio**2
    df = np.minimum(df, np.maximum(estimate.posts * growth - 1, 1))
    reach = stdtrit(df, 1 - alpha / 2) + stdtrit(df, power)
    return reach * np.sqrt(posts_part + seeds_part) < abs(estimate.difference)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number by Holm's step-down method [1]_.

    References
    ----------
    .. [1] Holm 1979, A simple sequentially rejective multiple test procedure.

    Examples
    --------
    >>> holm([0.04, 0.01, 0.03])
    [0.06, 0.03, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(order), 0, -1)
    corrected = np.empty(len(order))
    corrected[order] = np.minimum(1, np.maximum.accumulate(np.asarray(p_values)[order] * factors))
    return [float(p) for p in corrected]
