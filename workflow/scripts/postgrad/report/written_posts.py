"""The section on posts that language models wrote: calls, and what became of the posts."""

from collections.abc import Mapping
from typing import Any

from postgrad.report.sections import Entries, Section


def written_table(flow: Mapping[str, Any], recipe: str) -> dict[str, Any]:
    """Counts of a node that language models wrote, as {recipe, node, per_call, stand_in, rows}.

    rows: each writer's and class's, as synthesis.counted, with `left`, how many posts were left
    out, and `because`, {reason: how many calls without a list, or posts left out}. stand_in:
    whether a rule wrote in a model's place. Raises ValueError where the counts do not balance:
    every call has a list or none, every post in one is kept or not.
    """
    rows = []
    for row in flow["rows"]:
        left = {
            f"like one {place if place == 'written' else f'of {place}'}": n
            for place, n in row["copies"].items()
        }
        left |= {"more than wanted": row["over"]} if row["over"] else {}
        if row["calls"] != row["answered"] + sum(row["malformed"].values()):
            raise ValueError(
                f"flow of {flow['node']}: calls are not answered + malformed; run synthesize again"
            )
        if row["answered"] * flow["per_call"] != row["kept"] + sum(left.values()):
            raise ValueError(
                f"flow of {flow['node']}: posts in lists are not kept + left out; run synthesize again"
            )
        because = dict([*sorted(row["malformed"].items()), *sorted(left.items())])
        rows.append({**row, "left": sum(left.values()), "because": because})
    stem = {"recipe": recipe, "node": flow["node"], "per_call": flow["per_call"]}
    return {**stem, "stand_in": any(row["stand_in"] for row in rows), "rows": rows}


def entries(files: Mapping[tuple[str, str], Any]) -> Entries:
    """The counts of each node."""
    return [written_table(counts, recipe) for (recipe, _), counts in files.items()]


SECTION = Section(
    "synthesize",
    "written",
    "Written posts",
    ("RECIPE", "NODE"),
    "counts of each synthesize node",
    entries,
)
