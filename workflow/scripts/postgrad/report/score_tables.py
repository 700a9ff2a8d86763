"""Tables of scores and differences, made from the results of score and compare.

The page and scores.txt show the same figures. The functions read counts, scores and names. No table
contains the text of a post.
"""

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, median, stdev
from typing import Any, TypedDict, cast

from postgrad.records.names import node_id
from postgrad.records.score_files import CompareFile, NodeEstimate, ScoreEntry, ScoreFile

METRICS = ("accuracy", "precision", "recall", "f1", "macro_f1", "auc")


class NodeScores(TypedDict):
    """Scores of a node on one dataset, averaged over its seeds.

    A number that does not exist is None.
    """

    recipe: str
    node: str  # with all axes but the seed
    name: str
    axes: dict[str, str]  # all but the seed
    dataset: str
    task: str
    metric: str | None  # the official one
    n: int
    seeds: int
    mean: float | None  # of the official metric, as sd and median
    sd: float | None
    median: float | None
    low: float | None  # the interval of the mean at 95 %
    high: float | None
    accuracy: float | None  # the mean, as for all of METRICS
    precision: float | None
    recall: float | None
    f1: float | None
    macro_f1: float | None
    auc: float | None
    is_floor: bool
    floor: float | None  # the mean of the floor on this dataset
    one_class: int  # seeds that predict one class for all posts, although gold has more
    reason: str | None  # why there is no score
    entries: list[ScoreEntry]  # the score entries behind it


def mean_and_sd(values: Iterable[float | None]) -> tuple[float | None, float | None]:
    """Return the mean and the sample standard deviation of the values that are not None.

    The mean is None without values, and the standard deviation with fewer than two.

    Examples
    --------
    >>> mean_and_sd([0.25, None, 0.75, 0.5])
    (0.5, 0.25)
    """
    numbers = [value for value in values if value is not None]
    return fmean(numbers) if numbers else None, stdev(numbers) if len(numbers) > 1 else None


def node_scores(
    scores: Iterable[ScoreFile], floors: Mapping[str, Mapping[str, str]]
) -> list[NodeScores]:
    """Return the scores of each node on each dataset, averaged over seeds, in the order given.

    Parameters
    ----------
    scores
        The contents of the score.json files.
    floors
        {recipe: {name of a task in the recipe, or dataset: node}}. The floor of a dataset takes
        precedence over that of its task.
    """
    groups: dict[tuple[str, str, str], list[ScoreEntry]] = {}
    intervals: dict[tuple[str, str, str], NodeEstimate] = {}
    for score in scores:
        for estimate in score["estimates"]:
            intervals[score["recipe"], estimate["node"], estimate["dataset"]] = estimate
        for entry in score["entries"]:
            axes = {axis: value for axis, value in entry["axes"].items() if axis != "seed"}
            key = (score["recipe"], node_id(entry["node"], axes), entry["dataset"])
            groups.setdefault(key, []).append(entry)
    rows: list[dict[str, Any]] = []
    for (recipe, node, dataset), entries in groups.items():
        recipe_floors = floors.get(recipe, {})
        values = [entry["values"] for entry in entries if entry["n"]]
        official = [value["official"] for value in values if value["official"] is not None]
        mean, sd = mean_and_sd(official)
        interval = intervals.get((recipe, node, dataset))
        rows.append(
            {
                "recipe": recipe,
                "node": node,
                "name": entries[0]["node"],
                "axes": {
                    axis: value for axis, value in entries[0]["axes"].items() if axis != "seed"
                },
                "dataset": dataset,
                "task": entries[0]["task"],
                "metric": entries[0].get("metric"),
                "n": entries[0]["n"],
                "seeds": len(values),
                "mean": mean,
                "sd": sd,
                "median": median(official) if official else None,
                "low": interval["low"] if interval else None,
                "high": interval["high"] if interval else None,
                **{
                    metric: mean_and_sd([value[metric] for value in values])[0]
                    for metric in METRICS
                },
                "is_floor": recipe_floors.get(dataset, recipe_floors.get(dataset.split("/")[0]))
                == node,
                "one_class": sum(predicts_one_class(entry) for entry in entries if entry["n"]),
                "reason": next((entry["reason"] for entry in entries if entry.get("reason")), None),
                "entries": entries,
            }
        )
    floor = {(row["recipe"], row["dataset"]): row["mean"] for row in rows if row["is_floor"]}
    return [
        cast(NodeScores, {**row, "floor": floor.get((row["recipe"], row["dataset"]))})
        for row in rows
    ]


def predicts_one_class(entry: ScoreEntry) -> bool:
    """Return whether all predictions are of one class, although the gold labels are not."""
    counts = entry["confusion"]
    return sum(map(any, zip(*counts))) == 1 and sum(map(any, counts)) > 1


def scores_by_task(rows: Iterable[NodeScores]) -> list[dict[str, Any]]:
    """Return the rows of `node_scores` in one table for each recipe and task, with the floor first.

    A table is {recipe, name, task, sets: [{dataset, metric, n, floor, rows}]}.
    """
    tables: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        name = row["dataset"].split("/")[0]
        table = tables.setdefault((row["recipe"], name), {"task": row["task"], "sets": {}})
        table["sets"].setdefault(row["dataset"], []).append(row)
    return [
        {
            "recipe": recipe,
            "name": name,
            "task": table["task"],
            "sets": [
                {
                    "dataset": dataset,
                    "metric": members[0]["metric"],
                    "n": members[0]["n"],
                    "floor": members[0]["floor"],
                    "rows": sorted(members, key=lambda row: not row["is_floor"]),
                }
                for dataset, members in table["sets"].items()
            ],
        }
        for (recipe, name), table in tables.items()
    ]


def difference_bar(mean: float | None, sd: float | None, reach: float) -> dict[str, float] | None:
    """Return the position of the bar of a difference on a track from -reach to +reach.

    Positions and widths are in percent of the track. `left` and `width` describe the mean, `low`
    and `span` the range of one standard deviation on both sides of it. None if there is no mean or
    no reach.

    Examples
    --------
    >>> difference_bar(0.1, None, reach=0.2)
    {'left': 50.0, 'width': 25.0, 'low': 75.0, 'span': 0.0}
    """
    if mean is None or not reach:
        return None
    half = 50 / reach
    spread = sd or 0
    return {
        "left": round(50 + min(mean, 0) * half, 2),
        "width": round(abs(mean) * half, 2),
        "low": round(50 + (mean - spread) * half, 2),
        "span": round(2 * spread * half, 2),
    }


def chain_tables(compares: Iterable[CompareFile]) -> list[dict[str, Any]]:
    """Return one table for each chain and dataset.

    Parameters
    ----------
    compares
        The contents of the compare.json files.

    Returns
    -------
    list of dict
        {recipe, chain, dataset, metric, reach, first, steps}, where `first` is the first node of
        the chain. A step contains the result of compare, the scores of its node, a bar, and the
        controls that stand in the place of its node, in the same form. `reach` is the largest
        difference plus its standard deviation. All bars of a recipe have this half width, so that
        they can be compared.
    """
    tables = []
    for compare in compares:
        comparisons = [
            comparison
            for content in compare["chains"].values()
            for comparison in content["sets"].values()
        ]
        gains = [row for each in comparisons for row in [*each["steps"], *each["controls"]]]
        reach = max(
            (abs(row["mean"]) + (row["sd"] or 0) for row in gains if row["mean"] is not None),
            default=0.0,
        )
        for chain, content in compare["chains"].items():
            for dataset, comparison in content["sets"].items():
                own = {node["node"]: node for node in comparison["nodes"]}
                steps: list[dict[str, Any]] = [
                    {**step, "score": own[step["to"]], "controls": []}
                    for step in comparison["steps"]
                ]
                for control in comparison["controls"]:
                    (step,) = [step for step in steps if step["to"] == control["beside"]]
                    step["controls"].append(
                        {
                            **control,
                            "score": control["own"],
                            "bar": difference_bar(control["mean"], control["sd"], reach),
                        }
                    )
                tables.append(
                    {
                        "recipe": compare["recipe"],
                        "chain": chain,
                        "dataset": dataset,
                        "metric": comparison["metric"],
                        "reach": reach,
                        "first": comparison["nodes"][0],
                        "steps": [
                            {**step, "bar": difference_bar(step["mean"], step["sd"], reach)}
                            for step in steps
                        ],
                    }
                )
    return tables


def last_nodes(compares: Iterable[CompareFile]) -> list[tuple[str, str, str]]:
    """Return (recipe, node, dataset) of the last node of each chain, without duplicates."""
    keys: dict[tuple[str, str, str], None] = {}
    for compare in compares:
        for content in compare["chains"].values():
            for dataset, values in content["sets"].items():
                keys[compare["recipe"], values["nodes"][-1]["node"], dataset] = None
    return list(keys)


def total_confusion(row: NodeScores) -> dict[str, Any] | None:
    """Return the confusion matrix of a node on one dataset, summed over its seeds.

    Returns
    -------
    dict or None
        {labels, cells: [[{count, share}]], abstained}, where the rows are gold classes, the columns
        predicted ones, and `share` is the share of the gold class. None without scores.
    """
    entries = [entry for entry in row["entries"] if entry["n"]]
    if not entries:
        return None
    size = len(entries[0]["confusion"])
    counts = [
        [sum(e["confusion"][i][j] for e in entries) for j in range(size)] for i in range(size)
    ]
    return {
        "labels": [per["label"] for per in entries[0]["per_class"]],
        "cells": [
            [{"count": c, "share": c / sum(line) if sum(line) else 0.0} for c in line]
            for line in counts
        ],
        "abstained": sum(entry["abstained"] for entry in entries),
    }


def class_rows(row: NodeScores) -> list[dict[str, Any]]:
    """Return the scores of a node for each class of one dataset.

    Precision, recall and F1 are means over the seeds.
    """
    per_seed = [entry["per_class"] for entry in row["entries"] if entry["n"]]
    return [
        {
            "label": same[0]["label"],
            "support": same[0]["support"],
            **{
                key: mean_and_sd([scores[key] for scores in same])[0]
                for key in ("precision", "recall", "f1")
            },
        }
        for same in zip(*per_seed)
    ]


def last_node_tables(
    rows: Sequence[NodeScores], compares: Iterable[CompareFile]
) -> list[dict[str, Any]]:
    """Return the last node of each chain on each dataset: its scores, confusion and classes.

    The scores of each class also include those of the floor.
    """
    by_key = {(row["recipe"], row["node"], row["dataset"]): row for row in rows}
    floors = {(row["recipe"], row["dataset"]): row for row in rows if row["is_floor"]}
    tables: list[dict[str, Any]] = []
    for key in last_nodes(compares):
        row = by_key.get(key)
        if row and (matrix := total_confusion(row)):
            floor = floors.get((key[0], key[2]))
            floor_classes = class_rows(floor) if floor else []
            tables.append(
                {
                    **row,
                    "confusion": matrix,
                    "classes": class_rows(row),
                    "floor_classes": floor_classes,
                }
            )
    return tables
