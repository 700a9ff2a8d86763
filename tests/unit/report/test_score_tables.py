"""Scores of several seeds make one row for each node and dataset."""

import pytest

from postgrad.report.score_tables import METRICS, NodeScores, node_scores


def entry(seed, official):
    named = {
        "predictor": f"plain@seed={seed}",
        "node": "plain",
        "axes": {"seed": seed},
        "dataset": "rain/test",
    }
    values = {"official": official, **dict.fromkeys(METRICS, 0.5)}
    return {**named, "task": "weather", "n": 4, "metric": "auc", "values": values, "per_class": [],
            "confusion": [[2, 0], [0, 2]], "abstained": 0}  # fmt: skip


def row_of(*officials):
    entries = [entry(str(seed), official) for seed, official in enumerate(officials)]
    (row,) = node_scores([{"recipe": "forecast", "entries": entries, "estimates": []}], {})
    return row


def test_a_row_has_the_keys_of_its_type():
    assert row_of(0.5).keys() == NodeScores.__annotations__.keys()


@pytest.mark.parametrize(
    "officials, expected",
    [
        ((0.25, 0.75, 0.5), (0.5, 0.25, 0.5)),
        ((0.25, None), (0.25, None, 0.25)),
        ((None, None), (None, None, None)),
    ],
)
def test_seeds_whose_metric_does_not_exist_are_left_out(officials, expected):
    """The AUC does not exist if a class has no gold posts."""
    row = row_of(*officials)
    assert (row["mean"], row["sd"], row["median"]) == expected
    assert row["seeds"] == len(officials)
