"""Curves, calibration, thresholds and subgroups of made-up outcomes, small enough to check."""

import numpy as np
import pandas as pd
import pytest
from made_outcomes import GOLD, PLAIN, POSTS, answers, grouped, study
from sklearn.metrics import f1_score

from postgrad.records.outcomes import read_outcomes, write_outcomes
from postgrad.report.probability_tables import (
    CALIBRATION,
    CURVES,
    FLOOR,
    LAST,
    SUBGROUPS,
    THRESHOLDS,
    calibration_rows,
    curve_rows,
    subgroup_rows,
    threshold_rows,
)


def test_the_last_node_and_its_floor_are_shown():
    shown, _, _ = study(*PLAIN, answers("floor", 3), answers("other", 4))
    assert [(role, row["node"]) for role, row in shown] == [(LAST, "plain"), (FLOOR, "floor")]
    shown, _, _ = study(answers("floor", 3), last="floor")
    assert [(role, row["node"]) for role, row in shown] == [(LAST, "floor")]
    assert study(answers("floor", 3))[0] == []  # the last node was not run


def test_curves_have_the_posts_of_all_seeds():
    shown, _, outcomes = study(*PLAIN)
    rows = pd.DataFrame(curve_rows(shown, outcomes), columns=CURVES)
    reliability, risk, precision = (
        rows[rows["curve"] == name] for name in ("reliability", "risk_coverage", "precision_recall")
    )
    assert reliability["n"].sum() == 2 * POSTS - 6
    last = risk.iloc[-1]
    errors = sum((frame["label"] != frame["gold"]).sum() for _, frame in PLAIN)
    assert (last["x"], last["n"]) == (1, 2 * POSTS)
    assert last["y"] == pytest.approx(errors / (2 * POSTS))
    assert (precision.iloc[0]["x"], precision.iloc[0]["y"]) == (1, 0.5)
    assert len(precision) <= 100


def test_a_task_without_positive_classes_has_no_precision_against_recall():
    three = answers("plain", 1, labels=("a", "b", "c"), positive=())
    shown, _, outcomes = study(three)
    assert {row["curve"] for row in curve_rows(shown, outcomes)} == {"reliability", "risk_coverage"}
    assert threshold_rows(shown, outcomes) == []


def test_calibration_has_a_row_for_every_predictor():
    _, rows, outcomes = study(*PLAIN, answers("floor", 3))
    plain, floor = calibration_rows(rows, outcomes)
    assert set(plain) == set(CALIBRATION)
    assert (plain["node"], plain["seeds"], plain["posts"]) == ("plain", 2, POSTS)
    squares = [np.mean((np.stack(frame["probs"])[:, 1] - frame["gold"]) ** 2) for _, frame in PLAIN]
    assert plain["brier"] == pytest.approx(np.mean(squares))
    assert floor["seeds"] == 1


def test_thresholds_are_means_over_the_seeds():
    shown, _, outcomes = study(*PLAIN)
    rows = pd.DataFrame(threshold_rows(shown, outcomes), columns=THRESHOLDS)
    half = rows[rows["threshold"] == 0.5].iloc[0]
    flagged = [np.stack(frame["probs"])[:, 1] >= 0.5 for _, frame in PLAIN]
    assert half["f1"] == pytest.approx(np.mean([f1_score(GOLD, own) for own in flagged]))
    assert half["flagged"] == np.mean([own.sum() for own in flagged])


def test_without_subgroups_there_are_no_rows():
    shown, _, outcomes = study(*PLAIN)  # one platform, one length, no keyword
    assert subgroup_rows(shown, outcomes) == []


def test_a_subgroup_is_scored_as_its_posts_alone():
    platforms = ["reddit"] * 25 + ["twitter"] * 25 + ["blog"] * 10
    shown, _, outcomes = study(*grouped(platform=platforms, words=np.arange(POSTS)))
    rows = pd.DataFrame(subgroup_rows(shown, outcomes), columns=SUBGROUPS)
    assert list(zip(rows["column"], rows["value"], rows["posts"], strict=True)) == [
        ("platform", "reddit", 25),  # 10 posts are too few
        ("platform", "twitter", 25),
        ("length", "up to 19 words", 20),
        ("length", "20 to 39 words", 20),
        ("length", "40 words or more", 20),
    ]
    reddit = rows.iloc[0]
    expected = [
        f1_score(frame["gold"][:25], frame["label"][:25], labels=[0, 1], average="macro")
        for _, frame in PLAIN
    ]
    assert reddit["mean"] == pytest.approx(np.mean(expected))
    assert reddit["low"] <= reddit["mean"] <= reddit["high"]
    assert (reddit["role"], reddit["seeds"]) == (LAST, 2)


def test_columns_under_groups_come_back_from_the_file(tmp_path):
    groups = [[("country", "FR")]] * 25 + [[("country", "DE")]] * 30 + [[]] * 5
    frames = [frame.assign(groups=groups) for _, frame in PLAIN]
    write_outcomes(frames, tmp_path / "outcomes.parquet")
    shown, _, _ = study(*PLAIN)
    rows = subgroup_rows(shown, {"sky": read_outcomes(tmp_path / "outcomes.parquet")})
    assert [(row["column"], row["value"], row["posts"]) for row in rows] == [
        ("country", "DE", 30),
        ("country", "FR", 25),
    ]
