"""The section on reviews: which predictions a language model checked, and what it changed."""

from collections.abc import Mapping
from typing import Any

from postgrad.report.sections import Entries, Section


def review_rows(facts: Mapping[str, Any], recipe: str) -> list[dict[str, Any]]:
    """Return the rows of a review, one for each dataset.

    A row contains the content of the fit.json and the counts of the dataset. The numbers of
    answers and tokens, and whether a stand-in answered, also include the requests for the fit of
    the gate.

    Parameters
    ----------
    facts
        The content of scored.fit.json.
    recipe
        The name of the recipe.
    """
    rows = []
    for dataset, own in facts["reviews"].items():
        requests = [counts for counts in (facts["gate"], own) if counts]
        row = {
            "recipe": recipe,
            "dataset": dataset,
            "abstained": sum(own["abstained"].values()),
            "answers": sum(counts["answers"] for counts in requests),
            "tokens": sum(counts["tokens_in"] + counts["tokens_out"] for counts in requests),
            "stand_in": any(counts["stand_in"] for counts in requests),
        }
        rows.append({**facts, **own, **row})
    return rows


def entries(files: Mapping[tuple[str, str], Any]) -> Entries:
    """Return a row for each node and dataset."""
    return [row for (recipe, _), facts in files.items() for row in review_rows(facts, recipe)]


SECTION = Section(
    "review", "review", "Reviews", ("RECIPE", "NODE"), "scored.fit.json of each review", entries
)
