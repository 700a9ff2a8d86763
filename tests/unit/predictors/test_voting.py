"""Votes with weights: by hand, against scikit-learn, and against members that stand there twice."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import VotingClassifier
from sklearn.preprocessing import LabelEncoder

from postgrad.predictors import voting
from postgrad.predictors.voting import integer_weights, vote
from postgrad.records.predictions import ABSTAIN, softmax

WEIGHTS = [0.5, 1, 0.25, 2]


def drawn(seed, members=4, posts=60, classes=3):
    """(probs, labels) of members that often disagree."""
    probs = np.stack(
        [softmax(one) for one in np.random.default_rng(seed).normal(size=(members, posts, classes))]
    )
    return probs, probs.argmax(axis=2)


class Member(ClassifierMixin, BaseEstimator):
    """A classifier whose answers are known; a post is its row."""

    def __init__(self, probs):
        self.probs = probs

    def predict_proba(self, rows):
        return self.probs[rows]

    def predict(self, rows):
        return self.probs[rows].argmax(axis=1)


@pytest.mark.parametrize("rule, theirs", [("soft", "soft"), ("majority", "hard")])
def test_a_weighted_vote_is_that_of_scikit_learn(rule, theirs):
    probs, labels = drawn(1)
    judge = VotingClassifier([], voting=theirs, weights=WEIGHTS)
    judge.estimators = [(str(i), Member(one)) for i, one in enumerate(probs)]
    judge.estimators_, judge.le_ = (
        [member for _, member in judge.estimators],
        LabelEncoder().fit(range(3)),
    )
    voted, logits, _ = vote(probs, labels, rule, "lowest", WEIGHTS)
    assert (
        voted.tolist()
        == judge.predict(np.arange(60)).tolist()
        != vote(probs, labels, rule, "lowest")[0].tolist()
    )
    if rule == "soft":
        assert np.allclose(softmax(logits), judge.predict_proba(np.arange(60)))


@pytest.mark.parametrize("rule", voting.RULES)
@pytest.mark.parametrize("ties", voting.TIES)
def test_a_member_of_weight_two_is_that_member_twice(rule, ties):
    probs, labels = drawn(2)
    labels[0, :9] = labels[2, 5:15] = labels[:, 20] = ABSTAIN
    twice = [0, 1, 1, 2, 3, 3, 3]
    voted, _, tied = vote(probs, labels, rule, ties, [1, 2, 1, 3])
    again, _, tied_again = vote(probs[twice], labels[twice], rule, ties)
    assert voted.tolist() == again.tolist() and tied == tied_again and voted[20] == ABSTAIN
    assert tied > 0 or rule == "soft"


@pytest.mark.parametrize("rule", voting.RULES)
@pytest.mark.parametrize("ties", voting.TIES)
@pytest.mark.parametrize("weights", [[1, 1, 1, 1], [0.1, 0.1, 0.1, 0.1], [7, 7, 7, 7]])
def test_equal_weights_change_nothing(rule, ties, weights):
    probs, labels = drawn(3)
    plain, weighted = vote(probs, labels, rule, ties), vote(probs, labels, rule, ties, weights)
    assert all(np.array_equal(one, other) for one, other in zip(plain, weighted))


def test_only_the_ratio_of_weights_counts():
    probs, labels = drawn(4)
    for rule in voting.RULES:
        one, other = (
            vote(probs, labels, rule, "lowest", weights)
            for weights in ([1, 2, 3, 4], [0.1, 0.2, 0.3, 0.4])
        )
        assert all(np.array_equal(*both) for both in zip(one, other))


# Three members on one post of two classes; the third one's weight is the sum of the others'.
PROBS = np.array([[[0.6, 0.4]], [[0.7, 0.3]], [[0.1, 0.9]]])
LABELS = np.array([[0], [0], [1]])


def test_equal_sums_of_weights_are_a_tie_also_in_floating_point():
    """0.1 + 0.2 is not 0.3 there.

    The weighted mean of class 1 is (0.04 + 0.06 + 0.27) / 0.6 = 0.617.
    """
    voted, logits, tied = vote(PROBS, LABELS, "majority", "probability", [0.1, 0.2, 0.3])
    assert voted.tolist() == [1] and tied == 1
    mean = np.array([0.23, 0.37]) / 0.6
    shares = np.array([3, 3]) + mean / 4  # whole weights of 1, 2 and 3
    assert np.allclose(softmax(logits)[0], shares / shares.sum())
    voted, logits, tied = vote(PROBS, LABELS, "majority", "lowest", [0.1, 0.2, 0.3])
    assert voted.tolist() == [0] == logits.argmax(axis=1).tolist() and tied == 1


def test_a_sum_that_is_a_little_higher_wins_against_any_probability():
    probs = np.array([[[0.51, 0.49]], [[0.51, 0.49]], [[0.0, 1.0]]])
    voted, logits, tied = vote(probs, LABELS, "majority", "probability", [1, 1.01, 2])
    assert voted.tolist() == [0] == logits.argmax(axis=1).tolist() and tied == 0


def test_a_member_that_abstains_does_not_count_whatever_its_weight():
    silent = np.array([[0], [0], [ABSTAIN]])
    for rule in voting.RULES:
        assert vote(PROBS, silent, rule, weights=[1, 1, 100])[0].tolist() == [0]
    _, logits, _ = vote(PROBS, silent, "soft", weights=[1, 3, 100])
    assert np.allclose(softmax(logits)[0], [(0.6 + 3 * 0.7) / 4, (0.4 + 3 * 0.3) / 4])


RATIOS = [
    ([1, 2, 3], [1, 2, 3]),
    ([2, 4], [1, 2]),
    ([0.75, 1.5], [1, 2]),
    ([1 / 3, 1], [333333, 1000000]),
]


@pytest.mark.parametrize("weights, found", RATIOS)
def test_whole_weights(weights, found):
    assert integer_weights(weights) == found


@pytest.mark.parametrize("weights, fault", [
    ([1, 2], "2 weights for 3 members; give each member one"),
    ([1, 2, 0], "positive numbers, found 0; leave that member out"),
    ([1, 2, -0.5], "positive numbers, found -0.5"),
    ([1, 2, 1e-9], "positive numbers, found 1e-09"),
])  # fmt: skip
def test_impossible_weights_are_refused(weights, fault):
    with pytest.raises(ValueError, match=fault):
        vote(PROBS, LABELS, weights=weights)
