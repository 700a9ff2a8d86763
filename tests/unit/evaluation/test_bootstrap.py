"""The fast bootstrap beside literal versions that copy posts, and beside scikit-learn."""

import time

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, average_precision_score, f1_score, roc_auc_score

from postgrad.evaluation.bootstrap import (
    RANKED,
    GoldPosts,
    SeedPredictions,
    bootstrap_p_value,
    bootstrap_scores,
    draw_counts,
    joined_seeds,
    pattern_sums,
    seed_scores,
)
from postgrad.evaluation.metrics import OFFICIAL, average_precision, official_metric
from postgrad.records.predictions import ABSTAIN, softmax

LABELLED = [metric for metric in OFFICIAL if metric not in RANKED]


def made_posts(posts=60, classes=3, seeds=2, positive=(1, 2), groups=None, seed=1):
    """Posts and the predictions of several seeds, with abstentions and equal probabilities."""
    rng = np.random.default_rng(seed)
    gold = rng.integers(classes, size=posts)
    logits = rng.normal(size=(seeds, posts, classes)) + 1.5 * np.eye(classes)[gold]
    probs = softmax(logits.reshape(-1, classes)).reshape(logits.shape).round(1)
    labels = logits.argmax(axis=-1)
    labels[rng.random(labels.shape) < 0.1] = ABSTAIN
    groups = np.arange(posts) if groups is None else groups
    return GoldPosts(gold, groups, classes, list(positive)), SeedPredictions(labels, probs)


def literal_scores(posts, predictions, metric, draws, seed):
    """Scores of copies of whole groups of posts, drawn one group after the other."""
    rng, members = np.random.default_rng(seed), np.unique(posts.groups)
    found = np.full((draws, len(predictions.labels)), np.nan)
    for draw in range(draws):
        rows = np.concatenate(
            [np.flatnonzero(posts.groups == group) for group in rng.choice(members, len(members))]
        )
        for s, (labels, probs) in enumerate(zip(predictions.labels, predictions.probs)):
            gold, probs = posts.gold[rows], probs[rows]
            if metric == "average_precision":
                value = average_precision(gold, probs)
            else:
                value = official_metric(
                    gold, labels[rows], probs, posts.classes, posts.positive, metric
                )
            found[draw, s] = np.nan if value is None else value
    return found


# -- metrics ---------------------------------------------------------------------------------------


def test_metrics_of_200_random_tables_are_those_of_scikit_learn():
    rng = np.random.default_rng(7)
    for table in range(200):
        classes = int(rng.integers(2, 6))
        positive = sorted(rng.permutation(classes)[: rng.integers(1, classes + 1)].tolist())
        # Few posts in some tables: a class may have none, or never be predicted.
        posts, found = made_posts(int(rng.integers(1, 80)), classes, 1, positive, seed=table)
        gold, predicted, every = posts.gold, found.labels[0], list(range(classes))
        options = {"zero_division": 0, "labels": positive}
        right = {
            "accuracy": accuracy_score(gold, predicted),
            "f1": f1_score(gold, predicted, average="micro", **options),
            "macro_f1": f1_score(gold, predicted, average="macro", **{**options, "labels": every}),
        }
        right["micro_f1"] = right["f1"]
        assert right.keys() == set(LABELLED)
        for metric, value in right.items():
            assert seed_scores(posts, found, metric) == pytest.approx([value], abs=1e-12)
            alone = official_metric(gold, predicted, found.probs[0], classes, positive, metric)
            assert alone == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize("classes", [2, 4])
def test_scores_by_rank_are_those_of_scikit_learn_with_equal_probabilities(classes):
    posts, found = made_posts(200, classes, 1, [1])
    probs = found.probs[0]
    assert len(np.unique(probs)) < 20
    chosen = [1] if classes == 2 else range(classes)
    for metric, oracle in (("auc", roc_auc_score), ("average_precision", average_precision_score)):
        value = np.mean([oracle(posts.gold == code, probs[:, code]) for code in chosen])
        assert seed_scores(posts, found, metric) == pytest.approx([value], abs=1e-12)
        # Every post once is a draw too: of one group that holds all posts.
        whole = GoldPosts(posts.gold, np.zeros(200, int), classes, [1])
        drawn = bootstrap_scores(whole, found, metric, seed=1, draws=3)
        assert drawn == pytest.approx(np.full((3, 1), value), abs=1e-12)


@pytest.mark.parametrize("metric", RANKED)
def test_weighted_scores_by_rank_are_those_of_scikit_learn_on_the_same_weights(metric):
    posts, found = made_posts(40, 2, 1, [1], groups=np.arange(40) // 2)
    weights = np.concatenate(list(draw_counts(np.ones(20, int), 50, np.random.default_rng(3))))
    oracle = {"auc": roc_auc_score, "average_precision": average_precision_score}[metric]
    expected = [
        oracle(posts.gold == 1, found.probs[0][:, 1], sample_weight=row[posts.groups])
        for row in weights
    ]
    drawn = bootstrap_scores(posts, found, metric, seed=3, draws=50)
    assert drawn[:, 0] == pytest.approx(expected, abs=1e-12)


def test_a_score_that_does_not_exist_is_nan():
    posts, found = made_posts(30, 2, 2, [1])
    without = GoldPosts(np.ones(30, int), posts.groups, 2, [1])
    for metric in RANKED:
        assert np.isnan(seed_scores(without, found, metric)).all()
        assert np.isnan(bootstrap_scores(without, found, metric, 1, 5)).all()
        blind = SeedPredictions(found.labels, None)
        assert np.isnan(seed_scores(posts, blind, metric)).all()
        assert np.isnan(bootstrap_scores(posts, blind, metric, 1, 5)).all()
    no_class = GoldPosts(posts.gold, posts.groups, 2, [])
    assert np.isnan(seed_scores(no_class, found, "f1")).all()
    assert np.isnan(bootstrap_scores(no_class, found, "f1", 1, 5)).all()
    assert not np.isnan(seed_scores(no_class, found, "micro_f1")).any()


# -- draws -----------------------------------------------------------------------------------------


def test_counts_of_a_draw_have_the_moments_of_a_multinomial():
    sizes = np.array([40, 25, 3, 2, 1, 1])
    counts = np.concatenate(list(draw_counts(sizes, 40_000, np.random.default_rng(1))))
    n, shares = sizes.sum(), sizes / sizes.sum()
    assert counts.shape == (40_000, 6) and (counts.sum(axis=1) == n).all()
    variance = n * (np.diag(shares) - np.outer(shares, shares))
    error = np.sqrt(np.diag(variance) / 40_000)
    assert (np.abs(counts.mean(axis=0) - sizes) < 4.5 * error).all()
    spread = np.sqrt(np.outer(np.diag(variance), np.diag(variance)) / 40_000)
    assert (np.abs(np.cov(counts.T) - variance) < 6 * spread).all()


def test_posts_with_one_pattern_are_one_row_and_groups_are_added_up():
    parts = np.array([[0, 2, 0, 2, 2], [1, 2, 1, 2, 2.0]])
    patterns, sizes = pattern_sums(parts, np.arange(5))
    assert patterns.tolist() == [[2, 2], [0, 1]] and sizes.tolist() == [3, 2]
    patterns, sizes = pattern_sums(parts, np.array([4, 4, 8, 8, 6]))
    assert patterns.tolist() == [[2, 3], [2, 2]] and sizes.tolist() == [2, 1]


def test_so_many_parts_that_their_code_would_not_fit_are_told_apart():
    rng = np.random.default_rng(1)
    parts = rng.integers(3, size=(90, 40)).astype(float)
    parts[:, 20:] = parts[:, :20]
    patterns, sizes = pattern_sums(parts, np.arange(40))
    assert sorted(patterns.tolist()) == sorted(parts[:, :20].T.tolist())
    assert (sizes == 2).all()


@pytest.mark.parametrize("is_grouped", [False, True])
@pytest.mark.parametrize("metric", [*OFFICIAL, "average_precision"])
def test_fast_draws_are_those_of_a_literal_bootstrap(metric, is_grouped):
    """To the Monte-Carlo error of the literal version: means, spreads, and correlation of seeds."""
    groups = np.arange(60) // np.tile([1, 4], 30) if is_grouped else None
    posts, found = made_posts(groups=groups)
    draws = 60 if metric in RANKED else 600
    slow = literal_scores(posts, found, metric, draws, seed=2)
    fast = bootstrap_scores(posts, found, metric, seed=3, draws=20_000)
    if metric in RANKED:
        fast = fast[:4000]
    assert not np.isnan(fast).any() and not np.isnan(slow).any()
    error = fast.std(axis=0) / np.sqrt(draws)
    assert (np.abs(slow.mean(axis=0) - fast.mean(axis=0)) < 4 * error).all()
    assert slow.std(axis=0) == pytest.approx(fast.std(axis=0), rel=4 / np.sqrt(2 * draws))
    correlation = [np.corrcoef(scores.T)[0, 1] for scores in (slow, fast)]
    assert correlation[0] == pytest.approx(correlation[1], abs=4 / np.sqrt(draws))


def test_percentiles_are_those_of_10_000_draws_of_rows_scored_by_scikit_learn():
    """scikit-learn scores each different table of gold and predicted labels once, by its counts."""
    posts, found = made_posts(400, 2, 1, [1], seed=5)
    rng = np.random.default_rng(11)
    cell = posts.gold * 3 + found.labels[0] - ABSTAIN
    tables = [np.bincount(cell[rng.integers(400, size=400)], minlength=6) for _ in range(10_000)]
    gold, predicted = np.repeat([0, 1], 3), np.tile([ABSTAIN, 0, 1], 2)
    for metric, labels in (("f1", [1]), ("macro_f1", [0, 1])):
        options = {"labels": labels, "average": "macro"}
        scores = [
            f1_score(gold, predicted, sample_weight=table, **options) for table in tables[::100]
        ]
        right = f1_of_tables(np.array(tables), labels)
        assert right[::100] == pytest.approx(scores, abs=1e-12)
        fast = bootstrap_scores(posts, found, metric, seed=1)[:, 0]
        ends = [np.percentile(scores, [2.5, 97.5]) for scores in (fast, right)]
        assert ends[0] == pytest.approx(ends[1], abs=0.005)


def f1_of_tables(tables, labels):
    """F1 from counts of (gold, label) with the labels -1, 0 and 1, as the textbook has it."""
    values = []
    for label in labels:
        hits = tables[:, label * 3 + label + 1]
        claimed = tables[:, label + 1] + tables[:, 3 + label + 1]
        support = tables[:, label * 3 : label * 3 + 3].sum(axis=1)
        values.append(2 * hits / (claimed + support))
    return np.mean(values, axis=0)


def test_equal_seeds_give_equal_draws_and_systems_are_paired():
    posts, found = made_posts()
    one, again, other = (bootstrap_scores(posts, found, "macro_f1", s, 50) for s in (1, 1, 2))
    assert (one == again).all() and (one != other).any()
    both = bootstrap_scores(posts, joined_seeds(found, found), "macro_f1", 1, 50)
    assert (both[:, :2] == both[:, 2:]).all()


@pytest.mark.slow
@pytest.mark.parametrize("seeds, limit", [(1, 0.1), (6, 0.4)])
def test_10_000_draws_take_a_moment(seeds, limit):
    """The goals are a quarter of the limits: bench/coverage.py measures them."""
    posts, found = made_posts(2000, 2, seeds, [1])
    times = []
    for _ in range(5):
        start = time.process_time()
        bootstrap_scores(posts, found, "f1", seed=1, draws=10_000)
        times.append(time.process_time() - start)
    assert min(times) < limit


# -- the one-sided test ----------------------------------------------------------------------------


def test_the_p_value_of_a_gain_by_eye():
    posts = GoldPosts(np.ones(4, int), np.arange(4), 2, [1])
    half = SeedPredictions(np.array([[0, 0, 1, 1]]), np.full((1, 4, 2), 0.5))
    right = SeedPredictions(np.ones((1, 4), int), np.full((1, 4, 2), 0.5))
    p = bootstrap_p_value(posts, half, right, "accuracy", seed=1)
    assert p == pytest.approx(1 / 16, abs=0.02)  # both wrong posts are left out: (2/4)^4
    assert bootstrap_p_value(posts, right, right, "accuracy", seed=1) == 1
    assert bootstrap_p_value(posts, half, right, "auc", seed=1) == 1  # it does not exist
