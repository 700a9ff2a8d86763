"""Agreement of two teachers, its controls and its audit, and the command itself."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from postgrad.agreement import (
    agreed,
    audit,
    calibration,
    cohens_kappa,
    joined,
    kept,
    most_confident,
    nll,
    prior_matched,
    temperature,
)
from postgrad.posts import DROPPED, write_posts, write_table
from postgrad.predictions import ABSTAIN, softmax, write_predictions


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
    assert agreed([FIRST, SECOND]).tolist() == [True, True, False, True, False, True]
    silent = FIRST.assign(label=[ABSTAIN, 1, 0, 1, 0, 1])
    assert agreed([silent, SECOND])[0] == np.False_
    assert not agreed([silent, SECOND.assign(label=[ABSTAIN, 1, 1, 1, 0, 1])])[0]


def test_all_agreed_posts_are_kept():
    rows, labels, shortfall = kept([FIRST, SECOND], [1.0, 1.0], "agreement")
    assert rows.tolist() == [0, 1, 3, 5] and labels.tolist() == [0, 1, 1, 1] and shortfall.tolist() == [0, 0]


def test_the_prior_of_gold_leaves_the_largest_subset_in_its_proportions():
    labels = np.array([0] * 30 + [1] * 100 + [2] * 9)
    rows = prior_matched(labels, [60, 30, 10], seed=1)
    assert np.bincount(labels[rows], minlength=3).tolist() == [30, 15, 5]  # class 0 is the scarce one
    assert rows.tolist() == sorted(set(rows.tolist()))
    assert prior_matched(labels, [60, 30, 10], seed=1).tolist() == rows.tolist()
    assert prior_matched(labels, [60, 30, 10], seed=2).tolist() != rows.tolist()
    assert prior_matched(labels, [1, 1, 0], seed=1).tolist()[:30] == list(range(30))
    assert len(prior_matched(np.array([0, 0]), [1, 1], seed=1)) == 0
    with pytest.raises(ValueError, match="no gold posts"):
        prior_matched(labels, [0, 0, 0], seed=1)


def test_balance_is_drawn_among_agreed_posts_only():
    rows, labels, _ = kept([FIRST, SECOND], [1.0, 1.0], "agreement", prior=[1, 1])
    assert labels.tolist() == [0, 1] and rows[0] == 0 and rows[1] in (1, 3, 5)


def test_temperature_undoes_a_known_scaling():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(4000, 3)) * 2
    gold = np.array([rng.choice(3, p=p) for p in softmax(logits)])
    assert temperature(logits, gold) == pytest.approx(1.0, abs=0.06)
    assert temperature(logits * 4, gold) == pytest.approx(4 * temperature(logits, gold), rel=1e-4)
    assert temperature(logits / 3, gold) == pytest.approx(temperature(logits, gold) / 3, rel=1e-4)


def test_temperature_is_the_lowest_nll_of_a_fine_grid():
    logits, gold = np.array([[2.0, 0.0], [0.0, 3.0], [1.0, 0.0], [0.5, 0.0]]), np.array([0, 1, 1, 0])
    best = min(np.exp(np.linspace(-2.9, 2.9, 5001)), key=lambda t: nll(logits, gold, t))
    assert temperature(logits, gold) == pytest.approx(best, rel=3e-3)
    assert nll(np.array([[0.0, 0.0]]), np.array([1]), 5.0) == pytest.approx(np.log(2))


def test_abstentions_play_no_part_in_calibration():
    gold = np.array([0, 1, 1, 0, 0, 1])
    mute = FIRST.assign(label=[0, 1, 0, 1, ABSTAIN, ABSTAIN])
    assert calibration(mute, gold) == calibration(FIRST[:4], gold[:4])
    assert calibration(FIRST.assign(label=ABSTAIN), gold) is None


def test_the_most_confident_of_each_class_and_then_of_all():
    yes = np.array([0.9, 0.6, 0.8, 0.3, 0.7, 0.55])  # five of class 1, one of class 0
    rows, shortfall = most_confident(np.stack([1 - yes, yes], axis=1), [1, 2])
    assert rows.tolist() == [0, 2, 3] and shortfall.tolist() == [0, 0]
    rows, shortfall = most_confident(np.stack([1 - yes, yes], axis=1), [3, 1])
    assert rows.tolist() == [0, 2, 3, 4] and shortfall.tolist() == [2, 0]
    rows, shortfall = most_confident(np.stack([1 - yes, yes], axis=1), [3, 9])
    assert rows.tolist() == [0, 1, 2, 3, 4, 5] and shortfall.tolist() == [2, 4]


def test_of_equally_confident_posts_the_earlier_one_counts():
    rows, _ = most_confident(np.tile([0.2, 0.8], (300, 1)), [0, 7])
    assert rows.tolist() == [0, 1, 2, 3, 4, 5, 6]


def test_confidence_is_of_the_calibrated_mean():
    # Uncalibrated the first teacher's 9 wins on a; at its temperature of 18 the second decides.
    pair = [teacher([[9, 0], [0, 0.1]]), teacher([[0, 2], [0, 2]])]
    _, labels, _ = kept(pair, [1.0, 1.0], "confidence", budget=[1, 1])
    assert labels.tolist() == [0, 1]
    rows, labels, shortfall = kept(pair, [18.0, 1.0], "confidence", budget=[1, 1])
    assert rows.tolist() == [0, 1] and labels.tolist() == [1, 1] and shortfall.tolist() == [1, 0]


def test_random_posts_are_as_many_as_the_budget_and_hang_on_the_seed():
    rng = np.random.default_rng(1)
    ids = [f"{i:03}" for i in range(100)]
    pair = [teacher(rng.normal(size=(100, 2)), ids=ids) for _ in range(2)]
    draws = [kept(pair, [1.0, 1.0], "random", budget=[10, 5], seed=seed) for seed in (1, 1, 2)]
    assert draws[0][0].tolist() == draws[1][0].tolist() != draws[2][0].tolist()
    assert len(draws[0][0]) == 15 and len(set(draws[0][0])) == 15
    mean = np.mean([np.stack(frame["probs"]) for frame in pair], axis=0)
    assert draws[0][1].tolist() == mean[draws[0][0]].argmax(axis=1).tolist()
    assert len(kept(pair, [1.0, 1.0], "random", budget=[99, 99])[0]) == 100


def test_controls_leave_out_abstentions():
    mute = FIRST.assign(label=[ABSTAIN, 1, 0, 1, 0, 1])
    for keep in ("confidence", "random"):
        assert 0 not in kept([mute, SECOND], [1.0, 1.0], keep, budget=[9, 9])[0]


@pytest.mark.parametrize(
    "options, fault",
    [
        ({"keep": "luck"}, "'luck' does not exist"),
        ({"keep": "random"}, "needs a budget"),
        ({"keep": "confidence", "budget": [1, 1], "temperatures": [1.0, None]}, "needs gold posts in dev"),
    ],
)
def test_impossible_options_are_refused(options, fault):
    with pytest.raises(ValueError, match=fault):
        kept(**{"pair": [FIRST, SECOND], "temperatures": [1.0, 1.0], **options})


def test_teachers_are_joined_on_the_posts_that_both_scored():
    pair = joined(teacher([[1, 0], [2, 0], [3, 0]], ids="cab"), teacher([[5, 0], [6, 0]], ids="bc"), "PQ", 2)
    assert pair[0]["post_id"].tolist() == pair[1]["post_id"].tolist() == ["b", "c"]
    assert [row[0] for row in pair[0]["logits"]] == [3, 1] and [row[0] for row in pair[1]["logits"]] == [5, 6]
    with pytest.raises(ValueError, match="P and Q share no scored post"):
        joined(teacher([[1, 0]], ids="a"), teacher([[1, 0]], ids="b"), "PQ", 2)
    with pytest.raises(ValueError, match="teacher P does not give one logit for each of 3"):
        joined(FIRST, SECOND, "PQ", 3)


def test_kappa():
    a, b = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
    assert cohens_kappa(a, b) == pytest.approx(0.5)  # observed .75, by chance .5
    assert cohens_kappa(a, a) == 1 and cohens_kappa(a, 1 - a) == -1
    assert cohens_kappa(np.zeros(3), np.zeros(3)) is None and cohens_kappa(a[:0], b[:0]) is None


def test_audit_on_gold():
    gold = np.array([0, 1, 0, 0, 0, 1])  # agreed: a 0, b 1, d 1, f 1; d is wrong
    found = audit([FIRST, SECOND], gold, 2)
    assert found["n"] == 6 and found["agreed"] == pytest.approx(4 / 6)
    assert found["classes"]["0"] == {"agreed": 1, "accuracy": 1.0, "coverage": 0.5}
    assert found["classes"]["1"] == {"agreed": 3, "accuracy": pytest.approx(2 / 3), "coverage": 1.0}
    assert found["accuracy"] == [5 / 6, 4 / 6]
    answered = [np.array([0, 1, 0, 1, 1]), np.array([0, 1, 1, 1, 1])]  # without the tie on e
    assert found["kappa"] == cohens_kappa(*answered)


class Case:
    """A pool of six posts, one of them dropped, two teachers, gold and dev, as files in a folder."""

    def __init__(self, folder, second=SECOND):
        self.folder = folder
        for name, ids, labels in (
            ("pool", "abcdefg", [None] * 7),
            ("train", "klmn", [0, 1, 1, 1]),
            ("dev", "uvwxyz", [0, 1, 0, 0, 0, 1]),
        ):
            frame = pd.DataFrame({"post_id": list(ids), "label": pd.array(labels, dtype="Int64"), "origin": "gold"})
            write_posts(frame.assign(text=[f"secret {post_id}" for post_id in ids]), folder / f"{name}.parquet")
        write_table(pd.DataFrame([("f", "pool", "exact")], columns=DROPPED.names), folder / "drop.parquet", DROPPED)
        for name, frame in (("first", FIRST), ("second", second)):
            write_predictions(frame["post_id"], np.stack(frame["logits"]), folder / f"{name}.parquet")
            write_predictions("uvwxyz", np.stack(frame["logits"]), folder / f"{name}-dev.parquet")

    def run(self, node, keep, balance="none", budget=()):
        spec = {
            "node": node,
            "keep": keep,
            "balance": balance,
            "seed": 1,
            "teachers": ["P", "Q"],
            "classes": ["no", "yes"],
        }
        files = {key: self.folder / f"{name}.parquet" for key, name in (("--pool", "pool"), ("--drop", "drop"))}
        files |= {"--gold": self.folder / "train.parquet", "--dev": self.folder / "dev.parquet"}
        files |= {"--out": self.folder / f"{node}.parquet", "--flow": self.folder / f"{node}.json"}
        command = [sys.executable, "workflow/scripts/label.py", "--spec", json.dumps(spec), "--budget", *budget]
        command += [part for option in files.items() for part in option]
        command += ["--predictions", self.folder / "first.parquet", self.folder / "second.parquet"]
        command += ["--dev-predictions", self.folder / "first-dev.parquet", self.folder / "second-dev.parquet"]
        return subprocess.run(command, capture_output=True, text=True)

    def read(self, node):
        posts = pq.read_table(self.folder / f"{node}.parquet").to_pylist()
        return posts, json.loads((self.folder / f"{node}.json").read_text())


def test_command_keeps_agreed_posts(tmp_path):
    case = Case(tmp_path)
    done = case.run("agreed", "agreement")
    assert done.returncode == 0, done.stderr
    posts, flow = case.read("agreed")
    assert [(post["parent"], post["label"]) for post in posts] == [("a", 0), ("b", 1), ("d", 1)]  # f is dropped
    assert [post["post_id"] for post in posts] == ["a~agreed~0", "b~agreed~0", "d~agreed~0"]
    assert {post["origin"] for post in posts} == {"label"} and posts[0]["text"] == "secret a"
    assert np.allclose(posts[0]["teachers"], [softmax([[3, 0]])[0], softmax([[1, 0]])[0]])
    assert flow["pool"] == 6 and flow["scored"] == 5 and flow["agreed"] == {"0": 1, "1": 2} == flow["kept"]
    assert flow["budget"] is None and flow["shortfall"] == {"0": 0, "1": 0}
    assert flow["teachers"] == ["P", "Q"] and len(flow["temperatures"]) == 2 and flow["node"] == "agreed"
    assert flow["dev"]["n"] == 6 and flow["dev"]["accuracy"] == [round(5 / 6, 10), round(4 / 6, 10)]
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
    assert flow["dev"] is None and flow["temperatures"] == [None, None] and flow["kept"] == {"0": 1, "1": 2}
    done = case.run("sure", "confidence", budget=[tmp_path / "agreed.parquet"])
    assert done.returncode == 1 and "needs gold posts in dev" in done.stderr
