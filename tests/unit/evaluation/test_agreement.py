"""Kappa, the correlation of errors and the shift of the class prior, checked by hand."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, matthews_corrcoef

from postgrad.evaluation.agreement import cohens_kappa, error_correlation, prior_shift
from postgrad.records.predictions import ABSTAIN


def test_kappa():
    a, b = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
    assert cohens_kappa(a, b) == pytest.approx(0.5)  # observed .75, by chance .5
    assert cohens_kappa(a, a) == 1 and cohens_kappa(a, 1 - a) == -1
    assert cohens_kappa(np.zeros(3), np.zeros(3)) is None and cohens_kappa(a[:0], b[:0]) is None


def test_kappa_and_the_correlation_of_errors_are_those_of_scikit_learn():
    """The phi coefficient of two binary variables is their Matthews correlation."""
    gold, first, second = np.random.default_rng(1).integers(0, 3, size=(3, 200))
    assert cohens_kappa(first, second) == pytest.approx(cohen_kappa_score(first, second))
    expected = matthews_corrcoef(first != gold, second != gold)
    assert error_correlation(gold, first, second) == pytest.approx(expected)


def test_errors_on_different_posts_correlate_negatively_and_an_abstention_is_an_error():
    gold = np.array([0, 1])
    assert error_correlation(gold, np.array([ABSTAIN, 1]), np.array([0, 0])) == -1
    assert error_correlation(gold, gold, np.array([0, 0])) is None
    assert error_correlation(gold[:0], gold[:0], gold[:0]) is None


def test_without_labels_there_is_no_shift():
    assert prior_shift([0, 0], [1, 1]) is None
    assert prior_shift([1, 1], [0, 0]) is None
    assert prior_shift([2, 1, 1], [1, 1, 2]) == [0.25, 0, -0.25]
