"""Intervals, p-values and needed sizes, by hand and beside scipy; hard cases one by one."""

import dataclasses
import math

import numpy as np
import pytest
from scipy import stats

from postgrad.evaluation.bootstrap import GoldPosts, SeedPredictions, bootstrap_scores
from postgrad.evaluation.estimates import (
    DifferenceEstimate,
    differing_groups,
    estimate_difference,
    estimate_score,
    holm,
    mcnemar_p,
    mean_uncertainty,
    needed_posts,
    needed_seeds,
)
from postgrad.evaluation.metrics import OFFICIAL
from postgrad.records.predictions import softmax

METRICS = [*OFFICIAL, "average_precision"]


def made_pair(gain=0.0, posts=400, seeds=3, seeds_sd=0.0, classes=2, seed=1, groups=None):
    """Posts and two systems; the second is better by `gain`, and seeds differ by `seeds_sd`."""
    rng = np.random.default_rng(seed)
    gold = rng.integers(classes, size=posts)
    difficulty = rng.normal(size=(posts, classes))

    def system(skill):
        skills = skill + seeds_sd * rng.normal(size=(seeds, 1, 1))
        noise = 0.6 * rng.normal(size=(seeds, posts, classes))
        logits = skills * np.eye(classes)[gold] + difficulty + noise
        return SeedPredictions(
            logits.argmax(axis=-1), softmax(logits.reshape(-1, classes)).reshape(logits.shape)
        )

    groups = np.arange(posts) if groups is None else groups
    return GoldPosts(gold, groups, classes, [1]), system(1.5), system(1.5 + gain)


def labels_only(*rows):
    return SeedPredictions(np.array(rows), None)


# -- one system ------------------------------------------------------------------------------------


def test_the_interval_of_one_seed_is_the_percentile_interval():
    posts, system, _ = made_pair(posts=3000, seeds=1)
    found = estimate_score(posts, system, "macro_f1", seed=1)
    drawn = bootstrap_scores(posts, system, "macro_f1", seed=1)
    assert [found.low, found.high] == pytest.approx(np.percentile(drawn, [2.5, 97.5]), abs=1e-4)
    assert found.seeds_sd is None and found.seeds == 1 and found.posts == 3000
    assert found.standard_error == found.posts_sd == pytest.approx(drawn.std(), rel=0.001)
    assert found.degrees_of_freedom == 2999


def test_seeds_that_differ_widen_an_interval():
    narrow, wide = (estimate_score(*made_pair(seeds_sd=sd)[:2], "f1", seed=1) for sd in (0.0, 1.0))
    assert wide.seeds_sd > 3 * narrow.seeds_sd
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)
    assert wide.degrees_of_freedom < 10 < narrow.degrees_of_freedom


def test_the_mean_is_that_of_the_seeds_and_the_interval_holds_it():
    for metric in METRICS:
        posts, system, _ = made_pair(classes=3, posts=90)
        found = estimate_score(posts, system, metric, seed=1, draws=300)
        assert 0 <= found.low < found.mean < found.high <= 1


def test_twins_in_groups_add_no_certainty():
    alone = made_pair(posts=200, seeds=1)
    gold = np.repeat(alone[0].gold, 2)
    twins = SeedPredictions(np.repeat(alone[1].labels, 2, axis=1), None)
    apart, together = (
        estimate_score(GoldPosts(gold, groups, 2, [1]), twins, "f1", seed=1)
        for groups in (np.arange(400), np.repeat(np.arange(200), 2))
    )
    one = estimate_score(*alone[:2], "f1", seed=1)
    assert together.posts_sd == pytest.approx(one.posts_sd, rel=0.03)
    assert apart.posts_sd == pytest.approx(one.posts_sd / math.sqrt(2), rel=0.03)


@pytest.mark.parametrize("is_right", [True, False])
def test_answers_that_are_all_alike_have_an_interval_from_the_number_of_posts(is_right):
    gold = np.array([1, 1, 0, 1, 0])
    posts = GoldPosts(gold, np.arange(5), 2, [1])
    found = estimate_score(posts, labels_only(gold if is_right else 1 - gold), "accuracy", seed=1)
    unseen = 1 - 0.05 ** (1 / 5)  # this rate of errors has a chance of 5 % to show none in 5 posts
    assert [found.low, found.high] == pytest.approx([1 - unseen, 1] if is_right else [0, unseen])


def test_a_score_that_does_not_exist_has_no_estimate():
    posts, before, after = made_pair()
    one_class = GoldPosts(np.ones(400, int), posts.groups, 2, [1])
    nothing = GoldPosts(np.array([], int), np.array([], int), 2, [1])
    empty = SeedPredictions(np.zeros((3, 0), int), np.zeros((3, 0, 2)))
    for args in [(one_class, before, after, "auc"), (nothing, empty, empty, "f1")]:
        assert estimate_difference(*args, 0.01, 1) is None
        assert estimate_score(args[0], args[1], args[3], 1) is None
    without = GoldPosts(posts.gold, posts.groups, 2, [])
    assert estimate_score(without, before, "f1", 1) is None
    assert estimate_difference(without, before, after, "f1", 0.01, 1) is None


def test_draws_without_a_class_are_left_out():
    """With one post of the class, a third of all draws have none."""
    gold = np.array([1, 0, 0, 0, 0, 0])
    probs = np.array([0.6, 0.7, 0.2, 0.3, 0.4, 0.1])
    system = SeedPredictions(
        (probs > 0.5).astype(int)[None], np.stack([1 - probs, probs], -1)[None]
    )
    posts = GoldPosts(gold, np.arange(6), 2, [1])
    found = estimate_score(posts, system, "auc", seed=1)
    assert found.mean == 0.8 and 0 <= found.low < 0.8 < found.high <= 1


# -- variance components ---------------------------------------------------------------------------


def test_the_standard_error_by_hand():
    """Draws of posts move all seeds together, so that no chance is counted twice."""
    scores = np.array([0.1, 0.2, 0.6])
    together = np.outer([-0.1, 0.1], [1, 1, 1])
    found = mean_uncertainty(scores, together, groups=101)
    posts, seeds = 0.01 * 1.01, 0.07 / 3
    assert found.posts_sd**2 == pytest.approx(posts) and found.seeds_sd**2 == pytest.approx(0.07)
    assert found.standard_error**2 == pytest.approx(posts + seeds)
    satterthwaite = (posts + seeds) ** 2 / (posts**2 / 100 + seeds**2 / 2)
    assert found.degrees_of_freedom == pytest.approx(satterthwaite)


def test_the_chance_of_single_seeds_on_single_posts_is_counted_once():
    """Independent draws of each seed: the posts' part holds all of the variance over seeds."""
    rng = np.random.default_rng(1)
    drawn = 0.1 * rng.normal(size=(200_000, 4))
    scores = 0.1 * np.array([-1.2, -0.4, 0.4, 1.2]) / 1.0328  # a standard deviation of 0.1
    found = mean_uncertainty(scores, drawn, groups=10**6)
    assert found.seeds_sd == pytest.approx(0.1, rel=0.01)
    assert found.standard_error == pytest.approx(0.1 / 2, rel=0.01)


# -- differences -----------------------------------------------------------------------------------


def test_interval_p_value_and_probabilities_are_those_of_one_t_distribution():
    posts, before, after = made_pair(gain=0.1)
    found = estimate_difference(posts, before, after, "f1", margin=0.01, seed=1)
    t = stats.t(found.degrees_of_freedom, found.difference, found.standard_error)
    assert [found.low, found.high] == pytest.approx(t.interval(0.95))
    assert found.gain_probability == pytest.approx(t.sf(0))
    assert found.near_zero_probability == pytest.approx(t.cdf(0.01) - t.cdf(-0.01))
    assert found.p == pytest.approx(2 * min(t.cdf(0), t.sf(0)))
    assert (found.p < 0.05) == (found.low > 0 or found.high < 0)


@pytest.mark.parametrize("metric", METRICS)
def test_systems_that_change_places_change_the_sign(metric):
    """To the Monte-Carlo error of the standard error."""
    posts, before, after = made_pair(gain=0.3, posts=150)
    there = estimate_difference(posts, before, after, metric, 0.01, seed=1)
    back = estimate_difference(posts, after, before, metric, 0.01, seed=1)
    assert there.difference == -back.difference
    assert there.standard_error == pytest.approx(back.standard_error, rel=0.05)
    assert [there.low, there.high] == pytest.approx([-back.high, -back.low], abs=0.003)
    assert there.gain_probability == pytest.approx(1 - back.gain_probability, abs=0.01)


def test_gain_harm_and_no_difference():
    gain, harm, neither = (
        estimate_difference(*made_pair(gain=g, posts=2000), "f1", 0.01, seed=1)
        for g in (0.5, -0.5, 0.0)
    )
    assert gain.p < 0.001 and gain.low > 0 and gain.gain_probability > 0.999
    assert harm.p < 0.001 and harm.high < 0 and harm.gain_probability < 0.001
    assert neither.p > 0.05 and neither.low < 0 < neither.high
    assert neither.near_zero_probability > gain.near_zero_probability


def test_pairing_is_by_position():
    """Seeds that are better in both systems say nothing about the difference."""
    posts, before, _ = made_pair(seeds=4, seeds_sd=1.0)
    worse = before.labels.copy()
    worse[:, :8] = 1 - posts.gold[:8]
    after = SeedPredictions(worse, None)
    crossed = SeedPredictions(worse[::-1], None)
    paired = estimate_difference(posts, before, after, "accuracy", 0.01, 1)
    unpaired = estimate_difference(posts, before, crossed, "accuracy", 0.01, 1)
    assert paired.difference == pytest.approx(unpaired.difference)
    assert paired.seeds_sd < unpaired.seeds_sd / 3
    with pytest.raises(ValueError, match="3 and 4 seeds"):
        estimate_difference(
            posts, SeedPredictions(before.labels[:3], None), after, "accuracy", 0.01, 1
        )


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("seeds", [1, 3])
def test_equal_systems_differ_by_nothing(metric, seeds):
    posts, before, _ = made_pair(posts=40, seeds=seeds)
    found = estimate_difference(posts, before, before, metric, 0.01, seed=1, draws=200)
    assert (found.difference, found.low, found.high, found.standard_error) == (0, 0, 0, 0)
    assert (found.p, found.gain_probability, found.near_zero_probability) == (1, 0.5, 1)
    assert needed_posts(found) is None and needed_seeds(found) is None
    assert found.mcnemar_p == (1 if seeds == 1 else None)


@pytest.mark.parametrize("posts, smallest", [(1, 1), (3, 1 / 4), (5, 1 / 16)])
def test_a_handful_of_posts_proves_nothing_even_if_all_change_for_the_better(posts, smallest):
    gold = np.ones(posts, int)
    args = (GoldPosts(gold, np.arange(posts), 2, [1]), labels_only(1 - gold), labels_only(gold))
    found = estimate_difference(*args, "accuracy", 0.01, seed=1)
    assert found.difference == 1 and found.p == pytest.approx(smallest)
    assert found.low < 0 < found.high == 1
    assert found.mcnemar_p == pytest.approx(smallest)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("posts", [1, 2, 3, 4])
@pytest.mark.parametrize("seeds", [1, 2])
def test_a_handful_of_posts_gives_numbers_that_are_numbers(metric, posts, seeds):
    for seed in range(4):
        args = made_pair(gain=1.0, posts=posts, seeds=seeds, seed=seed)
        score = estimate_score(*args[:2], metric, seed=1, draws=50)
        found = estimate_difference(*args, metric, 0.01, seed=1, draws=50)
        assert (score is None) == (found is None)
        if found is None:
            assert metric in ("auc", "average_precision") and len(np.unique(args[0].gold)) < 2
            continue
        assert 0 <= score.low <= score.mean <= score.high <= 1
        assert -1 <= found.low <= found.difference <= found.high <= 1
        assert found.p >= 0.125
        for value in (*dataclasses.astuple(found), *dataclasses.astuple(score)):
            assert value is None or math.isfinite(value)


def test_groups_of_posts_that_differ_are_counted():
    posts = GoldPosts(np.ones(5, int), np.array([1, 1, 2, 3, 4]), 2, [1])
    before, after = labels_only([1] * 5, [1] * 5), labels_only([0, 0, 1, 1, 1], [1, 1, 1, 1, 0])
    assert differing_groups(posts, before, after, "f1") == 2
    probs = np.full((1, 5, 2), 0.5)
    soft, softer = (SeedPredictions(np.ones((1, 5), int), p) for p in (probs, probs + 0.1))
    assert differing_groups(posts, soft, softer, "f1") == 0
    assert differing_groups(posts, soft, softer, "auc") == 4


def test_mcnemars_test_is_the_exact_binomial_test_of_scipy():
    rng = np.random.default_rng(1)
    for posts in (1, 5, 40, 300):
        gold, before, after = rng.integers(2, size=(3, posts))
        gained = int(((after == gold) & (before != gold)).sum())
        changed = int((after != before).sum())
        expected = stats.binomtest(gained, changed).pvalue if changed else 1.0
        assert mcnemar_p(gold, before, after) == pytest.approx(expected)


# -- needed sizes ----------------------------------------------------------------------------------


def made_estimate(difference, posts_sd, seeds_sd=None, seeds=1, posts=1000):
    """An estimate with these parts; fields that the needed sizes do not read are 0."""
    error = math.sqrt(posts_sd**2 + (seeds_sd or 0.0) ** 2 / seeds)
    zeros = dict.fromkeys((f.name for f in dataclasses.fields(DifferenceEstimate)), 0.0)
    known = {"difference": difference, "posts_sd": posts_sd, "seeds_sd": seeds_sd}
    return DifferenceEstimate(
        **{**zeros, **known, "standard_error": error, "seeds": seeds, "posts": posts}
    )


def test_needed_posts_by_hand():
    """1.96 + 0.84 = 2.80 standard errors: (2.80 * .01 / .01)^2 = 7.85 times the posts."""
    assert needed_posts(made_estimate(0.01, 0.01)) == pytest.approx(7850, rel=0.02)
    assert needed_posts(made_estimate(-0.01, 0.01)) == needed_posts(made_estimate(0.01, 0.01))
    assert needed_posts(made_estimate(0.01, 0.01), power=0.5) == pytest.approx(3842, rel=0.03)
    assert needed_posts(made_estimate(0.01, 0.01), alpha=0.01) > 11_000
    assert needed_posts(made_estimate(0.5, 0.01)) == 1000  # those of today are enough
    assert needed_posts(made_estimate(1e-9, 0.01)) is None


def test_more_posts_do_not_help_where_seeds_differ_too_much():
    assert needed_posts(made_estimate(0.01, 0.01, seeds_sd=0.02, seeds=3)) is None
    assert needed_posts(made_estimate(0.01, 0.01, seeds_sd=0.002, seeds=3)) is not None


def test_needed_seeds():
    assert needed_seeds(made_estimate(0.01, 0.01)) is None  # one seed does not tell
    assert needed_seeds(made_estimate(0.01, 0.01, seeds_sd=0.001, seeds=3)) is None  # the posts do
    found = needed_seeds(made_estimate(0.01, 0.0001, seeds_sd=0.02, seeds=3))
    # By the noncentral t distribution of a test of one mean.
    power = [stats.nct.sf(stats.t.isf(0.025, s - 1), s - 1, 0.5 * math.sqrt(s)) for s in (33, 34)]
    assert power[0] < 0.8 < power[1] and found in (33, 34, 35)


# -- several comparisons ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "p_values, corrected",
    [
        ([], []),
        ([0.02], [0.02]),
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),
        ([0.5, 0.6, 0.001], [1, 1, 0.003]),
        ([0.02, 0.02], [0.04, 0.04]),
    ],
)
def test_holms_correction_by_hand(p_values, corrected):
    assert holm(p_values) == pytest.approx(corrected)
