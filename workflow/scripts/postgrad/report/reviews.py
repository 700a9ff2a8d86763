"""The section on reviews: which predictions a language model checked, and what it changed."""

from collections.abc import Mapping
from typing import Any

from postgrad.report.sections import Entries, Section


def review_rows(facts: Mapping[str, Any], recipe: str) -> list[dict[str, Any]]:
    """A review as rows of the report, one for each dataset: its fit.json, and the counts in one
    place.

    predicted, checked, confirmed, rejected, changed and abstained are of the dataset; answers,
    tokens and stand_in are of all requests, those that fitted the gate among them.
    """
    rows = []
    for dataset, own in facts["reviews"].items():
        every = [counts for counts in (facts["gate"], own) if counts]
        row = {
            "recipe": recipe,
            "dataset": dataset,
            "abstained": sum(own["abstained"].values()),
            "answers": sum(one["answers"] for one in every),
            "tokens": sum(one["tokens_in"] + one["tokens_out"] for one in every),
            "stand_in": any(one["stand_in"] for one in every),
        }
        rows.append({**facts, **own, **row})
    return rows


def entries(files: Mapping[tuple[str, str], Any]) -> Entries:
    """A row for each node and dataset."""
    return [row for (recipe, _), facts in files.items() for row in review_rows(facts, recipe)]


SECTION = Section(
    "review", "review", "Reviews", ("RECIPE", "NODE"), "scored.fit.json of each review", entries
)
