"""The section on augmented posts that copy a post on which models are scored."""

from collections.abc import Mapping
from typing import Any

from postgrad.report.sections import Entries, Section


def copies_row(flow: Mapping[str, Any], recipe: str) -> dict[str, Any]:
    """Return the counts of an augment node for the table, and check that they balance.

    Parameters
    ----------
    flow
        The counts that augment wrote.
    recipe
        The name of the recipe.

    Raises
    ------
    ValueError
        If the copies are not those that were left out and those that stay.
    """
    if sum(flow["copies"].values()) != flow["left_out"] + flow["stay"]:
        raise ValueError(
            f"flow of {flow['node']}: the number of copies is not the sum of those that were left "
            "out and those that stay; run augment again."
        )
    return {"recipe": recipe, **flow}


def entries(files: Mapping[tuple[str, str], Any]) -> Entries:
    """Return the counts of each node with copies."""
    rows = [copies_row(flow, recipe) for (recipe, _), flow in files.items()]
    return [row for row in rows if row["copies"]]


SECTION = Section(
    "augment",
    "augmented",
    "Augmented posts that copy a scored post",
    ("RECIPE", "NODE"),
    "counts of each augment node",
    entries,
)
