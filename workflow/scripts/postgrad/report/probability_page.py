"""Arrange probabilities and subgroups for the page, and write their CSV files and figures."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from postgrad.records.outcomes import Outcomes
from postgrad.records.score_files import CompareFile
from postgrad.report import probability_tables as tables
from postgrad.report.figures import figure_svg
from postgrad.report.probability_figures import curves_figure, empty_figure
from postgrad.report.score_tables import NodeScores
from postgrad.report.verdict_text import csv_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TENTHS = [step / 10 for step in range(1, 10)]  # the thresholds that the page shows


@dataclass(frozen=True)
class ProbabilityReport:
    """What a report says of probabilities and subgroups.

    Attributes
    ----------
    files : dict
        {name: text} of the CSV files.
    figures : list of Figure
        The curves, a figure for each recipe and dataset; at least one figure.
    page : dict
        The variables of report.probabilities.j2 and report.subgroups.j2.
    """

    files: dict[str, str]
    figures: "list[Figure]"
    page: dict[str, Any]


def probability_report(
    rows: Sequence[NodeScores],
    compares: Iterable[CompareFile],
    outcomes: Mapping[str, Outcomes],
) -> ProbabilityReport:
    """Return the tables, figures and page variables of probabilities and subgroups.

    Parameters
    ----------
    rows
        The scores of all nodes.
    compares
        The contents of the compare.json files.
    outcomes
        The outcomes of each recipe.
    """
    shown = tables.shown_nodes(rows, compares)
    curves = tables.curve_rows(shown, outcomes)
    calibration = tables.calibration_rows(rows, outcomes)
    thresholds = tables.threshold_rows(shown, outcomes)
    subgroups = tables.subgroup_rows(shown, outcomes)
    roles = {(row["recipe"], row["dataset"], row["node"]): role for role, row in shown}
    names = {
        (row["recipe"], row["node"]): {"name": row["name"], "axes": row["axes"]} for _, row in shown
    }

    def named(row: Mapping[str, Any]) -> dict[str, Any]:
        """Return a row with the name and the role of its node."""
        role = roles[row["recipe"], row["dataset"], row["node"]]
        return {**row, **names[row["recipe"], row["node"]], "is_floor": role == tables.FLOOR}

    drawn = {
        place: curves_figure([named(row) for row in members])
        for place, members in rows_by(curves, "recipe", "dataset").items()
        if place in drawn_places(roles)
    }
    shown_rows = [
        named(row) for row in calibration if (row["recipe"], row["dataset"], row["node"]) in roles
    ]
    page = {
        "curve_figures": [
            {
                "recipe": recipe,
                "dataset": dataset,
                "svg": figure_svg(
                    figure,
                    f"curves-{number}",
                    f"Reliability, risk and precision of {recipe} on {dataset}. "
                    "The file curves.csv has the points.",
                ),
            }
            for number, ((recipe, dataset), figure) in enumerate(drawn.items(), start=1)
        ],
        "calibrations": rows_by(shown_rows, "recipe", "dataset"),
        "threshold_tables": rows_by(
            [
                named(row)
                for row in thresholds
                if row["threshold"] in TENTHS and not named(row)["is_floor"]
            ],
            "recipe",
            "dataset",
            "node",
        ),
        "subgroup_tables": subgroup_tables([named(row) for row in subgroups]),
    }
    files = {
        "curves.csv": csv_text(curves, tables.CURVES),
        "probabilities.csv": csv_text(calibration, tables.CALIBRATION),
        "thresholds.csv": csv_text(thresholds, tables.THRESHOLDS),
        "subgroups.csv": csv_text(subgroups, tables.SUBGROUPS),
    }
    return ProbabilityReport(files, list(drawn.values()) or [empty_figure()], page)


def drawn_places(shown: Iterable[tuple[str, str, str]]) -> set[tuple[str, str]]:
    """Return the (recipe, dataset) whose curves are drawn: dev only if a task has no other.

    A figure takes a quarter of a second. curves.csv has the points of all datasets.

    Parameters
    ----------
    shown
        (recipe, dataset, node) of the nodes that are shown.

    Examples
    --------
    >>> sorted(drawn_places([("r", "a/dev", "n"), ("r", "a/test", "n"), ("r", "b/dev", "n")]))
    [('r', 'a/test'), ('r', 'b/dev')]
    """
    places = {(recipe, *dataset.split("/")) for recipe, dataset, _ in shown}
    return {
        (recipe, f"{task}/{split}")
        for recipe, task, split in places
        if split != "dev" or not any((recipe, task) == (r, t) and s != "dev" for r, t, s in places)
    }


def rows_by(rows: Iterable[dict[str, Any]], *keys: str) -> dict[Any, list[dict[str, Any]]]:
    """Return rows by their values of some keys, in the order in which these come first.

    Examples
    --------
    >>> rows_by([{"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 2, "c": 4}], "a", "b")
    {(1, 2): [{'a': 1, 'b': 2, 'c': 3}, {'a': 1, 'b': 2, 'c': 4}]}
    """
    groups: dict[Any, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in keys), []).append(row)
    return groups


def subgroup_tables(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a table for each last node and dataset, with the floor beside it.

    Parameters
    ----------
    rows
        Rows of subgroups.csv, with `name`, `axes` and `is_floor` of their nodes.

    Returns
    -------
    list of dict
        {head: a row of the node, columns: {column: [{last, floor}]}}, where `floor` is None if
        there is none.
    """
    floors = {
        (row["recipe"], row["dataset"], row["column"], row["value"]): row
        for row in rows
        if row["is_floor"]
    }
    last = [row for row in rows if not row["is_floor"]]
    found = []
    for (recipe, dataset, _), members in rows_by(last, "recipe", "dataset", "node").items():
        columns: dict[str, list[dict[str, Any]]] = {}
        for row in members:
            floor = floors.get((recipe, dataset, row["column"], row["value"]))
            columns.setdefault(row["column"], []).append({"last": row, "floor": floor})
        found.append({"head": members[0], "columns": columns})
    return found
