"""The section on reviews: which predictions a language model checked, and what it changed."""

from collections.abc import Mapping
from typing import Any

from postgrad.report.sections import Entries, Section


def review_row(facts: Mapping[str, Any], recipe: str, dataset: str) -> dict[str, Any]:
    """A review of one dataset's predictions as a row of the report: its fit.json, and the counts in one place.

    predicted, checked, confirmed, rejected, changed and abstained are of the dataset; answers, tokens and stand_in are
    of all requests, those that fitted the gate among them.
    """
    own, every = facts["reviews"]["dataset"], list(facts["reviews"].values())
    return {
        **facts,
        **own,
        "recipe": recipe,
        "dataset": dataset,
        "abstained": sum(own["abstained"].values()),
        "answers": sum(one["answers"] for one in every),
        "tokens": sum(one["tokens_in"] + one["tokens_out"] for one in every),
        "stand_in": any(one["stand_in"] for one in every),
    }


def entries(files: Mapping[tuple[str, str, str], Any]) -> Entries:
    """A row for each node and dataset."""
    return [review_row(facts, recipe, dataset) for (recipe, _, dataset), facts in files.items()]


SECTION = Section("review", "review", "Reviews", ("RECIPE", "NODE", "DATASET"), "fit.json of each review", entries)
