"""What diversity.json becomes on the page: a table's rows, and a map as paths of an SVG, one panel a dataset.

No post's text comes in: only counts, figures and points.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

SIDE, EDGE = 240, 10  # of a panel and of its margin, in the SVG's own units
# A class has a colour and a mark: either tells it. A dot and a square are the caps of a line without length.
COLOURS = 6
MARKS = {"dot": "h0", "square": "h0", "plus": "m-2.6 0h5.2m-2.6 -2.6v5.2", "cross": "m-2 -2l4 4m0 -4l-4 4"}


def diversity_tables(found: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """[{recipe, task, n, reference, embed, model, reason, clusters, silhouette, best, sets, labels, panels}].

    found: diversity.json files as dicts. silhouette: of the clusters used, None where they were not tried; best: (k,
    silhouette) of the highest, of equals the fewest. labels: [{label, colour, mark, sign}], sign: its mark as a path
    in a square of 10. sets, panels: see `sets_of` and `panels`.
    """
    tables = []
    for result in found:
        for task, body in sorted(result["tasks"].items()):
            groups = body.get("groups", [])
            labels = {group["label"]: None for group in groups if "label" in group}
            styles = {label: (i % COLOURS, [*MARKS][i % len(MARKS)]) for i, label in enumerate(labels)}
            tried = dict(body.get("silhouettes", []))
            tables.append(
                {
                    **{key: body.get(key) for key in ("n", "reference", "embed", "model", "reason", "clusters")},
                    "recipe": result["recipe"],
                    "task": task,
                    "silhouette": tried.get(body.get("clusters")),
                    "best": max(tried.items(), key=lambda one: (one[1], -one[0]), default=None),
                    "sets": sets_of(groups),
                    "labels": [
                        {"label": label, "colour": colour, "mark": mark, "sign": f"M5 5{MARKS[mark]}"}
                        for label, (colour, mark) in styles.items()
                    ],
                    "panels": panels(groups, styles),
                }
            )
    return tables


def sets_of(groups: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Groups under their datasets, in the order given: [{dataset, reason, groups}]; a reason where it was not run."""
    sets: dict[str, dict[str, Any]] = {}
    for group in groups:
        part = sets.setdefault(group["dataset"], {"dataset": group["dataset"], "reason": None, "groups": []})
        if "label" in group:
            part["groups"].append({"reason": None, **group})
        else:
            part["reason"] = group["reason"]
    return list(sets.values())


def panels(groups: Iterable[Mapping[str, Any]], styles: Mapping[str, tuple[int, str]]) -> list[dict[str, Any]]:
    """[{dataset, behind, groups: [{colour, mark, path}]}]: each dataset's points, the first one's faint behind all."""
    found: dict[str, dict[str, Any]] = {}
    for group in groups:
        if "points" in group:
            panel = found.setdefault(group["dataset"], {"dataset": group["dataset"], "behind": "", "groups": []})
            colour, mark = styles[group["label"]]
            panel["groups"].append({"colour": colour, "mark": mark, "path": path(group["points"], mark)})
            panel["dots"] = panel.get("dots", "") + path(group["points"], "dot")
    shown = list(found.values())
    for panel in shown[1:]:
        panel["behind"] = shown[0]["dots"]
    return shown


def path(points: Iterable[Sequence[float]], mark: str) -> str:
    """A mark at each of the points of the unit square, as one path."""
    reach = SIDE - 2 * EDGE
    return "".join(f"M{EDGE + reach * x:.1f} {SIDE - EDGE - reach * y:.1f}{MARKS[mark]}" for x, y in points)
