"""Draw differences and scores with their intervals: forest plots and the ranking of recipes."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from postgrad.report.figures import COLOURS, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Row = Mapping[str, Any]  # a row of comparisons.csv or of ranking.csv; an empty cell is None

# The colour of each outcome, and its class in the style of the page.
OUTCOMES = {
    "helps": (COLOURS["c0"], "helps"),
    "harms": (COLOURS["c1"], "harms"),
    "no more than its control": (COLOURS["c4"], "no-more"),
    "cannot be told": (COLOURS["quiet"], "untold"),
}
MARKERS = {"step": "o", "control": "D", "step over control": "^"}
LINE = 0.235  # inches for each line of a figure
NAME = 24  # characters of the name of a node; the tables of the page show the whole name


def short_name(name: str) -> str:
    """Return a name that fits beside a plot.

    Examples
    --------
    >>> short_name("tweets"), short_name("a" * 30)
    ('tweets', 'aaaaaaaaaaaaaaaaaaaaaaa…')
    """
    return name if len(name) <= NAME else name[: NAME - 1] + "…"


def signed_figure(value: float) -> str:
    """Format a difference.

    Examples
    --------
    >>> signed_figure(0.0123), signed_figure(-0.2)
    ('+0.012', '−0.200')
    """
    return f"{value:+.3f}".replace("-", "−")


def groups_of_rows(rows: Sequence[Row], *columns: str) -> dict[tuple[Any, ...], list[Row]]:
    """Return the rows in groups of equal values in these columns, in the order of the rows."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[column] for column in columns), []).append(row)
    return groups


def comparison_figures(rows: Sequence[Row]) -> dict[str, "Figure"]:
    """Return a forest plot for each recipe: every comparison that has an interval.

    All plots have the same horizontal axis, so that recipes can be compared.

    Parameters
    ----------
    rows
        The rows of comparisons.csv.

    Returns
    -------
    dict
        {recipe: figure}. A recipe without such comparisons has none.
    """
    shown = [row for row in rows if row["difference"] is not None and row["low"] is not None]
    if not shown:
        return {}
    reach = [min(row["low"] for row in shown), max(row["high"] for row in shown)]
    margin = max((row["margin"] for row in shown if row["margin"] is not None), default=0.0)
    left, right = min(reach[0], -margin), max(reach[1], margin)
    space = 0.04 * (right - left)
    limits = (left - space, right + space)
    return {
        recipe: _forest_plot(members, margin, limits)
        for (recipe,), members in groups_of_rows(shown, "recipe").items()
    }


def _forest_plot(rows: Sequence[Row], margin: float, limits: tuple[float, float]) -> "Figure":
    groups = groups_of_rows(rows, "task", "dataset", "metric")
    lines = len(rows) + len(groups)
    with new_figure(LINE * lines + 0.95) as figure:
        axes = figure.subplots()
        axes.axvspan(-margin, margin, color=COLOURS["rule"], alpha=0.6, linewidth=0)
        axes.axvline(0, color=COLOURS["ink"], linewidth=0.9)
        labels, at = {}, 0
        for (task, dataset, metric), members in groups.items():
            _draw_heading(axes, at, f"{dataset}  ·  {metric}  ·  {task}")
            at += 1
            for row in members:
                _draw_interval(axes, at, row, row["difference"])
                label = f"{short_name(row['before'])} → {short_name(row['after'])}"
                labels[at] = label
                text = (
                    f"{signed_figure(row['difference'])} "
                    f"[{signed_figure(row['low'])}, {signed_figure(row['high'])}]"
                )
                _draw_right(axes, at, text)
                at += 1
        _finish_axes(axes, labels, lines, limits)
        axes.set_xlabel("difference of the official metric, with its 95 % interval")
        _draw_legend(figure, rows)
    return figure


def ranking_figure(rows: Sequence[Row]) -> "Figure | None":
    """Return the ranking of all recipes on each dataset, with intervals.

    Parameters
    ----------
    rows
        The rows of ranking.csv.

    Returns
    -------
    Figure or None
        None if no score has an interval.
    """
    shown = [row for row in rows if row["low"] is not None]
    if not shown:
        return None
    groups = groups_of_rows(shown, "task", "dataset", "metric")
    lines = len(shown) + len(groups)
    with new_figure(LINE * lines + 0.55) as figure:
        axes = figure.subplots()
        labels, at = {}, 0
        for (task, dataset, metric), members in groups.items():
            _draw_heading(axes, at, f"{task}  ·  {dataset}  ·  {metric}")
            at += 1
            for row in members:
                axes.plot([row["low"], row["high"]], [at, at], color=COLOURS["c0"])
                axes.plot(row["mean"], at, "o", color=COLOURS["c0"])
                labels[at] = f"{row['rank']}  {row['recipe']}: {short_name(row['node'])}"
                _draw_right(axes, at, f"{row['mean']:.3f} [{row['low']:.3f}, {row['high']:.3f}]")
                at += 1
        low, high = min(row["low"] for row in shown), max(row["high"] for row in shown)
        space = 0.04 * (high - low) or 0.01
        _finish_axes(axes, labels, lines, (low - space, high + space))
        axes.set_xlabel("official metric, with its 95 % interval")
    return figure


def _draw_heading(axes: "Axes", at: int, text: str) -> None:
    axes.axhspan(at - 0.45, at + 0.45, color=COLOURS["faint"], linewidth=0, zorder=3)
    axes.text(
        0.01,
        at,
        text,
        transform=axes.get_yaxis_transform(),
        va="center",
        fontsize=8.5,
        fontweight="bold",
        zorder=4,
    )


def _draw_interval(axes: "Axes", at: int, row: Row, middle: float) -> None:
    colour = OUTCOMES.get(row["outcome"], (COLOURS["grey"], ""))[0]
    told = row["outcome"] in ("helps", "harms")
    axes.plot([row["low"], row["high"]], [at, at], color=colour, linewidth=2 if told else 1.3)
    axes.plot(
        middle,
        at,
        MARKERS[row["kind"]],
        color=colour,
        markerfacecolor=colour if told else COLOURS["paper"],
        markersize=6,
    )


def _draw_right(axes: "Axes", at: int, text: str) -> None:
    axes.text(1.02, at, text, transform=axes.get_yaxis_transform(), va="center", fontsize=8)


def _finish_axes(
    axes: "Axes", labels: Mapping[int, str], lines: int, limits: tuple[float, float]
) -> None:
    axes.set_xlim(*limits)
    axes.set_ylim(lines - 0.4, -0.6)
    axes.set_yticks(list(labels), list(labels.values()))
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)


def _draw_legend(figure: "Figure", rows: Sequence[Row]) -> None:
    from matplotlib.lines import Line2D

    found = {row["outcome"] for row in rows}
    handles = []
    for outcome, (colour, _) in OUTCOMES.items():
        if outcome in found:
            face = colour if outcome in ("helps", "harms") else COLOURS["paper"]
            handles.append(
                Line2D([], [], color=colour, marker="s", markerfacecolor=face, label=outcome)
            )
    kinds = {row["kind"] for row in rows}
    for kind, marker in MARKERS.items():
        if kind in kinds:
            handles.append(
                Line2D(
                    [],
                    [],
                    color=COLOURS["quiet"],
                    marker=marker,
                    linestyle="",
                    label=kind,
                )
            )
    figure.legend(handles=handles, loc="outside lower left", ncols=4, handletextpad=0.5)
