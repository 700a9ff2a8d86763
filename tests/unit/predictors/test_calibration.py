"""Calibrations on matrices small enough to check by eye."""

import numpy as np
import pytest

from postgrad.evaluation.metrics import score_predictions
from postgrad.predictors.calibration import (
    CalibrateOptions,
    calibrated_logits,
    candidate_cuts,
    estimate_class_shares,
    first_best,
    fit_calibration,
    prior_adjusted_logits,
    threshold_shifted_logits,
)
from postgrad.records.predictions import softmax

RNG = np.random.default_rng(1)
LOGITS = RNG.normal(scale=3, size=(50, 4))
TRAIN = np.array([1131, 160, 395, 114]) / 1800  # SMM4H-2024 Task 3
UNIFORM = np.full(4, 0.25)


def test_lambda_0_is_the_identity():
    assert (prior_adjusted_logits(LOGITS, TRAIN, UNIFORM, 0.0) == LOGITS).all()


@pytest.mark.parametrize("target", [UNIFORM, np.array([0.1, 0.2, 0.3, 0.4])])
@pytest.mark.parametrize("strength", [0.0, 0.3, 0.5, 1.0, 1.3])
def test_rebalancing_and_logit_adjustment_are_one(strength, target):
    probs = softmax(LOGITS)
    rebalanced = probs * target / TRAIN
    rebalanced /= rebalanced.sum(axis=1, keepdims=True)
    mixed = probs ** (1 - strength) * rebalanced**strength  # Tian et al. 2020
    mixed /= mixed.sum(axis=1, keepdims=True)
    path = softmax(
        LOGITS - strength * np.log(TRAIN) + strength * np.log(target)
    )  # Menon et al. 2021
    found = softmax(prior_adjusted_logits(LOGITS, TRAIN, target, strength))
    assert np.abs(found - mixed).max() < 1e-12 and np.abs(found - path).max() < 1e-12


def test_a_rare_class_wins_once_its_prior_is_taken_out():
    logits = np.log([[0.7, 0.3]])  # of 90 and 10 posts: the odds 7 : 3 become 7/9 : 3
    assert np.allclose(
        softmax(prior_adjusted_logits(logits, [0.9, 0.1], [0.5, 0.5], 1.0)), [[7 / 34, 27 / 34]]
    )


def test_a_class_without_training_posts_loses():
    turned = prior_adjusted_logits(np.zeros((1, 3)), [0.5, 0.5, 0.0], [1 / 3] * 3, 0.5)
    assert np.isfinite(turned).all() and np.allclose(softmax(turned), [[0.5, 0.5, 0]])
    assert (prior_adjusted_logits(np.zeros((1, 3)), [0.5, 0.5, 0.0], [1 / 3] * 3, 0.0) == 0).all()


def test_em_keeps_a_prior_that_fits():
    probs = np.array([[0.8, 0.2], [0.6, 0.4]])
    assert np.allclose(estimate_class_shares(probs, [0.7, 0.3]), [0.7, 0.3])


def test_em_counts_posts_that_leave_no_doubt():
    probs = np.array([[1.0, 0.0]] + [[0.0, 1.0]] * 3)
    assert np.allclose(estimate_class_shares(probs, [0.9, 0.1]), [0.25, 0.75])


def test_em_finds_the_prior_of_a_shifted_sample():
    """Two normal classes one apart.

    Posteriors under a half each, of a sample with one in ten positive.
    """
    y = RNG.random(20_000) < 0.1
    logit = RNG.normal(size=len(y)) * 2 + np.where(y, 2, -2)  # x ~ N(+-1, 1) has the log odds 2x
    probs = softmax(np.stack([np.zeros(len(y)), logit], axis=1))
    assert estimate_class_shares(probs, [0.5, 0.5])[1] == pytest.approx(y.mean(), abs=0.01)
    assert (
        estimate_class_shares(probs, [0.5, 0.5])[1] < probs[:, 1].mean() - 0.05
    )  # the mean posterior lags behind


def test_em_leaves_a_class_without_training_posts_at_zero():
    shares = estimate_class_shares(softmax(LOGITS), [0.5, 0.5, 0, 0])
    assert shares[2] == shares[3] == 0 and shares.sum() == pytest.approx(1)
    with pytest.raises(ValueError, match="name another split"):
        estimate_class_shares(np.zeros((0, 0)), [0.5, 0.5])


def probabilities(*positive):
    return np.log(np.array([[1 - p, p] for p in positive]))


def test_cuts_lie_where_a_right_answer_stands_above_a_wrong_one():
    logits, gold = probabilities(0.1, 0.3, 0.4, 0.2), np.array([0, 1, 1, 0])
    odds = sorted(logits[:, 1] - logits[:, 0])
    assert candidate_cuts(logits, gold, [1]) == pytest.approx(
        [
            0.0,
            odds[3] + 1,
            (odds[1] + odds[2]) / 2,
            odds[0] - 1,
        ]  # .2 | .3 is the only turn; nearest to .5 first
    )


def test_the_best_cut_is_as_good_as_any():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        logits, gold = rng.normal(size=(30, 2)).round(1), rng.integers(0, 2, 30)
        margins = np.unique(logits[:, 1] - logits[:, 0])
        every = [*(margins[1:] + margins[:-1]) / 2, margins[0] - 1, margins[-1] + 1]
        metrics = [(metric, [1]) for metric in ("f1", "macro_f1", "micro_f1", "accuracy")]
        for metric, positive in [*metrics, ("micro_f1", [])]:

            def score(cut, logits=logits, gold=gold, metric=metric, positive=positive):
                turned = threshold_shifted_logits(logits, [1], cut)
                found = score_predictions(
                    gold, turned.argmax(axis=1), softmax(turned), ["no", "yes"], positive, metric
                )
                return found["values"]["official"]

            best, _ = first_best(candidate_cuts(logits, gold, [1]), score)
            assert score(best) == max(map(score, every))


def test_a_cut_moves_all_positive_classes():
    logits = np.array([[0.0, 2.0, 1.0], [0.0, 0.5, 0.6]])
    assert threshold_shifted_logits(logits, [1, 2], 1.0).argmax(axis=1).tolist() == [1, 0]
    assert threshold_shifted_logits(logits, [1, 2], 0.0).argmax(axis=1).tolist() == [1, 2]


def test_the_first_of_equals_is_best():
    assert first_best(["a", "b", "c"], {"a": 1, "b": 2, "c": 2}.get) == ("b", [1, 2, 2])


def options(method, **more):
    return CalibrateOptions(
        "fair", ["plain"], "rain/dev", ["no", "yes"], [1], "f1", ["rain/test"], method, **more
    )


def test_of_equal_lambdas_the_smallest_stands_and_of_equal_cuts_a_half():
    logits, gold = probabilities(0.1, 0.9), np.array([0, 1])
    prior = options("prior", target="uniform", lambda_=[1.0, 0.0, 0.5])
    fit = fit_calibration(prior, gold, logits, lambda fit: 1.0, counts=[3, 1])
    assert fit["lambda"] == 0.0 and [strength for strength, _ in fit["tried"]] == [0.0, 0.5, 1.0]
    fit = fit_calibration(options("threshold"), gold, logits, lambda fit: 1.0)
    assert fit["cut"] == 0.0 and fit["threshold"] == 0.5
    assert (calibrated_logits(logits, fit) == logits).all()


def test_a_target_is_read_by_the_names_of_the_classes():
    prior = options("prior", target={"yes": 0.3, "no": 0.7}, lambda_=[1.0])
    fit = fit_calibration(prior, np.array([0]), LOGITS[:1, :2], lambda fit: 1.0, counts=[3, 1])
    assert fit["target"] == [0.7, 0.3] and fit["train"] == [0.75, 0.25]
