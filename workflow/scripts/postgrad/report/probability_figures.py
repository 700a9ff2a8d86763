"""Draw the curves of curves.csv: reliability, risk against coverage, precision against recall."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from postgrad.report.figures import COLOURS, SERIES, new_figure
from postgrad.report.probability_tables import PRECISION, RELIABILITY, RISK

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# The title of each panel, and what its axes show.
PANELS = {
    RELIABILITY: ("Reliability", "confidence", "correct"),
    RISK: ("Risk against coverage", "coverage", "wrong"),
    PRECISION: ("Precision against recall", "recall", "precision"),
}
HEIGHT = 2.3  # inches
TICKS = (0, 0.5, 1)


def empty_figure() -> "Figure":
    """Return a figure that says that no curve is drawn, so that there is a file in any case."""
    with new_figure(HEIGHT) as figure:
        figure.text(0.5, 0.5, "No chain has a last node with scores.", ha="center")
    return figure


def curves_figure(curves: Iterable[Mapping[str, Any]]) -> "Figure":
    """Return a figure with a panel for each curve, and a line for each node.

    Parameters
    ----------
    curves
        Rows of curves.csv on one dataset, with `is_floor`: a floor is drawn in grey.
    """
    lines: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    floor_of = {}
    for row in curves:
        lines.setdefault((row["curve"], row["node"]), []).append(row)
        floor_of[row["node"]] = row["is_floor"]
    shown = [name for name in PANELS if any(curve == name for curve, _ in lines)]
    nodes = [node for node, is_floor in floor_of.items() if not is_floor]
    colours = {node: SERIES[place % len(SERIES)] for place, node in enumerate(nodes)}
    with new_figure(HEIGHT) as figure:
        # Fixed places take a third of the time of a layout that is computed.
        figure.set_layout_engine(None)
        figure.subplots_adjust(left=0.07, right=0.98, bottom=0.2, top=0.88, wspace=0.3)
        panels = dict(zip(shown, figure.subplots(1, len(shown), squeeze=False)[0], strict=True))
        for (curve, node), points in lines.items():
            panels[curve].plot(
                [point["x"] for point in points],
                [point["y"] for point in points],
                color=colours.get(node, COLOURS["grey"]),
                marker="o" if curve == RELIABILITY else None,
                label=node,
                clip_on=False,
            )
        for name, axes in panels.items():
            title, x, y = PANELS[name]
            axes.set_title(title, y=1.02)
            axes.grid(True, clip_on=False)
            axes.set(xlabel=x, ylabel=y, xlim=(0, 1), xticks=TICKS, ylim=(0, 1.02), yticks=TICKS)
        panels[RELIABILITY].plot([0, 1], [0, 1], color=COLOURS["rule"], zorder=0, clip_on=False)
        panels[RELIABILITY].legend(loc="best")
    return figure
