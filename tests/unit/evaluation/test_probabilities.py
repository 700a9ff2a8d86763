"""Reliability, calibration error, Brier score, risk and precision against oracles."""

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import average_precision_score, precision_recall_fscore_support

from postgrad.evaluation.probabilities import (
    area_under_risk_coverage,
    brier_score,
    expected_calibration_error,
    label_confidence,
    precision_recall_points,
    reliability_curve,
    risk_coverage_curve,
    threshold_table,
)
from postgrad.records.predictions import ABSTAIN, softmax


def drawn(classes=2, posts=300):
    """(gold, probs) of posts whose probabilities say something about the gold label."""
    rng = np.random.default_rng(classes)
    probs = softmax(2 * rng.normal(size=(posts, classes)))
    gold = np.array([rng.choice(classes, p=row) for row in probs])
    return gold, probs


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
@pytest.mark.parametrize("bins", [5, 10])
def test_the_reliability_curve_is_that_of_scikit_learn(strategy, bins):
    gold, probs = drawn()
    correct = gold == 1
    share, mean = calibration_curve(correct, probs[:, 1], n_bins=bins, strategy=strategy)
    curve = reliability_curve(probs[:, 1], correct, bins, strategy)
    np.testing.assert_allclose(curve.x, mean, atol=1e-12)
    np.testing.assert_allclose(curve.y, share, atol=1e-12)
    assert curve.n.sum() == len(gold)


def test_abstentions_are_left_out_of_the_reliability_curve():
    confidence = label_confidence(np.array([0, ABSTAIN]), np.array([[0.75, 0.25], [0.5, 0.5]]))
    curve = reliability_curve(confidence, np.array([True, False]))
    assert (curve.x.tolist(), curve.y.tolist(), curve.n.tolist()) == ([0.75], [1.0], [1])
    nobody = reliability_curve(np.array([np.nan]), np.array([False]), strategy="quantile")
    assert expected_calibration_error(nobody) is None


def test_the_calibration_error_is_the_weighted_gap_of_the_bins():
    """Three answers of .95, all correct (gap .05), and one of .65, wrong (gap .65)."""
    confidence, correct = np.array([0.95, 0.95, 0.95, 0.65]), np.array([1, 1, 1, 0], dtype=bool)
    error = expected_calibration_error(reliability_curve(confidence, correct))
    assert error == pytest.approx((3 * 0.05 + 0.65) / 4)


@pytest.mark.parametrize("classes", [2, 4])
def test_the_brier_score_is_the_squared_distance_from_the_gold_label(classes):
    gold, probs = drawn(classes)
    squares = ((probs - np.eye(classes)[gold]) ** 2).sum(axis=1).mean()
    assert brier_score(gold, probs) == pytest.approx(squares / (2 if classes == 2 else 1))


def test_a_dataset_may_lack_a_class():
    assert brier_score(np.zeros(2, dtype=int), np.array([[1.0, 0.0], [1.0, 0.0]])) == 0


def test_risk_grows_with_coverage_and_abstentions_come_last():
    confidence = np.array([np.nan, 0.6, 0.9, 0.8])
    curve = risk_coverage_curve(confidence, np.array([False, False, True, True]))
    assert curve.x.tolist() == [0.25, 0.5, 0.75, 1.0]
    np.testing.assert_allclose(curve.y, [0, 0, 1 / 3, 2 / 4])
    assert area_under_risk_coverage(curve) == pytest.approx((0 + 0 + 1 / 3 + 2 / 4) / 4)


def test_the_area_is_that_of_posts_of_equal_confidence_in_random_order():
    """One point of two posts, one of them wrong: on average half an error after the first."""
    curve = risk_coverage_curve(np.array([0.8, 0.8]), np.array([True, False]))
    assert area_under_risk_coverage(curve) == pytest.approx((1 / 2 + 1 / 2) / 2)


def test_without_ties_the_area_is_the_mean_risk_of_all_prefixes():
    gold, probs = drawn(3)
    correct, confidence = probs.argmax(axis=1) == gold, probs.max(axis=1)
    wrong = ~correct[np.argsort(-confidence)]
    risks = [wrong[:count].mean() for count in range(1, len(wrong) + 1)]
    area = area_under_risk_coverage(risk_coverage_curve(confidence, correct))
    assert area == pytest.approx(np.mean(risks))


def test_no_posts_have_no_area():
    empty = np.zeros(0)
    assert area_under_risk_coverage(risk_coverage_curve(empty, empty.astype(bool))) is None


def test_precision_and_recall_sum_to_the_average_precision_of_scikit_learn():
    gold, probs = drawn()
    score = probs[:, 1].round(2)  # so that some posts are tied
    curve = precision_recall_points(gold == 1, score)
    steps = -np.diff(np.append(curve.x, 0))
    assert steps @ curve.y == pytest.approx(average_precision_score(gold == 1, score))
    hits = np.rint(curve.y * curve.n)
    np.testing.assert_allclose(hits / (gold == 1).sum(), curve.x)
    thin = curve.thinned(20)
    assert len(thin.x) == 20
    assert (thin.x[0], thin.x[-1]) == (curve.x[0], curve.x[-1])


def test_without_a_positive_post_there_is_no_curve():
    assert len(precision_recall_points(np.zeros(2, dtype=bool), np.array([0.1, 0.2])).x) == 0


def test_the_threshold_table_is_that_of_scikit_learn():
    gold, probs = drawn()
    rows = threshold_table(gold == 1, probs[:, 1])
    for row in rows:
        flagged = probs[:, 1] >= row.threshold
        expected = precision_recall_fscore_support(
            gold == 1, flagged, average="binary", zero_division=0
        )
        assert (row.precision, row.recall, row.f1) == pytest.approx(expected[:3])
        assert row.flagged == flagged.sum()
    assert [row.threshold for row in rows] == pytest.approx(np.arange(0.05, 1, 0.05))
