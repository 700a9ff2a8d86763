"""Decide what each step of a chain is worth, by one rule for all comparisons of a report.

The rule: the p-values of all comparisons of a report are corrected by the method of Holm. A step
helps, or harms, if its corrected p-value is below .05. A step that helps is worth no more than its
control if there is a control over which its gain is not positive with a corrected p-value below
.05. Otherwise it cannot be told. The rule holds for splits on which nothing was fitted or chosen:
test and cross, and dev only if a task has no other split with gold labels. The differences on other
splits are not corrected and have no outcome.
"""

from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any, cast

from postgrad.evaluation.estimates import DifferenceEstimate, holm, needed_posts, needed_seeds
from postgrad.records.score_files import CompareFile, Difference

LEVEL = 0.05
HELPS, HARMS, UNKNOWN = "helps", "harms", "cannot be told"
NO_MORE = "no more than its control"
STEP, CONTROL, OVER_CONTROL = "step", "control", "step over control"


class Verdict(Difference):
    """A difference with its place in the report, its corrected p-value and its outcome.

    `p_holm` is None and `outcome` is empty on a split that gives no verdict, and where there is no
    difference.
    """

    recipe: str
    task: str
    dataset: str
    chain: str
    metric: str
    p_holm: float | None
    outcome: str
    control: str  # the control than which a step is worth no more, otherwise empty
    # How many posts, with these seeds, or how many seeds, on these posts, would tell a difference
    # that cannot be told, with a probability of .8. None if no number would.
    needed_posts: int | None
    needed_seeds: int | None


def verdicts(compares: Iterable[CompareFile], tasks: dict[tuple[str, str], str]) -> list[Verdict]:
    """Return all differences of a report with their outcomes.

    Parameters
    ----------
    compares
        The contents of the compare.json files.
    tasks
        {(recipe, name of a task in it): task of the study}.
    """
    rows: list[Verdict] = []
    for compare in compares:
        for chain, content in compare["chains"].items():
            for dataset, comparison in content["sets"].items():
                for difference in comparison["differences"]:
                    named = {
                        "recipe": compare["recipe"],
                        "task": tasks[compare["recipe"], dataset.split("/")[0]],
                        "dataset": dataset,
                        "chain": chain,
                        "metric": comparison["metric"] or "",
                        "p_holm": None,
                        "outcome": "",
                        "control": "",
                        "needed_posts": None,
                        "needed_seeds": None,
                    }
                    rows.append(cast(Verdict, difference | named))
    decisive = decisive_splits(rows)
    family = [
        row
        for row in rows
        if row["p"] is not None and row["dataset"].split("/")[1] in decisive[row["task"]]
    ]
    for row, corrected in zip(family, holm([row["p"] or 0.0 for row in family]), strict=True):
        row["p_holm"] = corrected
        row["outcome"] = outcome(row)
        if row["outcome"] == UNKNOWN:
            row["needed_posts"], row["needed_seeds"] = needed_numbers(row)
    for row in family:
        if row["kind"] == STEP and row["outcome"] == HELPS:
            row["control"] = equal_control(row, family)
            row["outcome"] = NO_MORE if row["control"] else HELPS
    return rows


def decisive_splits(rows: Iterable[Verdict]) -> dict[str, set[str]]:
    """Return the splits that give verdicts, by task: all with gold labels but dev, or only dev."""
    splits: dict[str, set[str]] = {}
    for row in rows:
        found = splits.setdefault(row["task"], set())
        if row["p"] is not None:
            found.add(row["dataset"].split("/")[1])
    return {task: found - {"dev"} or found for task, found in splits.items()}


def outcome(row: Verdict) -> str:
    """Return whether the second node of a difference helps or harms, or that it cannot be told."""
    if row["p_holm"] is None or row["difference"] is None or row["p_holm"] >= LEVEL:
        return UNKNOWN
    return HELPS if row["difference"] > 0 else HARMS


def needed_numbers(row: Verdict) -> tuple[int | None, int | None]:
    """Return how many posts, or how many seeds, would tell the difference as corrected here."""
    figures = cast(dict[str, Any], row)
    estimate = DifferenceEstimate(
        **{field.name: figures[field.name] for field in fields(DifferenceEstimate)}
    )
    correction = max(1.0, (row["p_holm"] or 1.0) / (row["p"] or 1.0))
    alpha = LEVEL / correction
    return needed_posts(estimate, alpha=alpha), needed_seeds(estimate, alpha=alpha)


def equal_control(step: Verdict, rows: Sequence[Verdict]) -> str:
    """Return the control over which a step has the smallest gain, if that gain is not shown.

    Return an empty string if the step is shown to be better than each of its controls, or has none.
    """
    equal = [
        row
        for row in rows
        if row["kind"] == OVER_CONTROL and is_same_step(row, step) and row["outcome"] != HELPS
    ]
    return min(equal, key=lambda row: row["difference"] or 0.0)["before"] if equal else ""


def is_same_step(one: Verdict, other: Verdict) -> bool:
    """Return whether two comparisons belong to the same step of a chain on the same dataset."""
    return (one["recipe"], one["chain"], one["dataset"], one["step"]) == (
        other["recipe"],
        other["chain"],
        other["dataset"],
        other["step"],
    )
