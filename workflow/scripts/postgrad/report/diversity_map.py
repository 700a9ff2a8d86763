"""The section on diversity: a table's rows, a map as paths of an SVG, one panel a dataset, and
lines of scores.txt.

No post's text comes in: only counts, figures and points.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from postgrad.report.sections import Entries, Section, Signs

VARIED = (
    "posts",
    "1-grams",
    "2-grams",
    "3-grams",
    "BLEU",
    "cosine",
    "nearest",
    "covered",
    "entropy",
)
SIDE, EDGE = 240, 10  # of a panel and of its margin, in the SVG's own units
# A class has a colour and a mark: either tells it. A dot and a square are the caps of a line
# without length.
COLOURS = 6
MARKS = {
    "dot": "h0",
    "square": "h0",
    "plus": "m-2.6 0h5.2m-2.6 -2.6v5.2",
    "cross": "m-2 -2l4 4m0 -4l-4 4",
}


def diversity_tables(found: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """[{recipe, task, n, reference, embed, model, reason, clusters, silhouette, best, sets, labels,
    panels}].

    found: diversity.json files as dicts. silhouette: of the clusters used, None where they were not
    tried; best: (k, silhouette) of the highest, the fewest of equal ones. labels: [{label, colour,
    mark, sign}], sign: its mark as a path in a square of 10. sets, panels: see `sets_of` and
    `panels`.
    """
    tables = []
    for result in found:
        for task, body in sorted(result["tasks"].items()):
            groups = body.get("groups", [])
            labels = {group["label"]: None for group in groups if "label" in group}
            styles = {
                label: (i % COLOURS, [*MARKS][i % len(MARKS)]) for i, label in enumerate(labels)
            }
            tried = dict(body.get("silhouettes", []))
            tables.append(
                {
                    **{
                        key: body.get(key)
                        for key in ("n", "reference", "embed", "model", "reason", "clusters")
                    },
                    "recipe": result["recipe"],
                    "task": task,
                    "silhouette": tried.get(body.get("clusters")),
                    "best": max(tried.items(), key=lambda one: (one[1], -one[0]), default=None),
                    "sets": sets_of(groups),
                    "labels": [
                        {
                            "label": label,
                            "colour": colour,
                            "mark": mark,
                            "sign": f"M5 5{MARKS[mark]}",
                        }
                        for label, (colour, mark) in styles.items()
                    ],
                    "panels": panels(groups, styles),
                }
            )
    return tables


def sets_of(groups: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Groups under their datasets, in the order given.

    [{dataset, reason, groups}]; a reason where it was not run.
    """
    sets: dict[str, dict[str, Any]] = {}
    for group in groups:
        part = sets.setdefault(
            group["dataset"], {"dataset": group["dataset"], "reason": None, "groups": []}
        )
        if "label" in group:
            part["groups"].append({"reason": None, **group})
        else:
            part["reason"] = group["reason"]
    return list(sets.values())


def panels(
    groups: Iterable[Mapping[str, Any]], styles: Mapping[str, tuple[int, str]]
) -> list[dict[str, Any]]:
    """Return one panel for each dataset, with its points and, faint behind them, those of the first.

    A panel is {dataset, behind, groups: [{colour, mark, path}]}.
    """
    found: dict[str, dict[str, Any]] = {}
    for group in groups:
        if "points" in group:
            panel = found.setdefault(
                group["dataset"], {"dataset": group["dataset"], "behind": "", "groups": []}
            )
            colour, mark = styles[group["label"]]
            panel["groups"].append(
                {"colour": colour, "mark": mark, "path": path(group["points"], mark)}
            )
            panel["dots"] = panel.get("dots", "") + path(group["points"], "dot")
    shown = list(found.values())
    for panel in shown[1:]:
        panel["behind"] = shown[0]["dots"]
    return shown


def path(points: Iterable[Sequence[float]], mark: str) -> str:
    """A mark at each of the points of the unit square, as one path."""
    reach = SIDE - 2 * EDGE
    return "".join(
        f"M{EDGE + reach * x:.1f} {SIDE - EDGE - reach * y:.1f}{MARKS[mark]}" for x, y in points
    )


def diversity_lines(table: Mapping[str, Any], signs: Signs) -> list[str]:
    """The block of scores.txt on one task's datasets, class by class."""
    title = f"{table['recipe']}  {table['task']}  diversity"
    if table["reason"]:
        return [title, f"  not run: {table['reason']}"]
    lines = [f"{title}, {table['n']} posts of each dataset and class"]
    lines.append(" " * 27 + "".join(word.rjust(8) for word in VARIED))
    for part in table["sets"]:
        lines.append("  " + part["dataset"] + signs(table["recipe"], part["dataset"]))
        lines += [f"    {part['reason']}"] if part["reason"] else []
        for group in part["groups"]:
            name = f"    {group['label'] if len(group['label']) < 23 else group['label'][:21] + '…'}".ljust(
                27
            )
            cells = [str(group["rows"]), *map(str, group.get("unique", []))]
            shares = (
                group.get(key) for key in ("self_bleu", "cosine", "nearest", "coverage", "entropy")
            )
            cells += [f"{share:.3f}" for share in shares if share is not None]
            lines.append(
                (
                    name + "".join(cell.rjust(8) for cell in cells) + f"  {group['reason'] or ''}"
                ).rstrip()
            )
    return lines


def entries(files: Mapping[Any, Any]) -> Entries:
    """A table for each recipe and task."""
    return diversity_tables(files.values())


def blocks(entries: Entries, signs: Signs) -> list[list[str]]:
    """A block of scores.txt for each table."""
    return [diversity_lines(table, signs) for table in entries]


SECTION = Section(
    "diversity", "diversity", "Diversity", (), "diversity.json of each recipe", entries, blocks
)
