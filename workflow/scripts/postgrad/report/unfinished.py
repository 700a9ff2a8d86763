"""What a report of a study that has not finished says of what is missing."""

from collections.abc import Mapping
from typing import Any

SHOWN = 3  # failed jobs that the text names; the page has all


def unfinished_text(so_far: Mapping[str, Any] | None) -> str:
    """Return the lines that stand first in the texts of a report; empty if nothing is missing.

    Parameters
    ----------
    so_far
        `jobs`, `made` and `failed` are numbers of jobs. `missing` has rows with verb, nodes, reason
        and log. None for the report of a finished study.

    Examples
    --------
    >>> row = {"verb": "finetune", "nodes": ["plain"], "reason": "failed", "log": "plain.log"}
    >>> print(unfinished_text({"jobs": 5, "made": 3, "failed": 1, "missing": [row]}))
    Not finished: 3 of 5 jobs have a result, and 1 failed. Scores are of what there is.
      failed: finetune plain, see plain.log
    <BLANKLINE>
    <BLANKLINE>
    """
    if not so_far or not so_far["missing"]:
        return ""
    lines = [unfinished_sentence(so_far)]
    failed = [row for row in so_far["missing"] if row["reason"] == "failed"]
    lines += [
        f"  failed: {row['verb']} {', '.join(row['nodes'])}, see {row['log']}"
        for row in failed[:SHOWN]
    ]
    if more := len(failed) - SHOWN:
        lines += [f"  failed: {more} more, which the report names"] if more > 0 else []
    return "\n".join(lines) + "\n\n"


def unfinished_sentence(so_far: Mapping[str, Any]) -> str:
    """Return a sentence on the number of jobs that have a result."""
    failed = f", and {so_far['failed']} failed" if so_far["failed"] else ""
    return (
        f"Not finished: {so_far['made']} of {so_far['jobs']} jobs have a result{failed}. "
        "Scores are of what there is."
    )
