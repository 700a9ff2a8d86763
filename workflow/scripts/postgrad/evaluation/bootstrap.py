"""Draw posts with replacement, and score every draw, for all seeds of one or more systems at once.

Each metric of a confusion matrix is the mean of ratios of sums over posts. Posts that add the same
to all of these sums have the same pattern. The counts of the patterns in a draw have a multinomial
distribution, so that a draw needs one number for each pattern, and none for each post. This is the
exact bootstrap over posts [1]_, not an approximation.

A score by rank (AUC, average precision) has no such patterns. Its posts are sorted once, and each
draw is a vector of weights.

If several posts are of one known author, or nearly equal, whole groups of posts are drawn.

References
----------
.. [1] Davison and Hinkley 1997, Bootstrap Methods and their Application, chapters 2 to 4.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from postgrad.evaluation.metrics import average_precision, roc_auc

DRAWS = 10_000
RANK_DRAWS = 2_000  # a draw of a score by rank costs as much as all posts
P_DRAWS = 2_000  # the smallest possible p-value is 1 / 2001
COMMON = 16  # from so many posts on, one binomial draw is faster than a draw of each post
BLOCK = 2**16  # about so many numbers are held at a time: they stay in the cache of a core
RANKED = ("auc", "average_precision")


@dataclass(frozen=True)
class GoldPosts:
    """The n gold posts of a dataset."""

    gold: np.ndarray  # (n,) class codes
    groups: np.ndarray  # (n,) integers; posts of equal numbers are drawn together
    classes: int
    positive: list[int]  # codes of the positive classes


@dataclass(frozen=True)
class SeedPredictions:
    """The predictions of S seeds of a system on n posts."""

    labels: np.ndarray  # (S, n) class codes; ABSTAIN for a post without an answer
    probs: np.ndarray | None  # (S, n, K) probabilities, which only scores by rank need


def joined_seeds(before: SeedPredictions, after: SeedPredictions) -> SeedPredictions:
    """Return the seeds of one system followed by those of another, on the same posts."""
    has_probs = before.probs is not None and after.probs is not None
    return SeedPredictions(
        np.concatenate([before.labels, after.labels]),
        np.concatenate([before.probs, after.probs]) if has_probs else None,
    )


def seed_scores(posts: GoldPosts, predictions: SeedPredictions, metric: str) -> np.ndarray:
    """Return the (S,) scores of the seeds on all posts, with NaN if the score does not exist.

    Examples
    --------
    >>> posts = GoldPosts(np.array([0, 1, 1, 1]), np.arange(4), classes=2, positive=[1])
    >>> labels = np.array([[0, 1, 1, 0], [1, 1, 1, 1]])
    >>> seed_scores(posts, SeedPredictions(labels, None), "f1").round(3).tolist()
    [0.8, 0.857]
    """
    if metric not in RANKED:
        above, below = ratio_parts(posts, predictions.labels, metric)
        return mean_ratios(above.sum(axis=-1), below.sum(axis=-1))
    if predictions.probs is None:
        return np.full(len(predictions.labels), np.nan)
    score = roc_auc if metric == "auc" else average_precision
    chosen = posts.positive[0] if len(posts.positive) == 1 else 1
    values = [score(posts.gold, probs, chosen) for probs in predictions.probs]
    return np.array([np.nan if value is None else value for value in values])


def bootstrap_scores(
    posts: GoldPosts, predictions: SeedPredictions, metric: str, seed: int, draws: int | None = None
) -> np.ndarray:
    """Return the scores of all seeds on draws of posts, with NaN where a score does not exist.

    All seeds are scored on the same draws, so that the scores of a row are paired.

    Parameters
    ----------
    posts
        The gold posts.
    predictions
        The predictions of S seeds, which may belong to several systems (`joined_seeds`).
    metric
        One of `evaluation.metrics.OFFICIAL`, or average_precision.
    seed
        Seed of the draws.
    draws
        Number of draws. Default: `DRAWS`, or `RANK_DRAWS` for a score by rank.

    Returns
    -------
    ndarray of shape (draws, S)
    """
    rng = np.random.default_rng(seed)
    if metric in RANKED:
        return _ranked_draws(posts, predictions, metric, rng, draws or RANK_DRAWS)
    above, below = ratio_parts(posts, predictions.labels, metric)
    shape = above.shape[:-1]
    patterns, sizes = pattern_sums(
        np.concatenate([above.reshape(-1, len(posts.gold)), below.reshape(-1, len(posts.gold))]),
        posts.groups,
    )
    found = [
        mean_ratios(*np.moveaxis((counts @ patterns).reshape(-1, 2, *shape), 1, 0))
        for counts in draw_counts(sizes, draws or DRAWS, rng)
    ]
    return np.concatenate(found)


def bootstrap_p_value(
    posts: GoldPosts,
    before: SeedPredictions,
    after: SeedPredictions,
    metric: str,
    seed: int,
    draws: int = P_DRAWS,
) -> float:
    """Return the one-sided p-value of a paired bootstrap for a gain of the mean over seeds.

    The null hypothesis is that `after` is not higher than `before`. The p-value is (1 + draws in
    which `after` is not higher) / (1 + draws) [1]_. A draw in which one of the scores does not
    exist counts as one without a gain.

    Parameters
    ----------
    posts
        The gold posts.
    before, after
        The predictions of the two systems, with equal numbers of seeds.
    metric, seed, draws
        As in `bootstrap_scores`.

    References
    ----------
    .. [1] Davison and Hinkley 1997, Bootstrap Methods and their Application, chapter 4.

    Examples
    --------
    >>> posts = GoldPosts(np.ones(4, dtype=int), np.arange(4), classes=2, positive=[1])
    >>> none, all = (SeedPredictions(np.full((1, 4), code), None) for code in (0, 1))
    >>> bootstrap_p_value(posts, none, all, "f1", seed=1, draws=99)
    0.01
    >>> bootstrap_p_value(posts, all, none, "f1", seed=1, draws=99)
    1.0
    """
    scores = bootstrap_scores(posts, joined_seeds(before, after), metric, seed, draws)
    seeds = len(before.labels)
    gained = int((scores[:, seeds:].mean(axis=1) > scores[:, :seeds].mean(axis=1)).sum())
    return (1 + draws - gained) / (1 + draws)


def ratio_parts(posts: GoldPosts, labels: np.ndarray, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """Return what each post adds to the numerators and denominators of a metric.

    The metric is the mean of R ratios. accuracy: right answers over posts. f1 and micro_f1: twice
    the hits over predicted and gold posts of the positive classes, pooled; micro_f1 without
    positive classes takes all classes. macro_f1: one such ratio for each class. The rules for
    abstentions are those of `evaluation.metrics`.

    Parameters
    ----------
    posts
        The gold posts.
    labels
        (S, n) predicted labels.
    metric
        accuracy, f1, micro_f1 or macro_f1.

    Returns
    -------
    numerators, denominators : ndarray of shape (S, R, n)
        If f1 does not exist, because there is no positive class, the denominators are NaN.
    """
    gold: np.ndarray = posts.gold[None, None]
    labels = labels[:, None]
    if metric == "accuracy":
        return (labels == gold).astype(float), np.ones(labels.shape)
    if metric == "macro_f1":
        members = np.arange(posts.classes)[None, :, None]
        is_gold, is_claimed = gold == members, labels == members
        hits = is_gold & is_claimed
    elif metric in ("f1", "micro_f1"):
        counted = posts.positive
        if metric == "micro_f1" and not counted:
            counted = list(range(posts.classes))
        is_gold, is_claimed = np.isin(gold, counted), np.isin(labels, counted)
        hits = is_gold & (gold == labels)
    else:
        raise ValueError(f"metric {metric!r} is not one of a confusion matrix.")
    below = is_gold.astype(float) + is_claimed
    if metric == "f1" and not posts.positive:
        below[:] = np.nan
    return 2.0 * hits, below


def mean_ratios(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Return the mean over the last axis of above / below, where a ratio of 0 to 0 is 0.

    Examples
    --------
    >>> mean_ratios(np.array([1.0, 0.0]), np.array([2.0, 0.0]))
    array(0.25)
    """
    ratios = np.zeros(above.shape)
    np.divide(above, below, out=ratios, where=below != 0)
    return np.asarray(ratios.mean(axis=-1))


def pattern_sums(parts: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the different sums that groups of posts add, and how many groups add each.

    Parameters
    ----------
    parts
        (F, n) numbers that the posts add to F sums.
    groups
        (n,) integers; posts of equal numbers form a group.

    Returns
    -------
    patterns : ndarray of shape (P, F)
    sizes : ndarray of shape (P,)
        How many groups have the pattern, the most frequent first.

    Examples
    --------
    >>> patterns, sizes = pattern_sums(np.array([[1.0, 1, 0, 1]]), np.array([7, 8, 9, 9]))
    >>> patterns.tolist(), sizes.tolist()
    ([[1.0]], [3])
    """
    members, group = np.unique(groups, return_inverse=True)
    if len(members) < len(groups):
        parts = np.stack([np.bincount(group, part, len(members)) for part in parts])
    code = np.zeros(len(members), dtype=np.int64)
    largest = 1
    for part in parts:
        values = np.nan_to_num(part).astype(np.int64)
        values -= values.min(initial=0)
        radix = int(values.max(initial=0)) + 1
        if largest * radix >= 2**62:
            kept, code = np.unique(code, return_inverse=True)
            largest = len(kept)
        code = code * radix + values
        largest *= radix
    _, first, sizes = np.unique(code, return_index=True, return_counts=True)
    order = np.argsort(-sizes, kind="stable")
    return parts[:, first[order]].T, sizes[order]


def draw_counts(sizes: np.ndarray, draws: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield draws of groups with replacement, as counts of their patterns, in blocks of draws.

    The counts of common patterns are drawn as a multinomial in which all rare patterns are one
    cell. The groups of this cell are then drawn one by one, since a binomial draw for each of many
    rare patterns takes longer.

    Parameters
    ----------
    sizes
        (P,) numbers of groups of each pattern.
    draws
        Number of draws.
    rng
        Generator of random numbers.

    Yields
    ------
    ndarray of shape (block, P)
        Each row adds up to the number of groups.
    """
    total = int(sizes.sum())
    common, rare = np.flatnonzero(sizes >= COMMON), np.flatnonzero(sizes < COMMON)
    owner = np.repeat(np.arange(len(rare)), sizes[rare])
    cells = np.append(sizes[common], len(owner)) / max(total, 1)
    block = max(8, BLOCK // max(len(sizes), len(owner), 1))
    for start in range(0, draws, block):
        rows = min(block, draws - start)
        counts = np.zeros((rows, len(sizes)))
        drawn = rng.multinomial(total, cells, size=rows) if total else np.zeros((rows, 1), int)
        counts[:, common] = drawn[:, :-1]
        if len(owner):
            left = drawn[:, -1]
            picked = owner[rng.integers(len(owner), size=int(left.sum()))]
            picked += np.repeat(np.arange(rows) * len(rare), left)
            counts[:, rare] = np.bincount(picked, minlength=rows * len(rare)).reshape(rows, -1)
        yield counts


@dataclass(frozen=True)
class RankedPosts:
    """The posts of one class against the rest, sorted from the highest score to the lowest."""

    groups: np.ndarray  # (n,) the group of each post, as the column of its weight
    members: np.ndarray  # positions, in this order, of the posts of the class
    starts: np.ndarray  # for each of them, how many posts have a higher score
    ends: np.ndarray  # and how many have a higher or an equal one


def rank_posts(is_member: np.ndarray, scores: np.ndarray, groups: np.ndarray) -> RankedPosts:
    """Return posts sorted by their scores, with the ends of runs of equal scores.

    Parameters
    ----------
    is_member
        (n,) whether a post belongs to the class.
    scores
        (n,) scores for the class.
    groups
        (n,) numbers of the groups, from 0.
    """
    order = np.argsort(-scores, kind="stable")
    falling = -scores[order]
    members = np.flatnonzero(is_member[order])
    return RankedPosts(
        groups[order],
        members,
        np.searchsorted(falling, falling[members], side="left"),
        np.searchsorted(falling, falling[members], side="right"),
    )


def weighted_rank_scores(ranked: RankedPosts, weights: np.ndarray, metric: str) -> np.ndarray:
    """Return the AUC or average precision of draws, with NaN where it does not exist.

    A post of the class counts in the AUC with the share of other posts that have a lower score, and
    half of those that have an equal one. In the average precision it counts with the precision
    among the posts whose score is not lower.

    Parameters
    ----------
    ranked
        The n posts.
    weights
        (draws, G) numbers of times that each group of posts is drawn.
    metric
        auc or average_precision.
    """
    others = weights.T[ranked.groups]  # a row a post: rows are gathered and added up fast
    own = others[ranked.members]
    others[ranked.members] = 0
    above = np.zeros((len(others) + 1, len(weights)))
    np.cumsum(others, axis=0, out=above[1:])
    support, total = own.sum(axis=0), above[-1]
    if metric == "auc":
        share = total - (above[ranked.starts] + above[ranked.ends]) / 2
        possible = support * total
    else:
        # The members among the first `ends` posts.
        reached = np.searchsorted(ranked.members, ranked.ends, side="left")
        gathered = np.cumsum(own, axis=0)[reached - 1]
        claimed = gathered + above[ranked.ends]
        share = np.divide(gathered, claimed, out=np.zeros(claimed.shape), where=claimed > 0)
        possible = support
    exists = (support > 0) & (total > 0)
    hits = np.einsum("ij,ij->j", own, share)
    return np.divide(hits, possible, out=np.full(len(weights), np.nan), where=exists)


def _ranked_draws(
    posts: GoldPosts,
    predictions: SeedPredictions,
    metric: str,
    rng: np.random.Generator,
    draws: int,
) -> np.ndarray:
    """Return `bootstrap_scores` of a score by rank."""
    if predictions.probs is None:
        return np.full((draws, len(predictions.labels)), np.nan)
    chosen = list(range(posts.classes))
    if posts.classes == 2:
        chosen = posts.positive if len(posts.positive) == 1 else [1]
    members, group = np.unique(posts.groups, return_inverse=True)
    ranked = [
        [rank_posts(posts.gold == code, probs[:, code], group) for code in chosen]
        for probs in predictions.probs
    ]
    found = []
    for weights in draw_counts(np.ones(len(members), dtype=int), draws, rng):
        scores = [
            np.mean([weighted_rank_scores(one, weights, metric) for one in of_seed], axis=0)
            for of_seed in ranked
        ]
        found.append(np.stack(scores, axis=1))
    return np.concatenate(found)
