"""What one or two teachers label, what is kept of it, its audit, the command itself, and the node
in a graph.
"""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml
from jobs import job_graph, planned
from predicted import predicted
from study_files import write_config
from tree import copy_of_tree, scored, snakemake

from postgrad.evaluation.agreement import cohens_kappa
from postgrad.predictors.pseudo_labels import (
    audit_teachers,
    has_label,
    join_teachers,
    most_confident_rows,
    prior_matched_rows,
    select_posts,
    share_of_counts,
    teacher_temperature,
)
from postgrad.predictors.temperature_scaling import fit_temperature, negative_log_likelihood
from postgrad.records.parquet_files import write_table
from postgrad.records.posts import DROPPED, read_posts, write_posts
from postgrad.records.predictions import (
    ABSTAIN,
    prediction_rows,
    softmax,
    write_predictions,
)
from postgrad.study import specs
from postgrad.study.study import Study


def teacher(logits, labels=None, ids=None):
    """Predictions as a frame; post_ids a, b, c, ... unless given."""
    logits = np.asarray(logits, dtype=float)
    return pd.DataFrame(
        {
            "post_id": list(ids or "abcdefghij"[: len(logits)]),
            "logits": list(logits),
            "probs": list(softmax(logits)),
            "label": logits.argmax(axis=1) if labels is None else labels,
        }
    )


# posts:             a       b       c       d       e       f
FIRST = teacher([[3, 0], [0, 2], [1, 0], [0, 1], [2, 2], [0, 4]])
SECOND = teacher([[1, 0], [0, 5], [0, 1], [0, 3], [4, 0], [0, 1]])


def test_agreement_leaves_out_differences_ties_and_abstentions():
    assert has_label([FIRST, SECOND]).tolist() == [True, True, False, True, False, True]
    silent = FIRST.assign(label=[ABSTAIN, 1, 0, 1, 0, 1])
    assert has_label([silent, SECOND])[0] == np.False_
    assert not has_label([silent, SECOND.assign(label=[ABSTAIN, 1, 1, 1, 0, 1])])[0]


def test_all_agreed_posts_are_kept():
    rows, labels, shortfall = select_posts([FIRST, SECOND], [1.0, 1.0], "agreement")
    assert (
        rows.tolist() == [0, 1, 3, 5]
        and labels.tolist() == [0, 1, 1, 1]
        and shortfall.tolist() == [0, 0]
    )


def test_the_prior_of_gold_leaves_the_largest_subset_in_its_proportions():
    labels = np.array([0] * 30 + [1] * 100 + [2] * 9)
    rows = prior_matched_rows(labels, [60, 30, 10], seed=1)
    assert np.bincount(labels[rows], minlength=3).tolist() == [
        30,
        15,
        5,
    ]  # class 0 is the scarce one
    assert rows.tolist() == sorted(set(rows.tolist()))
    assert prior_matched_rows(labels, [60, 30, 10], seed=1).tolist() == rows.tolist()
    assert prior_matched_rows(labels, [60, 30, 10], seed=2).tolist() != rows.tolist()
    assert prior_matched_rows(labels, [1, 1, 0], seed=1).tolist()[:30] == list(range(30))
    assert len(prior_matched_rows(np.array([0, 0]), [1, 1], seed=1)) == 0
    with pytest.raises(ValueError, match="no gold posts"):
        prior_matched_rows(labels, [0, 0, 0], seed=1)


def test_balance_is_drawn_among_agreed_posts_only():
    rows, labels, _ = select_posts([FIRST, SECOND], [1.0, 1.0], "agreement", prior=[1, 1])
    assert labels.tolist() == [0, 1] and rows[0] == 0 and rows[1] in (1, 3, 5)


def test_temperature_undoes_a_known_scaling():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(4000, 3)) * 2
    gold = np.array([rng.choice(3, p=p) for p in softmax(logits)])
    assert fit_temperature(logits, gold) == pytest.approx(1.0, abs=0.06)
    found = fit_temperature(logits, gold)
    assert fit_temperature(logits * 4, gold) == pytest.approx(4 * found, rel=1e-4)
    assert fit_temperature(logits / 3, gold) == pytest.approx(found / 3, rel=1e-4)


def test_temperature_is_the_lowest_nll_of_a_fine_grid():
    logits, gold = (
        np.array([[2.0, 0.0], [0.0, 3.0], [1.0, 0.0], [0.5, 0.0]]),
        np.array([0, 1, 1, 0]),
    )
    grid = np.exp(np.linspace(-2.9, 2.9, 5001))
    best = min(grid, key=lambda t: negative_log_likelihood(logits, gold, t))
    assert fit_temperature(logits, gold) == pytest.approx(best, rel=3e-3)
    equal = np.array([[0.0, 0.0]])
    assert negative_log_likelihood(equal, np.array([1]), 5.0) == pytest.approx(np.log(2))


def test_abstentions_play_no_part_in_calibration():
    gold = np.array([0, 1, 1, 0, 0, 1])
    mute = FIRST.assign(label=[0, 1, 0, 1, ABSTAIN, ABSTAIN])
    assert teacher_temperature(mute, gold) == teacher_temperature(FIRST[:4], gold[:4])
    assert teacher_temperature(FIRST.assign(label=ABSTAIN), gold) is None


def test_the_most_confident_of_each_class_and_then_of_all():
    yes = np.array([0.9, 0.6, 0.8, 0.3, 0.7, 0.55])  # five of class 1, one of class 0
    said = (yes > 0.5).astype(int), np.maximum(yes, 1 - yes)
    rows, shortfall = most_confident_rows(*said, [1, 2])
    assert rows.tolist() == [0, 2, 3] and shortfall.tolist() == [0, 0]
    rows, shortfall = most_confident_rows(*said, [3, 1])
    assert rows.tolist() == [0, 2, 3, 4] and shortfall.tolist() == [2, 0]
    rows, shortfall = most_confident_rows(*said, [3, 9])
    assert rows.tolist() == [0, 1, 2, 3, 4, 5] and shortfall.tolist() == [2, 4]


def test_of_equally_confident_posts_the_earlier_one_counts():
    rows, _ = most_confident_rows(np.ones(300, dtype=int), np.full(300, 0.8), [0, 7])
    assert rows.tolist() == [0, 1, 2, 3, 4, 5, 6]


def test_confidence_is_of_the_calibrated_mean():
    # Uncalibrated the first teacher's 9 wins on a; at its temperature of 18 the second decides.
    pair = [teacher([[9, 0], [0, 0.1]]), teacher([[0, 2], [0, 2]])]
    _, labels, _ = select_posts(pair, [1.0, 1.0], "confidence", budget=[1, 1])
    assert labels.tolist() == [0, 1]
    rows, labels, shortfall = select_posts(pair, [18.0, 1.0], "confidence", budget=[1, 1])
    assert rows.tolist() == [0, 1] and labels.tolist() == [1, 1] and shortfall.tolist() == [1, 0]


def test_random_posts_are_as_many_as_the_budget_and_hang_on_the_seed():
    rng = np.random.default_rng(1)
    ids = [f"{i:03}" for i in range(100)]
    pair = [teacher(rng.normal(size=(100, 2)), ids=ids) for _ in range(2)]
    draws = [
        select_posts(pair, [1.0, 1.0], "random", budget=[10, 5], seed=seed) for seed in (1, 1, 2)
    ]
    assert draws[0][0].tolist() == draws[1][0].tolist() != draws[2][0].tolist()
    assert len(draws[0][0]) == 15 and len(set(draws[0][0])) == 15
    mean = np.mean([np.stack(frame["probs"]) for frame in pair], axis=0)
    assert draws[0][1].tolist() == mean[draws[0][0]].argmax(axis=1).tolist()
    assert len(select_posts(pair, [1.0, 1.0], "random", budget=[99, 99])[0]) == 100


def test_controls_leave_out_abstentions():
    mute = FIRST.assign(label=[ABSTAIN, 1, 0, 1, 0, 1])
    for keep in ("confidence", "random"):
        assert 0 not in select_posts([mute, SECOND], [1.0, 1.0], keep, budget=[9, 9])[0]


@pytest.mark.parametrize(
    "options, fault",
    [
        ({"keep": "luck"}, "'luck' does not exist"),
        ({"keep": "random"}, "needs a budget or a share, and not both"),
        (
            {"keep": "random", "budget": [1, 1], "share": 0.5},
            "needs a budget or a share, and not both",
        ),
        ({"keep": "random", "budget": [1, 1], "above": 0.9}, "reads no probability"),
        (
            {"keep": "confidence"},
            "exactly one of a budget, a share and a probability under `above`",
        ),
        ({"keep": "confidence", "share": 0.5, "above": 0.9}, "exactly one of"),
        (
            {"keep": "confidence", "above": 0.9, "temperatures": [1.0, None]},
            "needs gold posts to calibrate",
        ),
        ({"keep": "agreement", "teachers": [FIRST]}, "needs two teachers"),
        (
            {"keep": "confidence", "budget": [1, 1], "temperatures": [1.0, None]},
            "needs gold posts to calibrate",
        ),
    ],
)
def test_impossible_options_are_refused(options, fault):
    with pytest.raises(ValueError, match=fault):
        select_posts(**{"teachers": [FIRST, SECOND], "temperatures": [1.0, 1.0], **options})


def test_teachers_are_joined_on_the_posts_that_both_scored():
    pair = join_teachers(
        [teacher([[1, 0], [2, 0], [3, 0]], ids="cab"), teacher([[5, 0], [6, 0]], ids="bc")], "PQ", 2
    )
    assert pair[0]["post_id"].tolist() == pair[1]["post_id"].tolist() == ["b", "c"]
    assert [row[0] for row in pair[0]["logits"]] == [3, 1] and [
        row[0] for row in pair[1]["logits"]
    ] == [5, 6]
    with pytest.raises(ValueError, match="P and Q share no scored post"):
        join_teachers([teacher([[1, 0]], ids="a"), teacher([[1, 0]], ids="b")], "PQ", 2)
    with pytest.raises(ValueError, match="teacher P has scored no post"):
        join_teachers([FIRST[:0]], "P", 2)
    with pytest.raises(ValueError, match="teacher P does not give one logit for each of 3"):
        join_teachers([FIRST, SECOND], "PQ", 3)


def test_audit_on_gold():
    gold = np.array([0, 1, 0, 0, 0, 1])  # agreed: a 0, b 1, d 1, f 1; d is wrong
    found = audit_teachers([FIRST, SECOND], gold, 2, [1.0, 1.0])
    assert found["n"] == 6 and found["agreed"] == pytest.approx(4 / 6)
    assert found["classes"]["0"] == {"agreed": 1, "accuracy": 1.0, "coverage": 0.5}
    assert found["classes"]["1"] == {"agreed": 3, "accuracy": pytest.approx(2 / 3), "coverage": 1.0}
    assert found["accuracy"] == [5 / 6, 4 / 6]
    answered = [np.array([0, 1, 0, 1, 1]), np.array([0, 1, 1, 1, 1])]  # without the tie on e
    assert found["kappa"] == cohens_kappa(*answered)
    assert found["posts"] == {"0": 4, "1": 2}
    # Both are wrong on d alone, and only the second on c.
    assert found["error_correlation"] == pytest.approx(np.sqrt(0.4))


def test_the_audit_shows_as_many_labels_chosen_by_confidence():
    """Class 0 has one agreed label, a; the most confident is a or e, by the temperatures."""
    gold = np.array([1, 1, 0, 0, 0, 1])
    alike, first_unsure = (
        audit_teachers([FIRST, SECOND], gold, 2, temperatures)["by_confidence"]
        for temperatures in ([1.0, 1.0], [10.0, 1.0])
    )
    assert alike == {"accuracy": 2 / 4, "classes": {"0": 0.0, "1": pytest.approx(2 / 3)}}
    assert first_unsure == {"accuracy": 3 / 4, "classes": {"0": 1.0, "1": pytest.approx(2 / 3)}}
    assert audit_teachers([FIRST, SECOND], gold, 2, [None, 1.0])["by_confidence"] is None


def test_audit_of_one_teacher_speaks_of_answers_and_has_no_kappa():
    gold = np.array([0, 1, 0, 0, 0, 1])  # answered: b 1, c 0, d 1, e 0, f 1; d is wrong
    found = audit_teachers([FIRST.assign(label=[ABSTAIN, 1, 0, 1, 0, 1])], gold, 2, [None])
    assert found["answered"] == 5 / 6 and found["kappa"] is None and found["accuracy"] == [4 / 6]
    assert found["classes"]["0"] == {"answered": 2, "accuracy": 1.0, "coverage": 0.75}
    assert found["classes"]["1"] == {
        "answered": 3,
        "accuracy": pytest.approx(2 / 3),
        "coverage": 1.0,
    }
    assert "agreed" not in found


# -- one teacher, shares and folds
# -------------------------------------------------------------------

VOTE = teacher(
    np.log(
        [
            [0.9, 0.1],
            [0.4, 0.6],
            [0.6, 0.4],
            [0.2, 0.8],
            [0.5, 0.5],
            [0.3, 0.7],
            [0.1, 0.9],
            [0.5, 0.5],
        ]
    ),
    labels=[0, 1, 0, 1, 1, 1, 1, ABSTAIN],  # e is a tie that the vote gave to 1
)


def test_a_share_is_rounded_down_and_one_post_at_least():
    assert share_of_counts([0, 1, 9, 10, 29], 0.1).tolist() == [0, 1, 1, 1, 2]
    assert (
        share_of_counts(100, 0.29) == 29 and share_of_counts(30, 0.1) == 3
    )  # in floats 0.29 * 100 is below 29
    assert share_of_counts([3, 7], 1.0).tolist() == [3, 7] and share_of_counts(0, 0.5) == 0


def test_one_teacher_keeps_a_share_of_each_predicted_class():
    """Two posts are answered 0 and five 1.

    Nothing is calibrated, and the label is the teacher's own.
    """
    rows, labels, shortfall = select_posts([VOTE], [None], "confidence", share=0.4)
    assert (
        rows.tolist() == [0, 3, 6] and labels.tolist() == [0, 1, 1] and shortfall.tolist() == [0, 0]
    )
    rows, labels, _ = select_posts([VOTE], [None], "confidence", share=1.0)
    assert rows.tolist() == [0, 1, 2, 3, 4, 5, 6] and labels.tolist() == VOTE["label"][:7].tolist()
    rows, _, _ = select_posts([VOTE], [None], "confidence", budget=[2, 1])
    assert rows.tolist() == [0, 2, 6]


YES = np.array([0.05, 0.1, 0.11, 0.8, 0.98, 0.5])
SURE = teacher(np.log(np.stack([1 - YES, YES], axis=1)), [0, 0, 0, 1, 1, ABSTAIN])
ABOVE = [(0.89, [0, 1, 2, 4]), (0.9, [0, 1, 4]), (0.97, [4]), (0.99, []), (0.4, [0, 1, 2, 3, 4])]


@pytest.mark.parametrize("above, rows", ABOVE)
def test_the_posts_of_at_least_a_probability_are_kept(above, rows):
    """The sixth post has no answer, at whatever probability."""
    found, labels, shortfall = select_posts([SURE], [None], "confidence", above=above - 1e-12)
    assert (
        found.tolist() == rows
        and labels.tolist() == SURE["label"][rows].tolist()
        and not shortfall.any()
    )


def test_the_probability_of_two_teachers_is_that_of_their_calibrated_mean():
    """At a temperature of 2 the probabilities .95 and .05 are .813 and .187, and the mean with .9
    and .1 is .857.
    """
    pair = [teacher(np.log([[0.95, 0.05], [0.1, 0.9]])), teacher(np.log([[0.9, 0.1], [0.1, 0.9]]))]
    root = np.sqrt(0.95) / (np.sqrt(0.95) + np.sqrt(0.05))
    for above, rows in ((0.92, []), ((root + 0.9) / 2 - 1e-9, [0]), ((root + 0.9) / 2 + 1e-9, [])):
        assert select_posts(pair, [2.0, 1.0], "confidence", above=above)[0].tolist() == rows
    assert select_posts(pair, [1.0, 1.0], "confidence", above=0.92)[0].tolist() == [0]
    silent = [pair[0].assign(label=[ABSTAIN, 1]), pair[1]]
    assert select_posts(silent, [1.0, 1.0], "confidence", above=0.5)[0].tolist() == [1]


def test_posts_above_a_probability_are_drawn_in_the_proportions_of_gold():
    """Of five posts, three of class 0 and two of class 1, the largest set of one to two holds one
    and two.
    """
    found, labels, _ = select_posts([SURE], [None], "confidence", above=0.5, prior=[10, 20])
    assert sorted(labels) == [0, 1, 1] and {3, 4} < set(found)
    draws = {
        tuple(select_posts([SURE], [None], "confidence", above=0.5, prior=[10, 20], seed=seed)[0])
        for seed in range(20)
    }
    assert len(draws) == 3  # which one of class 0 depends on the seed
    held_out = np.array([True, True, True, False, True, True])
    assert select_posts([SURE], [None], "confidence", above=0.5, beside=held_out)[0].tolist() == [
        0,
        1,
        2,
        4,
    ]


def test_a_random_share_is_of_all_answers():
    rows, labels, _ = select_posts([VOTE], [None], "random", share=0.5)  # of seven
    assert len(rows) == 3 and 7 not in rows and labels.tolist() == VOTE["label"][rows].tolist()
    assert select_posts([VOTE], [None], "random", share=1.0)[0].tolist() == [0, 1, 2, 3, 4, 5, 6]


HUNDRED = teacher(
    np.random.default_rng(3).normal(size=(103, 2)), ids=[f"{i:03}" for i in range(103)]
)


def of_fold(number, k=5, everyone=HUNDRED, **options):
    return select_posts([everyone], [None], "random", part=(number, k), **options)[0].tolist()


def test_draws_of_folds_share_no_post_and_hang_on_the_seed():
    draws = [of_fold(i, share=0.1) for i in range(1, 6)]
    assert [len(draw) for draw in draws] == [10] * 5 and len(set().union(*draws)) == 50
    assert draws == [of_fold(i, share=0.1) for i in range(1, 6)]
    assert draws[0] != of_fold(1, share=0.1, seed=2)
    whole = [of_fold(i, share=0.2) for i in range(1, 6)]
    assert [len(draw) for draw in whole] == [20] * 5 and len(set().union(*whole)) == 100
    uneven = [of_fold(i, budget=[10, i]) for i in range(1, 6)]  # budgets that differ between folds
    assert [len(draw) for draw in uneven] == [11, 12, 13, 14, 15] and len(
        set().union(*uneven)
    ) == 65


def test_a_fold_draws_nothing_that_it_leaves_out_and_the_others_stay_disjoint():
    beside = ~np.isin(np.arange(103), of_fold(2, share=0.1)[:4])
    less = of_fold(2, share=0.1, beside=beside)
    assert len(less) == 10 and beside[less].all()  # the next posts of its own part
    assert not set(less) & {row for i in (1, 3, 4, 5) for row in of_fold(i, share=0.1)}
    assert (
        len(of_fold(2, share=0.2, beside=beside)) < 20 == len(of_fold(2, share=0.2))
    )  # its part is used up


def test_too_large_a_draw_for_a_fold_is_refused():
    with pytest.raises(
        ValueError, match="part 1 of 5 holds 20 posts, and 21 are to be drawn; lower the share"
    ):
        of_fold(1, budget=[20, 1])


def test_what_a_fold_leaves_out_is_kept_in_no_way():
    beside = np.array([False, True, True, True, True, True, True, True])
    assert select_posts([VOTE], [None], "confidence", share=0.4, beside=beside)[0].tolist() == [
        2,
        3,
        6,
    ]  # c in a's place
    assert select_posts([VOTE], [None], "random", share=1.0, beside=beside)[0].tolist() == [
        1,
        2,
        3,
        4,
        5,
        6,
    ]
    rows, _, _ = select_posts([FIRST, SECOND], [1.0, 1.0], "agreement", beside=beside[:6])
    assert rows.tolist() == [1, 3, 5]


# -- the command
# -------------------------------------------------------------------------------------


class Case:
    """Files in a folder: a pool of seven posts, one of them dropped, two teachers, gold and dev."""

    def __init__(self, folder, second=SECOND):
        self.folder = folder
        for name, ids, labels in (
            ("pool", "abcdefg", [None] * 7),
            ("train", "klmn", [0, 1, 1, 1]),
            ("dev", "uvwxyz", [0, 1, 0, 0, 0, 1]),
        ):
            frame = pd.DataFrame(
                {"post_id": list(ids), "label": pd.array(labels, dtype="Int64"), "origin": "gold"}
            )
            write_posts(
                frame.assign(text=[f"secret {post_id}" for post_id in ids]),
                folder / f"{name}.parquet",
            )
        write_table(
            pd.DataFrame([("f", "pool", "exact")], columns=DROPPED.names),
            folder / "drop.parquet",
            DROPPED,
        )
        for name, frame in (("first", FIRST), ("second", second)):
            on_dev = prediction_rows("uvwxyz", np.stack(frame["logits"]))
            write_predictions(
                {"rain/dev": on_dev, "rain/unlabeled": frame}, folder / f"{name}.parquet"
            )

    def run(
        self, node, keep, balance="none", budget=(), teachers=("first", "second"), gold=True, **more
    ):
        spec = {
            "node": node,
            "keep": keep,
            "balance": balance,
            "seed": 1,
            "teachers": ["P", "Q"][: len(teachers)],
            "classes": ["no", "yes"],
            "fit": "rain/dev" if gold else None,
            **{key: value for key, value in more.items() if key != "held_out"},
        }
        files = {f"--{name}": self.folder / f"{name}.parquet" for name in ("drop", "train")}
        files |= {"--gold": self.folder / "dev.parquet"} if gold else {}
        files |= {"--out": self.folder / f"{node}.parquet", "--flow": self.folder / f"{node}.json"}
        command = [
            sys.executable,
            "workflow/scripts/label.py",
            "--spec",
            json.dumps(spec),
            "--budget",
            *budget,
        ]
        command += ["--pool", "rain/unlabeled", self.folder / "pool.parquet"]
        command += [part for option in files.items() for part in option]
        for teacher, name in zip(spec["teachers"], teachers):
            command += ["--predictions", teacher, self.folder / f"{name}.parquet"]
        command += ["--held-out", *more.get("held_out", [])]
        return subprocess.run(command, capture_output=True, text=True)

    def read(self, node):
        posts = pq.read_table(self.folder / f"{node}.parquet").to_pylist()
        return posts, json.loads((self.folder / f"{node}.json").read_text())


def test_command_keeps_agreed_posts(tmp_path):
    case = Case(tmp_path)
    done = case.run("agreed", "agreement")
    assert done.returncode == 0, done.stderr
    posts, flow = case.read("agreed")
    assert [(post["parent"], post["label"]) for post in posts] == [
        ("a", 0),
        ("b", 1),
        ("d", 1),
    ]  # f is dropped
    assert [post["post_id"] for post in posts] == ["a~agreed~0", "b~agreed~0", "d~agreed~0"]
    assert {post["origin"] for post in posts} == {"label"} and posts[0]["text"] == "secret a"
    assert np.allclose(posts[0]["teachers"], [softmax([[3, 0]])[0], softmax([[1, 0]])[0]])
    assert (
        flow["pool"] == 6
        and flow["scored"] == 5
        and flow["agreed"] == {"0": 1, "1": 2} == flow["kept"]
    )
    assert flow["budget"] is None and flow["shortfall"] == {"0": 0, "1": 0}
    assert (
        flow["teachers"] == ["P", "Q"]
        and len(flow["temperatures"]) == 2
        and flow["node"] == "agreed"
    )
    assert flow["fit"] == "rain/dev" and flow["share"] is None and flow["beside"] is None
    assert flow["gold"]["n"] == 6 and flow["gold"]["accuracy"] == [
        round(5 / 6, 10),
        round(4 / 6, 10),
    ]
    assert "3 of 5 scored posts kept by agreement" in done.stderr and "secret" not in done.stderr


def test_command_balances_and_its_controls_follow_the_budget(tmp_path):
    case = Case(tmp_path)
    assert case.run("level", "agreement", balance="gold").returncode == 0
    posts, flow = case.read("level")  # gold 1 to 3; agreed 1 and 2: two thirds of gold
    assert flow["kept"] == {"0": 0, "1": 2} and flow["agreed"] == {"0": 1, "1": 2}
    assert case.run("agreed", "agreement").returncode == 0
    for node, keep in (("sure", "confidence"), ("drawn", "random")):
        assert case.run(node, keep, "gold", [tmp_path / "agreed.parquet"]).returncode == 0
        posts, flow = case.read(node)
        assert len(posts) == 3 and flow["budget"] == {"0": 1, "1": 2} and flow["keep"] == keep
    assert case.read("sure")[1]["kept"] == {"0": 1, "1": 2}
    first = (tmp_path / "drawn.parquet").read_bytes()
    case.run("drawn", "random", "gold", [tmp_path / "agreed.parquet"])
    assert (tmp_path / "drawn.parquet").read_bytes() == first


def test_command_refuses_identical_teachers(tmp_path):
    done = Case(tmp_path, second=FIRST).run("agreed", "agreement")
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert done.stderr.startswith("label: teachers P and Q give identical logits")
    assert "different base or seed" in done.stderr
    assert not (tmp_path / "agreed.parquet").exists() and not (tmp_path / "agreed.json").exists()


def test_command_works_without_gold_in_dev(tmp_path):
    case = Case(tmp_path)
    write_posts(pd.DataFrame({"post_id": [], "label": []}), tmp_path / "dev.parquet")
    done = case.run("agreed", "agreement")
    assert done.returncode == 0, done.stderr
    flow = case.read("agreed")[1]
    assert (
        flow["gold"] is None
        and flow["temperatures"] == [None, None]
        and flow["kept"] == {"0": 1, "1": 2}
    )
    done = case.run("sure", "confidence", budget=[tmp_path / "agreed.parquet"])
    assert done.returncode == 1 and "needs gold posts to calibrate two teachers" in done.stderr
    assert case.run("agreed", "agreement", gold=False).returncode == 0
    assert case.read("agreed")[1] == {**flow, "fit": None}


ONE = {"teachers": ["first"]}


@pytest.mark.parametrize("keep, size", [("confidence", 2), ("random", 2)])
def test_command_labels_with_one_teacher(tmp_path, keep, size):
    """The answers are a 0, b 1, c 0, d 1, e 0; f is dropped, and g is not scored.

    Half of each class is one post, and half of all five is two.
    """
    case = Case(tmp_path)
    done = case.run("guessed", keep, share=0.5, **ONE)
    assert done.returncode == 0, done.stderr
    posts, flow = case.read("guessed")
    assert len(posts) == size and {(post["parent"], post["label"]) for post in posts} <= set(
        zip("abcde", [0, 1, 0, 1, 0])
    )
    if keep == "confidence":
        assert [post["parent"] for post in posts] == ["a", "b"]  # .95 and .88
    assert [len(post["teachers"]) for post in posts] == [1, 1]
    assert (
        flow["answered"] == {"0": 3, "1": 2}
        and "agreed" not in flow
        and flow["temperatures"] == [None]
    )
    assert flow["share"] == 0.5 and flow["budget"] is None and flow["gold"]["kappa"] is None
    assert "5 answered" in done.stderr and "secret" not in done.stderr
    assert case.run("guessed", keep, share=0.5, gold=False, **ONE).returncode == 0
    assert case.read("guessed") == (
        posts,
        {**flow, "fit": None, "gold": None},
    )  # gold audits, and decides nothing
    assert case.run("drawn", "random", budget=[tmp_path / "guessed.parquet"], **ONE).returncode == 0
    assert len(case.read("drawn")[0]) == size and case.read("drawn")[1]["budget"] == flow["kept"]


def test_command_keeps_what_is_above_a_probability(tmp_path):
    """a .95, b .88, c .73, d .73, e .5, f dropped; train has three of class 1 to one of class 0."""
    case = Case(tmp_path)
    assert case.run("sure", "confidence", above=0.7, **ONE).returncode == 0
    posts, flow = case.read("sure")
    assert [(post["parent"], post["label"]) for post in posts] == [
        ("a", 0),
        ("b", 1),
        ("c", 0),
        ("d", 1),
    ]
    assert flow["above"] == 0.7 and flow["share"] is None and flow["budget"] is None
    assert flow["kept"] == {"0": 2, "1": 2} and flow["shortfall"] == {"0": 0, "1": 0}
    assert case.run("level", "confidence", "gold", above=0.7, **ONE).returncode == 0
    assert case.read("level")[1]["kept"] == {"0": 0, "1": 2}  # two thirds of gold, rounded down
    assert case.run("surer", "confidence", above=0.9, **ONE).returncode == 0
    assert [post["parent"] for post in case.read("surer")[0]] == ["a"]


def test_command_refuses_agreement_with_oneself(tmp_path):
    done = Case(tmp_path).run("guessed", "agreement", **ONE)
    assert done.returncode == 1 and done.stderr.startswith(
        "label: keep agreement needs two teachers"
    )


def test_command_leaves_out_what_belongs_with_a_held_out_post(tmp_path):
    case = Case(tmp_path)
    beside = tmp_path / "fold.drop.parquet"
    write_table(
        pd.DataFrame([("a", "test", "held out"), ("u", "dev", "held out")], columns=DROPPED.names),
        beside,
        DROPPED,
    )
    done = case.run("guessed@fold=1", "confidence", share=1.0, held_out=[beside], **ONE)
    assert done.returncode == 0, done.stderr
    posts, flow = case.read("guessed@fold=1")
    assert [post["post_id"] for post in posts] == [f"{post}~guessed@fold=1~0" for post in "bcde"]
    assert (
        flow["answered"] == {"0": 3, "1": 2} and flow["beside"] == {"0": 2, "1": 2} == flow["kept"]
    )
    assert (
        flow["gold"]["n"] == 6
    )  # the gold posts are out of reach of their teachers, whatever this fold holds out
    draws = [
        case.run(f"g{i}", "random", share=0.5, part=[i, 2], held_out=[beside], **ONE)
        for i in (1, 2)
    ]
    assert [done.returncode for done in draws] == [0, 0], draws
    first, second = ({post["parent"] for post in case.read(node)[0]} for node in ("g1", "g2"))
    assert not first & second and first | second <= set("bcde") and len(first | second) >= 3


# -- the node in a graph
# -----------------------------------------------------------------------------

GUESSED = {
    "label": "rain/test",
    "teachers": ["jury"],
    "keep": "confidence",
    "share": 0.1,
    "folds": "pooled",
    "fit": "rain/held-out",
    "transductive": True,
    "faithful": {"keep": "random"},
}
DRAWN = {
    **{key: GUESSED[key] for key in ("label", "teachers", "folds", "fit", "transductive")},
    "keep": "random",
    "budget": "guessed",
}
SOFT = {"rule": "soft", "ties": "lowest"}


def study_in(folder, config=None, splits=("train", "dev", "test", "unlabeled"), **datasets):
    """The small study with a vote over folds that labels the test set for each fold, and a model
    that learns it.
    """

    def recipe(content):
        pooled = {"fold": ["rain/train", "rain/dev"], "k": 5, "seed": 42}
        content["datasets"] = {"pooled": pooled, "guessed": GUESSED, "drawn": DRAWN, **datasets}
        models = {
            "member": ["pooled"],
            "pupil": ["pooled", "guessed"],
            "control": ["pooled", "drawn"],
        }
        content["models"] = {
            name: {"finetune": "big", "data": data, "seed": 1} for name, data in models.items()
        }
        content["models"]["plain"] = {"finetune": "big", "data": ["rain/train"], "seed": 1}
        content["models"]["floor"] = {"finetune": "linear", "data": ["rain/train"], "seed": 1}
        votes = {"jury": ["member"], "last": ["pupil", "member"]}
        content["predictors"] = {name: {"vote": few, **SOFT} for name, few in votes.items()}
        content["score"], content["compare"] = {"last": ["rain/held-out", "rain/test"]}, {}

    def task(content):
        content["splits"] = {split: {**content["splits"]["dev"]} for split in splits}

    root = write_config(folder, recipe=recipe, task=task)
    return Study({"study": "test", "check_data": False, **(config or {})}, root=root)


def test_a_label_node_is_made_for_each_fold(tmp_path):
    graph = study_in(tmp_path).graphs["small"]
    assert graph.ids["guessed"] == [f"guessed@fold={i}" for i in range(1, 6)]
    made = graph.nodes["guessed@fold=2"]
    assert (
        made.members == ["jury"] and made.sources == ["rain/test"] and made.fit == "rain/held-out"
    )
    assert made.folds == ("pooled@fold=2",) and made.pool_part is None
    assert graph.nodes["drawn@fold=2"].budget == "guessed@fold=2" and graph.nodes[
        "drawn@fold=2"
    ].pool_part == (2, 5)
    assert graph.nodes["pupil@fold=2"].sources == ["pooled@fold=2", "guessed@fold=2"]
    assert graph.nodes["pupil@fold=2"].folds == ("pooled@fold=2",)


def test_the_spec_of_a_draw_for_a_fold_names_its_part(tmp_path):
    spec = json.loads(specs.node_spec(study_in(tmp_path / "a"), "small", "guessed@fold=2"))
    assert spec == {
        "node": "guessed@fold=2", "keep": "confidence", "share": 0.1, "balance": "gold", "seed": 1,
        "teachers": ["jury"], "fit": "rain/held-out", "classes": ["no", "yes"],
    }  # fmt: skip
    spec = json.loads(
        specs.node_spec(study_in(tmp_path / "b", {"mode": "faithful"}), "small", "guessed@fold=2")
    )
    assert (spec["keep"], spec["share"], spec["part"]) == ("random", 0.1, [2, 5])
    capped = study_in(tmp_path / "c", {"mode": "faithful", "folds": 2})
    assert json.loads(specs.node_spec(capped, "small", "guessed@fold=2"))["part"] == [2, 2]


def test_labels_of_teachers_that_learnt_what_a_fold_holds_out_mark_the_held_out_scores(tmp_path):
    """The vote over all folds has read every pooled post, so its labels may carry what each fold
    holds out.
    """
    nodes = study_in(tmp_path).graphs["small"].nodes
    for id in ("guessed@fold=2", "drawn@fold=2", "pupil@fold=2", "control@fold=2", "last"):
        assert nodes[id].fitted == ("rain/held-out",) and nodes[id].transductive, id
    for id in ("member@fold=2", "jury"):
        assert nodes[id].fitted == () and not nodes[id].transductive, id


def test_a_probability_stands_in_the_spec_where_it_is_given(tmp_path):
    above = {
        "label": "rain/unlabeled",
        "teachers": ["plain"],
        "keep": "confidence",
        "above": 0.9,
        "balance": "none",
    }
    drawn = {key: value for key, value in above.items() if key != "above"} | {
        "keep": "random",
        "budget": "above",
    }
    study = study_in(tmp_path, above=above, drawn=drawn)
    assert json.loads(specs.node_spec(study, "small", "above")) == {
        "node": "above",
        "keep": "confidence",
        "above": 0.9,
        "balance": "none",
        "seed": 1,
        "teachers": ["plain"],
        "fit": "rain/dev",
        "classes": ["no", "yes"],
    }
    assert study.graphs["small"].nodes["drawn"].budget == "above"
    assert "above" not in json.loads(specs.node_spec(study, "small", "drawn"))


def test_only_temperatures_make_a_label_fitted(tmp_path):
    """It is needed for two teachers, and for confidence or random.

    Otherwise the gold posts only show how good the labels are.
    """
    one = {"label": "rain/unlabeled", "teachers": ["plain"], "share": 0.1}
    two = {**one, "teachers": ["plain", "floor"]}
    agreed = {**two, "keep": "agreement"}
    del agreed["share"]
    nodes = (
        study_in(
            tmp_path,
            single={**one, "keep": "confidence"},
            sure={**two, "keep": "confidence"},
            dice={**two, "keep": "random"},
            agreed=agreed,
            above={**agreed, "keep": "confidence", "above": 0.9},
        )
        .graphs["small"]
        .nodes
    )
    found = {name: nodes[name].fitted for name in ("single", "agreed", "sure", "dice", "above")}
    fitted = dict.fromkeys(("sure", "dice", "above"), ("rain/dev",))
    assert found == {"single": (), "agreed": (), **fitted}
    assert {nodes[name].fit for name in found} == {"rain/dev"}


def test_without_dev_one_teacher_labels_and_two_are_not_calibrated(tmp_path):
    one = {"label": "rain/unlabeled", "teachers": ["plain"], "keep": "random", "share": 0.1}
    graph = study_in(
        tmp_path,
        splits=("train", "unlabeled", "test"),
        pooled={"fold": ["rain/train"], "k": 5, "seed": 42},
        single=one,
        dice={**one, "teachers": ["plain", "floor"]},
        agreed={"label": "rain/unlabeled", "teachers": ["plain", "floor"], "keep": "agreement"},
    ).graphs["small"]
    assert graph.nodes["single"].fit is None and graph.nodes["agreed"].fit is None
    assert graph.not_run == {"dice": "rain has no split dev, to calibrate teachers on"}


# -- a run
# -------------------------------------------------------------------------------------------

PSEUDO = {
    "title": "A vote over folds labels the test set, and models learn them",
    "tasks": {"ages": "smm4h24-task6"},
    "defaults": {"finetune": {"seed": 1}, "label": {"seed": 1, "balance": "none"}},
    "datasets": {
        "pooled": {"fold": ["ages/train", "ages/dev"], "k": 2, "seed": 42},
        "guessed": {**GUESSED, "label": "ages/test", "fit": "ages/held-out", "share": 0.5},
        "drawn": {**DRAWN, "label": "ages/test", "fit": "ages/held-out"},
    },
    "models": {
        "member": {"finetune": "linear", "data": ["pooled"]},
        "pupil": {"finetune": "linear", "data": ["pooled", "guessed"]},
        "control": {"finetune": "linear", "data": ["pooled", "drawn"]},
    },
    "predictors": {
        "jury": {"vote": ["member"], **SOFT},
        "last": {"vote": ["pupil"], **SOFT},
        "beside": {"vote": ["control"], **SOFT},
    },
    "compare": {
        "ages": {
            "chain": ["jury", "last"],
            "controls": ["beside"],
            "sets": ["ages/held-out", "ages/test"],
        }
    },
}
POSTS = {"train": 120, "dev": 60, "test": 60, "decoys": 10, "unlabeled": 30}
DEMO = {
    "title": "T",
    "recipes": ["pseudo"],
    "scale": "demo",
    "made": {"seed": 1, "posts": {"smm4h24-task6": POSTS}},
}


@pytest.mark.slow
def test_a_run_learns_labels_of_the_test_set_for_each_fold(tmp_path, forked_python):
    tree = copy_of_tree(tmp_path)
    for name, content in (("recipes/pseudo", PSEUDO), ("studies/demo", DEMO)):
        (tree / f"config/{name}.yaml").write_text(yaml.safe_dump(content))
    assert planned(tree) == set(job_graph(Study({"study": "demo"}, root=tree / "config")))
    done = snakemake(tree, python=forked_python)
    assert done.returncode == 0, done.stdout + done.stderr
    results = tree / "results/demo/pseudo"
    said = predicted(results / "vote/jury", "ages/test", "teaching").set_index("post_id")["label"]
    drawn = []
    for number in (1, 2):
        pooled = read_posts(results / f"fold/pooled@fold={number}.parquet")
        sizes = []
        for node in ("guessed", "drawn"):
            posts = read_posts(results / f"label/{node}@fold={number}.parquet")
            assert posts["label"].tolist() == said[posts["parent"]].tolist()
            sizes.append(len(posts))
        flow = json.loads((results / f"label/drawn@fold={number}.json").read_text())
        assert sizes[0] == sum(flow["budget"].values()) and 0 < sizes[1] <= sizes[0]
        assert (
            flow["fit"] == "ages/held-out"
            and flow["gold"]["n"] == len(pooled)
            and "answered" in flow
        )
        drawn.append(set(posts["parent"]))
        pupil = json.loads((results / f"finetune/pupil@fold={number}/model.json").read_text())
        member = json.loads((results / f"finetune/member@fold={number}/model.json").read_text())
        assert pupil["rows"] == member["rows"] + sizes[0]
    assert not drawn[0] & drawn[1]
    assert {
        ("jury", "ages/held-out"),
        ("last†*", "ages/held-out"),
        ("beside†", "ages/test"),
    } <= scored(tree)
    marks = pd.read_csv(tree / "results/demo/scores.csv", keep_default_na=False).groupby(
        "predictor"
    )["transductive"]
    assert marks.unique().map(list).to_dict() == {"jury": [""], "last": ["yes"], "beside": ["yes"]}
    again = snakemake(tree, "-n")
    assert "Nothing to be done" in again.stdout + again.stderr
