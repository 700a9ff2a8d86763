"""Arrange the comparisons and the ranking of a report for its page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from postgrad.report.figures import figure_svg, figure_with_text
from postgrad.report.interval_plots import (
    OUTCOMES,
    Row,
    comparison_figures,
    groups_of_rows,
    ranking_figure,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class VerdictReport:
    """What a report shows of its comparisons and its ranking.

    Attributes
    ----------
    page : dict
        The variables of the template: `comparisons` with their numbers in the file, the same in
        groups for the table, the sentences and the best systems of each task, the figures as SVG,
        and the class of each outcome in the style.
    figures : dict
        {path beside the page: the pages of the PDF file}.
    """

    page: dict[str, Any]
    figures: dict[str, list["Figure"]]


def verdict_report(comparisons: Sequence[Row], ranking: Sequence[Row]) -> VerdictReport:
    """Return what a report shows of its comparisons and its ranking.

    Parameters
    ----------
    comparisons
        The rows of comparisons.csv, in its order and with its sentences.
    ranking
        The rows of ranking.csv.
    """
    plots, ranks = comparison_figures(comparisons), ranking_figure(ranking)
    nothing = figure_with_text("No comparison and no score has an interval.")
    return VerdictReport(
        _page_parts(comparisons, ranking, plots, ranks),
        {
            "figures/comparisons.pdf": list(plots.values()) or [nothing],
            "figures/ranking.pdf": [ranks or nothing],
        },
    )


def _page_parts(
    comparisons: Sequence[Row],
    ranking: Sequence[Row],
    plots: Mapping[str, "Figure"],
    ranks: "Figure | None",
) -> dict[str, Any]:
    rows = [{**row, "row": place} for place, row in enumerate(comparisons, start=1)]
    return {
        "comparisons": rows,
        "comparison_groups": [
            {"recipe": recipe, "task": task, "dataset": dataset, "metric": metric, "rows": members}
            for (recipe, task, dataset, metric), members in groups_of_rows(
                rows, "recipe", "task", "dataset", "metric"
            ).items()
        ],
        "verdicts": task_verdicts(rows, ranking),
        "comparison_figures": [
            {
                "title": recipe,
                "svg": figure_svg(
                    figure,
                    f"comparisons-{place}",
                    f"Forest plot: the differences of {recipe} with their intervals. "
                    "The table below has the same figures.",
                ),
            }
            for place, (recipe, figure) in enumerate(plots.items(), start=1)
        ],
        "not_told_from": {
            (row["task"], row["split"], row["recipe"], row["node"]): row["not_told_from"]
            for row in ranking
        },
        "ranking_svg": figure_svg(
            ranks, "ranking", "The ranks of the recipes on each task with their intervals."
        )
        if ranks
        else None,
        "outcome_classes": {outcome: name for outcome, (_, name) in OUTCOMES.items()},
    }


def task_verdicts(rows: Sequence[Row], ranking: Sequence[Row]) -> list[dict[str, Any]]:
    """Return for each task its best systems and the steps that have an outcome.

    A task without either is left out.
    """
    judged = [row for row in rows if row["kind"] == "step" and row["outcome"]]
    best = [row for row in ranking if row["rank"] == 1 and row["decisive"]]
    tasks = dict.fromkeys(row["task"] for row in [*judged, *best])
    return [
        {
            "task": task,
            "best": [row for row in best if row["task"] == task],
            "rows": [row for row in judged if row["task"] == task],
        }
        for task in tasks
    ]
