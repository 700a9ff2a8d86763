"""Votes on matrices small enough to count by eye, and the command itself."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from postgrad.predictors.voting import extend_to_all_posts, vote
from postgrad.records.posts import write_posts
from postgrad.records.predictions import (
    ABSTAIN,
    dataset_predictions,
    prediction_matrix,
    prediction_rows,
    read_predictions,
    softmax,
    write_predictions,
)

# Three members, four posts, three classes.
PROBS = np.array(
    [
        [[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.5, 0.3, 0.2], [0.4, 0.3, 0.3]],
        [[0.7, 0.2, 0.1], [0.3, 0.3, 0.4], [0.1, 0.8, 0.1], [0.4, 0.3, 0.3]],
        [[0.1, 0.8, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6], [0.4, 0.3, 0.3]],
    ]
)
LABELS = PROBS.argmax(axis=2)  # [0 1 0 0], [0 2 1 0], [1 1 2 0]


def test_majority_breaks_a_tie_by_probability_or_by_the_lowest_class():
    voted, logits, tied = vote(PROBS, LABELS, "majority", "probability")
    assert voted.tolist() == [0, 1, 1, 0] and tied == 1  # third post: 0.8/3, 1.3/3, 0.9/3
    lowest, lowest_logits, tied = vote(PROBS, LABELS, "majority", "lowest")
    assert lowest.tolist() == [0, 1, 0, 0] and tied == 1
    assert logits.argmax(axis=1).tolist() == voted.tolist()
    assert lowest_logits.argmax(axis=1).tolist() == lowest.tolist()


def test_majority_logits_are_votes_and_a_fraction_of_probability():
    _, logits, _ = vote(PROBS, LABELS)
    shares = np.array([2 + 1.6 / 3 / 4, 1 + 1.1 / 3 / 4, 0 + 0.3 / 3 / 4])
    assert np.allclose(softmax(logits)[0], shares / shares.sum())
    _, logits, _ = vote(PROBS, LABELS, "majority", "lowest")
    shares = np.array(
        [1 + 0.8 / 3 / 4 + 1 / 4, 1 + 1.3 / 3 / 4, 1 + 0.9 / 3 / 4]
    )  # the first class gains 1/4
    assert np.allclose(softmax(logits)[2], shares / shares.sum())


def test_equal_votes_and_equal_probabilities_go_to_the_lowest_class():
    probs = np.array([[[0.2, 0.8]], [[0.8, 0.2]]])
    for ties in ("probability", "lowest"):
        voted, logits, tied = vote(probs, probs.argmax(axis=2), "majority", ties)
        assert voted.tolist() == [0] == logits.argmax(axis=1).tolist() and tied == 1


def test_soft_vote_is_the_logarithm_of_mean_probabilities():
    voted, logits, tied = vote(PROBS, LABELS, "soft")
    assert voted.tolist() == [0, 1, 1, 0] and tied == 0
    assert np.allclose(softmax(logits), PROBS.mean(axis=0))
    assert vote(np.array([[[0.5, 0.5]]]), np.array([[0]]), "soft")[2] == 1


def test_a_probability_of_zero_gives_a_finite_logit():
    for rule in ("majority", "soft"):
        _, logits, _ = vote(np.array([[[1.0, 0.0]]]), np.array([[0]]), rule)
        assert np.isfinite(logits).all() and softmax(logits)[0, 1] < 1e-300


@pytest.mark.parametrize("rule", ["majority", "soft"])
def test_abstaining_members_do_not_count(rule):
    labels = LABELS.copy()
    labels[0, 0] = labels[1, 0] = ABSTAIN  # leaves the third member's 1 on the first post
    labels[:, 1] = ABSTAIN
    voted, logits, _ = vote(PROBS, labels, rule)
    assert voted.tolist() == [1, ABSTAIN, 1, 0]
    assert logits[1].tolist() == [0, 0, 0]


def test_a_post_without_any_answer_is_no_tie():
    _, _, tied = vote(PROBS[:, :1], np.full((3, 1), ABSTAIN))
    assert tied == 0


def test_no_posts_and_unknown_rules():
    voted, logits, tied = vote(np.zeros((2, 0, 0)), np.zeros((2, 0)))
    assert len(voted) == len(logits) == tied == 0
    with pytest.raises(ValueError, match="'loudest'"):
        vote(PROBS, LABELS, "loudest")


# Two models in two folds each, over the posts a to d; the second has parted them otherwise.
HELD = [("ab", PROBS[0][:2]), ("cd", PROBS[0][2:]), ("da", PROBS[1][[3, 0]]), ("bc", PROBS[1][1:3])]


def held_out(tmp_path, members=HELD):
    paths = []
    for number, (posts, probs) in enumerate(members):
        paths.append(tmp_path / f"{number}.parquet")
        write_predictions({"t/held-out": prediction_rows(list(posts), np.log(probs))}, paths[-1])
    return paths


def test_a_held_out_post_is_answered_by_the_models_that_held_it_out(tmp_path):
    members = [read_predictions(path) for path in held_out(tmp_path)]
    frames = extend_to_all_posts(members, list("abcd"), "0123")
    labels = np.stack([frame["label"] for frame in frames])
    assert (labels == ABSTAIN).tolist() == [
        [False, False, True, True],
        [True, True, False, False],
        [False, True, True, False],
        [True, False, False, True],
    ]
    _, logits, _ = vote(np.stack([prediction_matrix(frame) for frame in frames]), labels, "soft")
    assert np.allclose(softmax(logits), PROBS[:2].mean(axis=0))


def test_command_over_held_out_posts(tmp_path):
    members = held_out(tmp_path)
    write_posts(pd.DataFrame({"post_id": list("abcd"), "text": "x"}), tmp_path / "posts.parquet")
    done = run(tmp_path, members, "soft", held_out=tmp_path / "posts.parquet")
    assert done.returncode == 0, done.stderr
    frame = read_predictions(tmp_path / "out.parquet")
    assert frame["post_id"].tolist() == list("abcd") and np.allclose(
        prediction_matrix(frame), PROBS[:2].mean(axis=0)
    )


@pytest.mark.parametrize(
    "members, fault",
    [
        (HELD[:1] + HELD[2:], "2 of 4 held-out posts are predicted by fewer"),
        ([("ax", HELD[0][1]), *HELD[1:]], "one that is not held out"),
        ([("aa", HELD[0][1]), *HELD[1:]], "holds a post twice"),
    ],
)
def test_command_refuses_a_fold_that_is_missing_or_another(tmp_path, members, fault):
    write_posts(pd.DataFrame({"post_id": list("abcd"), "text": "x"}), tmp_path / "posts.parquet")
    done = run(tmp_path, held_out(tmp_path, members), "soft", held_out=tmp_path / "posts.parquet")
    assert (
        done.returncode == 1 and done.stderr.startswith("vote: ") and done.stderr.count("\n") == 1
    )
    assert fault in done.stderr and not (tmp_path / "out.parquet").exists()


def run(tmp_path, members, rule="majority", datasets=("t/dev",), held_out=None, **more):
    datasets = ["t/held-out"] if held_out else datasets
    spec = json.dumps(
        {"node": "v", "rule": rule, "ties": "probability", "datasets": datasets, **more}
    )
    command = [
        sys.executable,
        "workflow/scripts/vote.py",
        "--spec",
        spec,
        "--predictions",
        *members,
    ]
    command += ["--posts", "t/held-out", held_out] if held_out else []
    command += ["--out", tmp_path / "out.parquet", "--counts", tmp_path / "out.json"]
    return subprocess.run(command, capture_output=True, text=True)


def test_command(tmp_path):
    members = [tmp_path / f"{i}.parquet" for i in range(3)]
    for path, probs in zip(members, PROBS):
        datasets = {
            "t/test": prediction_rows("ab", np.log(probs[:2])),
            "t/dev": prediction_rows("abcd", np.log(probs)),
        }
        write_predictions(datasets | {"t/other": prediction_rows("e", np.log(probs[:1]))}, path)
    assert run(tmp_path, members, datasets=["t/dev", "t/test"]).returncode == 0
    both = read_predictions(tmp_path / "out.parquet")
    assert both["dataset"].tolist() == ["t/dev"] * 4 + ["t/test"] * 2
    assert dataset_predictions(both, "t/test")["label"].tolist() == [0, 1]
    frame = dataset_predictions(both, "t/dev")
    assert frame["post_id"].tolist() == ["a", "b", "c", "d"] and frame["label"].tolist() == [
        0,
        1,
        1,
        0,
    ]
    assert prediction_matrix(frame).argmax(axis=1).tolist() == [0, 1, 1, 0]
    counts = json.loads((tmp_path / "out.json").read_text())
    assert counts == {
        "node": "v",
        "members": 3,
        "rule": "majority",
        "broken by": "probability",
        "datasets": {
            "t/dev": {"posts": 4, "ties": 1, "abstained": 0},
            "t/test": {"posts": 2, "ties": 0, "abstained": 0},
        },
    }


def test_command_weighs_its_members_in_their_order(tmp_path):
    """The third member alone outvotes the others: its labels are 1, 1, 2, 0."""
    members = [tmp_path / f"{i}.parquet" for i in range(3)]
    for path, probs in zip(members, PROBS):
        write_predictions({"t/dev": prediction_rows("abcd", np.log(probs))}, path)
    for weights, labels in (([1, 1, 2.5], [1, 1, 2, 0]), ([2.5, 1, 1], [0, 1, 0, 0])):
        assert run(tmp_path, members, weights=weights).returncode == 0
        assert read_predictions(tmp_path / "out.parquet")["label"].tolist() == labels
        counts = json.loads((tmp_path / "out.json").read_text())
        assert counts["weights"] == weights and counts["datasets"]["t/dev"]["ties"] == 0
    done = run(tmp_path, members, weights=[1, 2])
    assert done.returncode == 1 and done.stderr.startswith("vote: 2 weights for 3 members")


def test_command_refuses_other_posts_and_other_classes(tmp_path):
    a, b, c = (tmp_path / f"{name}.parquet" for name in "abc")
    write_predictions({"t/dev": prediction_rows(["a", "b"], np.zeros((2, 2)))}, a)
    write_predictions({"t/dev": prediction_rows(["b", "a"], np.zeros((2, 2)))}, b)
    write_predictions({"t/dev": prediction_rows(["a", "b"], np.zeros((2, 3)))}, c)
    for other, fault in ((b, "same posts in the same order"), (c, "number of classes")):
        done = run(tmp_path, [a, other])
        assert (
            done.returncode == 1
            and done.stderr.startswith("vote: ")
            and done.stderr.count("\n") == 1
        )
        assert str(a) in done.stderr and str(other) in done.stderr and fault in done.stderr
        assert not (tmp_path / "out.parquet").exists()
