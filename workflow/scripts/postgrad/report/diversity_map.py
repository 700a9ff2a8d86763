"""The section on diversity: tables, maps as paths of an SVG, and blocks of scores.txt.

The functions read counts, figures and points. They never read the text of a post.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from postgrad.report.sections import Entries, Section, Signs

MEASURES = (
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
SIDE, MARGIN = 240, 10  # of a panel, in units of the SVG
# A class has a colour and a mark, and can be recognised by each of them. A dot and a square are the
# caps of a line without length.
COLOURS = 6
MARKS = {
    "dot": "h0",
    "square": "h0",
    "plus": "m-2.6 0h5.2m-2.6 -2.6v5.2",
    "cross": "m-2 -2l4 4m0 -4l-4 4",
}


def diversity_tables(results: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return one table for each recipe and task.

    Parameters
    ----------
    results
        The contents of the diversity.json files.

    Returns
    -------
    list of dict
        The recipe, the task and its results, and:

        `silhouette`: the value for the number of clusters that is used, or None if that number was
        not tried.

        `best`: (number of clusters, silhouette) of the highest silhouette. The smallest of equally
        good numbers wins.

        `labels`: for each class its name, colour and mark, and `sign`, the mark as a path in a
        square with the side 10.

        `sets`, `panels`: see `groups_by_dataset` and `map_panels`.
    """
    tables = []
    for result in results:
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
                    "best": max(tried.items(), key=lambda pair: (pair[1], -pair[0]), default=None),
                    "sets": groups_by_dataset(groups),
                    "labels": [
                        {
                            "label": label,
                            "colour": colour,
                            "mark": mark,
                            "sign": f"M5 5{MARKS[mark]}",
                        }
                        for label, (colour, mark) in styles.items()
                    ],
                    "panels": map_panels(groups, styles),
                }
            )
    return tables


def groups_by_dataset(groups: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return [{dataset, reason, groups}] in the order given.

    `reason` says why a dataset was not measured, and is None if it was.
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


def map_panels(
    groups: Iterable[Mapping[str, Any]], styles: Mapping[str, tuple[int, str]]
) -> list[dict[str, Any]]:
    """Return one panel of the map for each dataset.

    Parameters
    ----------
    groups
        The groups of diversity.json. Those without points are left out.
    styles
        {class: (number of its colour, name of its mark)}.

    Returns
    -------
    list of dict
        {dataset, behind, groups: [{colour, mark, path}]}, where `behind` is the path of the points
        of the first dataset. It is empty in the panel of that dataset.
    """
    panels: dict[str, dict[str, Any]] = {}
    for group in groups:
        if "points" in group:
            panel = panels.setdefault(
                group["dataset"], {"dataset": group["dataset"], "behind": "", "groups": []}
            )
            colour, mark = styles[group["label"]]
            panel["groups"].append(
                {"colour": colour, "mark": mark, "path": marks_path(group["points"], mark)}
            )
            panel["dots"] = panel.get("dots", "") + marks_path(group["points"], "dot")
    shown = list(panels.values())
    for panel in shown[1:]:
        panel["behind"] = shown[0]["dots"]
    return shown


def marks_path(points: Iterable[Sequence[float]], mark: str) -> str:
    """Return one SVG path with a mark at each of the points of the unit square."""
    inner = SIDE - 2 * MARGIN
    return "".join(
        f"M{MARGIN + inner * x:.1f} {SIDE - MARGIN - inner * y:.1f}{MARKS[mark]}" for x, y in points
    )


def diversity_lines(table: Mapping[str, Any], signs: Signs) -> list[str]:
    """Return the block of scores.txt on the datasets and classes of one task."""
    title = f"{table['recipe']}  {table['task']}  diversity"
    if table["reason"]:
        return [title, f"  not run: {table['reason']}"]
    lines = [f"{title}, {table['n']} posts of each dataset and class"]
    lines.append(" " * 27 + "".join(word.rjust(8) for word in MEASURES))
    for part in table["sets"]:
        lines.append("  " + part["dataset"] + signs(table["recipe"], part["dataset"]))
        lines += [f"    {part['reason']}"] if part["reason"] else []
        for group in part["groups"]:
            label = group["label"]
            name = f"    {label if len(label) < 23 else label[:21] + '…'}".ljust(27)
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
    """Return a table for each recipe and task."""
    return diversity_tables(files.values())


def blocks(entries: Entries, signs: Signs) -> list[list[str]]:
    """Return a block of scores.txt for each table."""
    return [diversity_lines(table, signs) for table in entries]


SECTION = Section(
    "diversity", "diversity", "Diversity", (), "diversity.json of each recipe", entries, blocks
)
