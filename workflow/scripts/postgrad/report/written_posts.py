"""The section on posts that language models wrote: the calls, and which posts were kept."""

from collections.abc import Mapping
from typing import Any

from postgrad.report.sections import Entries, Section


def written_table(flow: Mapping[str, Any], recipe: str) -> dict[str, Any]:
    """Return the counts of a synthesize node, and check that they balance.

    Parameters
    ----------
    flow
        The counts that synthesize wrote.
    recipe
        The name of the recipe.

    Returns
    -------
    dict
        The recipe, the node, the posts per call, `stand_in` (whether a rule wrote in place of a
        model), and the rows, one for each writer and class. To the counts of synthesize a row adds
        `left`, the number of posts that were left out, and `because`, {reason: number of calls
        without a list, or of posts that were left out}.

    Raises
    ------
    ValueError
        If the counts do not balance. Every call must have a list or none, and every post of a list
        must be kept or left out.
    """
    rows = []
    for row in flow["rows"]:
        left = {
            f"similar to a {'written post' if place == 'written' else f'post of {place}'}": n
            for place, n in row["copies"].items()
        }
        left |= {"more than wanted": row["over"]} if row["over"] else {}
        if row["calls"] != row["answered"] + sum(row["malformed"].values()):
            raise ValueError(
                f"flow of {flow['node']}: the number of calls is not the sum of answered and "
                "malformed ones; run synthesize again."
            )
        if row["answered"] * flow["per_call"] != row["kept"] + sum(left.values()):
            raise ValueError(
                f"flow of {flow['node']}: the number of posts in lists is not the sum of kept "
                "posts and those left out; run synthesize again."
            )
        because = dict([*sorted(row["malformed"].items()), *sorted(left.items())])
        rows.append({**row, "left": sum(left.values()), "because": because})
    stem = {"recipe": recipe, "node": flow["node"], "per_call": flow["per_call"]}
    return {**stem, "stand_in": any(row["stand_in"] for row in rows), "rows": rows}


def entries(files: Mapping[tuple[str, str], Any]) -> Entries:
    """Return the counts of each node."""
    return [written_table(counts, recipe) for (recipe, _), counts in files.items()]


SECTION = Section(
    "synthesize",
    "written",
    "Written posts",
    ("RECIPE", "NODE"),
    "counts of each synthesize node",
    entries,
)
