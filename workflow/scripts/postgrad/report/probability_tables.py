"""Tables of probabilities and subgroups, made from outcomes.parquet, for the page and CSV files.

Curves, thresholds and subgroups are those of the last node of each chain and of its floor. Posts of
several seeds count together in a curve, and all other figures are means over the seeds. No table
contains the text of a post.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from postgrad.evaluation import probabilities
from postgrad.evaluation.estimates import GoldPosts, estimate_score
from postgrad.evaluation.node_estimates import gold_posts, seed_predictions, stable_seed
from postgrad.evaluation.probabilities import Curve
from postgrad.records.outcomes import Outcomes
from postgrad.records.predictions import prediction_matrix
from postgrad.records.score_files import CompareFile, ScoreEntry
from postgrad.report.score_tables import NodeScores, last_nodes, mean_and_sd

CURVES = ("recipe", "node", "dataset", "curve", "x", "y", "n")
CALIBRATION = (
    "recipe",
    "node",
    "dataset",
    "posts",
    "seeds",
    "confidence",
    "accuracy",
    "ece",
    "brier",
    "aurc",
)
THRESHOLDS = (
    "recipe",
    "node",
    "dataset",
    "threshold",
    "precision",
    "recall",
    "f1",
    "flagged",
    "posts",
    "seeds",
)
SUBGROUPS = (
    "recipe",
    "task",
    "dataset",
    "metric",
    "node",
    "role",
    "column",
    "value",
    "posts",
    "seeds",
    "mean",
    "low",
    "high",
)
RELIABILITY, RISK, PRECISION = "reliability", "risk_coverage", "precision_recall"
LAST, FLOOR = "last node", "floor"
OTHER = "other"
MIN_POSTS = 20  # of a subgroup; the posts of smaller ones count together
MOST_VALUES = 12  # of a column
SUBGROUP_DRAWS = 2000


def shown_nodes(
    rows: Iterable[NodeScores], compares: Iterable[CompareFile]
) -> list[tuple[str, NodeScores]]:
    """Return the last node of each chain on each dataset with scores, followed by the floor.

    Each comes with its role, `LAST` or `FLOOR`. A floor that is itself the last node comes once.
    """
    scored = [row for row in rows if row["seeds"]]
    by_key = {(row["recipe"], row["node"], row["dataset"]): row for row in scored}
    floors = {(row["recipe"], row["dataset"]): row for row in scored if row["is_floor"]}
    found: dict[tuple[str, str, str], tuple[str, NodeScores]] = {}
    for recipe, node, dataset in last_nodes(compares):
        last, floor = by_key.get((recipe, node, dataset)), floors.get((recipe, dataset))
        for role, row in ((LAST, last), (FLOOR, floor)):
            if last and row:
                found.setdefault((recipe, row["node"], dataset), (role, row))
    return list(found.values())


def scored_entries(row: NodeScores) -> list[ScoreEntry]:
    """Return the entries of the seeds that have scores."""
    return [entry for entry in row["entries"] if entry["n"]]


def seed_outcomes(row: NodeScores, outcomes: Mapping[str, Outcomes]) -> list[pd.DataFrame]:
    """Return the outcomes of each seed of a node on one dataset."""
    found = [
        outcomes[row["recipe"]].posts(entry["predictor"], row["dataset"])
        for entry in scored_entries(row)
    ]
    return [frame for frame in found if frame is not None]


def positive_codes(entry: ScoreEntry) -> list[int]:
    """Return the classes that a probability curve separates from the others.

    These are the positive classes of the task, and class 1 of two classes if it names none. With
    more classes and no positive one there are none.
    """
    return entry["positive"] or ([1] if len(entry["per_class"]) == 2 else [])


def confidences(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return the confidence of each answer, NaN for an abstention, and whether it is correct."""
    labels = frame["label"].to_numpy()
    return (
        probabilities.label_confidence(labels, prediction_matrix(frame)),
        labels == frame["gold"].to_numpy(),
    )


def curve_rows(
    shown: Iterable[tuple[str, NodeScores]], outcomes: Mapping[str, Outcomes]
) -> list[dict[str, Any]]:
    """Return the rows of curves.csv: the points of three curves of each node.

    reliability: x is the confidence and y the share of correct answers. risk_coverage: x is the
    share of the posts that are answered and y the share of wrong answers. precision_recall: x is
    recall and y precision. The rows of one curve are in the order in which they are drawn.
    """
    rows: list[dict[str, Any]] = []
    for _, row in shown:
        frames = seed_outcomes(row, outcomes)
        if not frames:
            continue
        frame = pd.concat(frames, ignore_index=True)
        confidence, correct = confidences(frame)
        curves = {
            RELIABILITY: probabilities.reliability_curve(confidence, correct),
            RISK: probabilities.risk_coverage_curve(confidence, correct).thinned(),
        }
        if positive := positive_codes(scored_entries(row)[0]):
            score = probabilities.positive_probability(prediction_matrix(frame), positive)
            is_positive = frame["gold"].isin(positive).to_numpy()
            curves[PRECISION] = probabilities.precision_recall_points(is_positive, score).thinned()
        named = {key: row[key] for key in ("recipe", "node", "dataset")}
        for name, curve in curves.items():
            rows += [named | {"curve": name, **point} for point in _points(curve)]
    return rows


def _points(curve: Curve) -> Iterator[dict[str, Any]]:
    for x, y, n in zip(curve.x, curve.y, curve.n, strict=True):
        yield {"x": float(x), "y": float(y), "n": int(n)}


def calibration_rows(
    rows: Iterable[NodeScores], outcomes: Mapping[str, Outcomes]
) -> list[dict[str, Any]]:
    """Return the rows of probabilities.csv, one for each node and dataset.

    `confidence` and `accuracy` are means over the posts with an answer; `ece` is the expected
    calibration error, and `aurc` the area under the curve of risk against coverage.
    """
    found = []
    for row in rows:
        frames = seed_outcomes(row, outcomes)
        per_seed = [_calibration(frame) for frame in frames]
        if per_seed:
            named = {key: row[key] for key in ("recipe", "node", "dataset")}
            means = {key: mean_and_sd([seed[key] for seed in per_seed])[0] for key in per_seed[0]}
            found.append(named | {"posts": row["n"], "seeds": len(frames), **means})
    return found


def _calibration(frame: pd.DataFrame) -> dict[str, float | None]:
    """Return the measures of calibration of one seed on one dataset."""
    confidence, correct = confidences(frame)
    answered = ~np.isnan(confidence)
    curve = probabilities.reliability_curve(confidence, correct)
    risk = probabilities.risk_coverage_curve(confidence, correct)
    return {
        "confidence": float(confidence[answered].mean()) if answered.any() else None,
        "accuracy": float(correct[answered].mean()) if answered.any() else None,
        "ece": probabilities.expected_calibration_error(curve),
        "brier": probabilities.brier_score(frame["gold"].to_numpy(), prediction_matrix(frame)),
        "aurc": probabilities.area_under_risk_coverage(risk),
    }


def threshold_rows(
    shown: Iterable[tuple[str, NodeScores]], outcomes: Mapping[str, Outcomes]
) -> list[dict[str, Any]]:
    """Return the rows of thresholds.csv: means over the seeds for each threshold.

    Only tasks of two classes have them.
    """
    rows: list[dict[str, Any]] = []
    for _, row in shown:
        entry = scored_entries(row)[0]
        positive = positive_codes(entry)
        frames = seed_outcomes(row, outcomes)
        if len(entry["per_class"]) != 2 or len(positive) != 1 or not frames:
            continue
        tables = [
            probabilities.threshold_table(
                frame["gold"].isin(positive).to_numpy(),
                probabilities.positive_probability(prediction_matrix(frame), positive),
            )
            for frame in frames
        ]
        for same in zip(*tables, strict=True):
            rows.append(
                {
                    "recipe": row["recipe"],
                    "node": row["node"],
                    "dataset": row["dataset"],
                    "threshold": same[0].threshold,
                    **{
                        key: float(np.mean([getattr(scores, key) for scores in same]))
                        for key in ("precision", "recall", "f1", "flagged")
                    },
                    "posts": row["n"],
                    "seeds": len(frames),
                }
            )
    return rows


def length_bands(words: np.ndarray) -> np.ndarray:
    """Return a name for the third of the posts to which each belongs by its number of words.

    Examples
    --------
    >>> length_bands(np.array([1, 2, 3, 4, 5, 6])).tolist()[::2]
    ['up to 2 words', '3 to 4 words', '5 words or more']
    """
    low, high = (int(cut) for cut in np.quantile(words, [1 / 3, 2 / 3], method="inverted_cdf"))
    middle = f"{low + 1} to {high} words" if high > low + 1 else f"{high} words"
    names = np.array([f"up to {low} words", middle, f"{high + 1} words or more"], dtype=object)
    return np.asarray(names[(words > low).astype(int) + (words > high)])


def common_values(values: pd.Series) -> pd.Series:
    """Return the value of each post, with `OTHER` for rare ones and null for posts without one.

    Examples
    --------
    >>> common_values(pd.Series(["a"] * 20 + ["b"] * 3 + [None])).value_counts().to_dict()
    {'a': 20, 'other': 3}
    """
    counts = values.value_counts()
    kept = counts[counts >= MIN_POSTS].index[:MOST_VALUES]
    return values.where(values.isin(kept) | values.isna(), OTHER)


def subgroup_columns(posts: pd.DataFrame) -> dict[str, pd.Series]:
    """Return the subgroup of each post by platform, length, keyword and the columns under `groups`.

    A column in which fewer than two subgroups have `MIN_POSTS` posts is left out.
    """
    columns = {
        "platform": common_values(posts["platform"]),
        "length": pd.Series(length_bands(posts["words"].to_numpy()), index=posts.index),
        "keyword": common_values(posts["keyword"]),
    }
    if "groups" in posts:
        values = [dict(pairs) if pairs is not None else {} for pairs in posts["groups"]]
        for name in dict.fromkeys(name for pairs in values for name in pairs):
            own = pd.Series([pairs.get(name) for pairs in values], index=posts.index)
            columns[name] = common_values(own)
    return {
        name: column
        for name, column in columns.items()
        if (column.value_counts() >= MIN_POSTS).sum() > 1
    }


def subgroup_rows(
    shown: Iterable[tuple[str, NodeScores]], outcomes: Mapping[str, Outcomes]
) -> list[dict[str, Any]]:
    """Return the rows of subgroups.csv: the official metric on each subgroup, with an interval.

    A subgroup on which the metric does not exist has no figures.
    """
    rows: list[dict[str, Any]] = []
    for role, row in shown:
        entries = scored_entries(row)
        predictors = [entry["predictor"] for entry in entries]
        frames = outcomes[row["recipe"]].same_posts(predictors, row["dataset"])
        if frames is None:
            continue
        for column, values in subgroup_columns(frames[0]).items():
            for value in _shown_values(column, values, frames[0]["words"]):
                inside = (values == value).to_numpy()
                rows.append(
                    {
                        **{
                            key: row[key]
                            for key in ("recipe", "task", "dataset", "metric", "node", "seeds")
                        },
                        "role": role,
                        "column": column,
                        "value": value,
                        "posts": int(inside.sum()),
                        **_subgroup_score([frame[inside] for frame in frames], entries[0], value),
                    }
                )
    return rows


def _shown_values(column: str, values: pd.Series, words: pd.Series) -> list[str]:
    """Return the subgroups of at least `MIN_POSTS` posts, as they are shown.

    Lengths begin with the shortest, and other subgroups with the largest. `OTHER` is the last.
    """
    counts, lengths = values.value_counts(), words.groupby(values).mean()
    found = [value for value in counts.index if counts[value] >= MIN_POSTS]
    order = lengths if column == "length" else -counts
    return sorted(found, key=lambda value: (value == OTHER, order[value], value))


def _subgroup_score(
    frames: Sequence[pd.DataFrame], entry: ScoreEntry, value: str
) -> dict[str, float | None]:
    """Return the mean of the official metric over seeds on some posts, and its interval."""
    posts: GoldPosts = gold_posts(frames[0], entry)
    seed = stable_seed(entry["node"], entry["dataset"], value)
    estimate = estimate_score(
        posts, seed_predictions(frames), entry["metric"], seed, draws=SUBGROUP_DRAWS
    )
    keys = ("mean", "low", "high")
    return {key: getattr(estimate, key) if estimate else None for key in keys}
