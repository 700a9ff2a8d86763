"""Simulate how often intervals hold the truth, how often a test errs, and how long draws take.

PYTHONPATH=workflow/scripts python bench/coverage.py
PYTHONPATH=workflow/scripts python bench/coverage.py --sets 500 --only scores
PYTHONPATH=workflow/scripts python bench/coverage.py --only speed

A simulated system answers yes where `skill` (for a post whose gold label is yes, otherwise
-`caution`), the difficulty of the post, the taste of the system for the post, and the chance of the
seed with the post add up to more than 0. The last three have normal distributions whose variances
add up to 1. Each seed of each system has its own skill, which is added to both constants. The true
score is that of infinitely many posts and seeds, by numerical integration.

Three kinds of intervals are compared for differences: `components` is `mean_uncertainty` of the
library; `sum` adds the variance over draws of posts and that over seeds without taking out what is
in both; `multi` is the percentile interval of the multi-bootstrap, which draws seeds as well as
posts with replacement.
"""

import argparse
import time
from collections.abc import Callable, Iterator

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr, stdtrit

from postgrad.evaluation.bootstrap import (
    GoldPosts,
    SeedPredictions,
    bootstrap_scores,
    joined_seeds,
    seed_scores,
)
from postgrad.evaluation.estimates import estimate_difference, estimate_score, mean_uncertainty

POSTS = 2_000
POSITIVE = 0.3
SKILL, CAUTION = 0.8, 1.3
DIFFICULTY, TASTE, CHANCE = 0.6, 0.5, 0.6245  # standard deviations
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(41)
CLASSES = np.array([0.63, 0.22, 0.09, 0.06])
# Rows: gold class; the probabilities of the predicted classes.
CONFUSION = np.array(
    [
        [0.85, 0.10, 0.03, 0.02],
        [0.35, 0.50, 0.10, 0.05],
        [0.30, 0.25, 0.35, 0.10],
        [0.25, 0.20, 0.15, 0.40],
    ]
)
Interval = tuple[float, float]


def true_f1(skill: float, seeds_sd: float) -> float:
    """Return the F1 of a system on infinitely many posts, as the mean of infinitely many seeds."""
    skills = skill + seeds_sd * NODES
    hits = POSITIVE * ndtr(SKILL + skills)
    alarms = (1 - POSITIVE) * ndtr(-CAUTION - skills)
    return float(np.average(2 * hits / (POSITIVE + hits + alarms), weights=WEIGHTS))


def simulate_systems(
    rng: np.random.Generator, skills: list[float], seeds: int, seeds_sd: float, posts: int = POSTS
) -> tuple[GoldPosts, list[SeedPredictions]]:
    """Return gold posts, and the predictions of a system for each skill."""
    gold = (rng.random(posts) < POSITIVE).astype(int)
    start = np.where(gold, SKILL, -CAUTION) + DIFFICULTY * rng.standard_normal(posts)
    sign = 2 * gold - 1
    systems = []
    for skill in skills:
        own = skill + seeds_sd * rng.standard_normal((seeds, 1))
        taste = TASTE * rng.standard_normal(posts)
        chance = CHANCE * rng.standard_normal((seeds, posts))
        systems.append(SeedPredictions((start + sign * own + taste + chance > 0).astype(int), None))
    return GoldPosts(gold, np.arange(posts), 2, [1]), systems


def posts_variance(seeds: int, sets: int) -> float:
    """Return the variance over sets of posts of a mean difference, if seeds are equally good."""
    rng = np.random.default_rng(1)
    differences = []
    for _ in range(sets):
        posts, systems = simulate_systems(rng, [0, 0], seeds, 0)
        before, after = (seed_scores(posts, system, "f1").mean() for system in systems)
        differences.append(after - before)
    return float(np.var(differences))


def seeds_sd_of_skill(variance: float) -> float:
    """Return the standard deviation of the skill that gives the difference of F1 a variance."""
    step = 1e-4
    slope = (true_f1(step, 0) - true_f1(-step, 0)) / (2 * step)
    return float(np.sqrt(variance / 2) / slope)  # two systems, whose variances add up


def difference_intervals(
    posts: GoldPosts, systems: list[SeedPredictions], draws: int, seed: int
) -> dict[str, Interval]:
    """Return the interval of the mean difference of F1 by each method."""
    both, seeds = joined_seeds(*systems), len(systems[0].labels)
    scores, drawn = seed_scores(posts, both, "f1"), bootstrap_scores(posts, both, "f1", seed, draws)
    scores, drawn = scores[seeds:] - scores[:seeds], drawn[:, seeds:] - drawn[:, :seeds]
    mean, found = scores.mean(), mean_uncertainty(scores, drawn, len(posts.gold))
    half = stdtrit(found.degrees_of_freedom, 0.975) * found.standard_error
    intervals = {"components": (mean - half, mean + half)}
    if seeds > 1:
        parts = np.array([drawn.mean(axis=1).var(ddof=1), scores.var(ddof=1) / seeds])
        df = parts.sum() ** 2 / (parts**2 / [len(posts.gold) - 1, seeds - 1]).sum()
        half = stdtrit(df, 0.975) * np.sqrt(parts.sum())
        intervals["sum"] = (mean - half, mean + half)
        picked = np.random.default_rng(seed).integers(seeds, size=drawn.shape)
        low, high = np.quantile(np.take_along_axis(drawn, picked, 1).mean(axis=1), [0.025, 0.975])
        intervals["multi"] = (low, high)
    return intervals


def coverage_of_differences(
    seeds: int, seeds_sd: float, gain: float, sets: int, draws: int
) -> dict[str, tuple[float, float]]:
    """Return, for each method, how often the interval holds the truth, and how often it excludes 0.

    Parameters
    ----------
    seeds
        Pairs of seeds.
    seeds_sd
        Standard deviation of the skill over seeds.
    gain
        True difference of F1.
    sets
        Simulated sets of posts.
    draws
        Draws of posts for each.
    """
    base = true_f1(0, seeds_sd)
    skill = brentq(lambda skill: true_f1(skill, seeds_sd) - base - gain, -1, 1) if gain else 0.0
    rng, held, excluded = np.random.default_rng([seeds, int(1e6 * gain)]), {}, {}
    for number in range(sets):
        posts, systems = simulate_systems(rng, [0, skill], seeds, seeds_sd)
        for name, (low, high) in difference_intervals(posts, systems, draws, number).items():
            held[name] = held.get(name, 0) + (low <= gain <= high)
            excluded[name] = excluded.get(name, 0) + (low > 0 or high < 0)
    return {name: (held[name] / sets, excluded[name] / sets) for name in held}


def coverage_of_scores(
    make: Callable[[np.random.Generator], tuple[GoldPosts, SeedPredictions]],
    metric: str,
    truth: float,
    sets: int,
    draws: int,
) -> tuple[float, float, float]:
    """Return how often the interval holds the truth, lies below it, and lies above it."""
    rng, below, above = np.random.default_rng(1), 0, 0
    for number in range(sets):
        found = estimate_score(*make(rng), metric, number, draws)
        assert found is not None
        below, above = below + (found.high < truth), above + (found.low > truth)
    return 1 - (below + above) / sets, below / sets, above / sets


def simulate_four_classes(rng: np.random.Generator) -> tuple[GoldPosts, SeedPredictions]:
    """Return 600 posts of four classes, and the predictions of a system."""
    gold = rng.choice(4, size=600, p=CLASSES)
    predicted = (rng.random((600, 1)) > CONFUSION.cumsum(axis=1)[gold]).sum(axis=1)
    return GoldPosts(gold, np.arange(600), 4, []), SeedPredictions(predicted[None], None)


def score_rows(sets: int, draws: int, variance: float) -> Iterator[str]:
    """Yield the table of the intervals of one system."""
    claimed, seeds_sd = CLASSES @ CONFUSION, seeds_sd_of_skill(variance)
    macro = float(np.mean(2 * CLASSES * CONFUSION.diagonal() / (CLASSES + claimed)))

    def binary(seeds: int, sd: float) -> Callable[[np.random.Generator], tuple]:
        def make(rng: np.random.Generator) -> tuple[GoldPosts, SeedPredictions]:
            posts, systems = simulate_systems(rng, [0], seeds, sd)
            return posts, systems[0]

        return make

    yield "one system                               truth  coverage  below  above"
    for name, make, metric, truth in (
        ("F1, 2,000 posts, 30 % positive", binary(1, 0), "f1", true_f1(0, 0)),
        ("macro-F1, 600 posts, 63/22/9/6 %", simulate_four_classes, "macro_f1", macro),
        ("F1, 3 seeds as uncertain as the posts", binary(3, seeds_sd), "f1", true_f1(0, seeds_sd)),
        ("F1, 5 seeds as uncertain as the posts", binary(5, seeds_sd), "f1", true_f1(0, seeds_sd)),
    ):
        held, below, above = coverage_of_scores(make, metric, truth, sets, draws)
        yield f"{name:40} {truth:.4f}  {held:7.1%}  {below:5.1%}  {above:5.1%}"


def difference_rows(sets: int, draws: int, variance: float) -> Iterator[str]:
    """Yield the table of coverage without a true difference, whose rest is the size of the test."""
    yield "no difference: coverage        seeds  components    sum  multi"
    rows = [("one seed as the posts", seeds, variance) for seeds in (3, 5, 10)]
    for seeds in (3, 5, 10):
        rows.append(("mean of seeds as the posts", seeds, seeds * posts_variance(seeds, sets)))
    rows += [("one seed ten times the posts", seeds, 10 * variance) for seeds in (3, 5)]
    rows += [("seeds are equally good", seeds, 0.0) for seeds in (1, 3, 5, 10)]
    for name, seeds, of_seeds in rows:
        sd = seeds_sd_of_skill(of_seeds)
        found = coverage_of_differences(seeds, sd, 0.0, sets, draws)
        cells = (f"{found[m][0]:.1%}" if m in found else "" for m in ("components", "sum", "multi"))
        yield "{:30} {:5}  {:>10}  {:>5}  {:>5}".format(name, seeds, *cells)


def power_rows(sets: int, draws: int, variance: float) -> Iterator[str]:
    """Yield the table of power and coverage under true gains."""
    yield "gain   seeds  power: components    sum  multi   coverage: components    sum  multi"
    sd = seeds_sd_of_skill(variance)
    for gain in (0.01, 0.02, 0.03):
        for seeds in (3, 5, 10):
            found = coverage_of_differences(seeds, sd, gain, sets, draws)
            held, power = (
                [f"{found[m][i]:.1%}" for m in ("components", "sum", "multi")] for i in (0, 1)
            )
            yield (
                f"{gain:.2f}   {seeds:5}  {power[0]:>17}  {power[1]:>5}  {power[2]:>5}"
                f"   {held[0]:>20}  {held[1]:>5}  {held[2]:>5}"
            )


def speed_rows() -> Iterator[str]:
    """Yield the best of nine times of the CPU, of 10,000 draws on 2,000 posts."""
    rng = np.random.default_rng(1)
    posts, (one,) = simulate_systems(rng, [0], 1, 0)
    three_posts, three = simulate_systems(rng, [0, 0.05], 3, 0.05)
    jobs = {
        "binary F1, one seed": lambda: estimate_score(posts, one, "f1", 1),
        "paired F1, three seeds": lambda: estimate_difference(three_posts, *three, "f1", 0.01, 1),
    }
    for name, job in jobs.items():
        times = []
        for _ in range(9):
            start = time.process_time()
            job()
            times.append(time.process_time() - start)
        yield f"{name:24} {1000 * min(times):6.1f} ms"


def main() -> None:
    """Print the tables that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=4000, help="simulated sets of posts")
    parser.add_argument("--draws", type=int, default=200, help="draws of posts for each set")
    tables = ("scores", "differences", "power", "speed")
    parser.add_argument("--only", choices=tables, nargs="*", default=tables)
    args = parser.parse_args()
    variance = posts_variance(1, args.sets)
    print(f"F1 {true_f1(0, 0):.3f}; the posts' sd of a pair of seeds is {variance**0.5:.4f}")
    makers = {
        "scores": lambda: score_rows(args.sets, 1000, variance),
        "differences": lambda: difference_rows(args.sets, args.draws, variance),
        "power": lambda: power_rows(args.sets // 4, args.draws, variance),
        "speed": speed_rows,
    }
    for name in args.only:
        start = time.process_time()
        for row in makers[name]():
            print(row, flush=True)
        print(f"({name}: {time.process_time() - start:.0f} s of the CPU)\n", flush=True)


if __name__ == "__main__":
    main()
