"""The copies of scored posts among augmented ones are shown, and counts that differ are refused."""

import pytest

from postgrad.report.augmented_posts import copies_row, entries

FLOW = {
    "node": "more",
    "made": 9,
    "left_out": 2,
    "stay": 1,
    "copies": {"also in test": 1, "near-copy of a post in dev": 2},
    "least": {"post_id": "a", "partner": "b", "similarity": 0.8},
}
CLEAN = {"node": "other", "made": 3, "left_out": 0, "stay": 0, "copies": {}, "least": None}


def test_only_nodes_with_copies_are_shown():
    files = {("small", "more"): FLOW, ("small", "other"): CLEAN}
    assert entries(files) == [{"recipe": "small", **FLOW}]


def test_counts_that_do_not_balance_are_refused():
    with pytest.raises(ValueError, match="flow of more: the number of copies is not the sum"):
        copies_row(FLOW | {"stay": 2}, "small")
