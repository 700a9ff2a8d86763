"""Scores and differences as tables, built from what score and compare wrote; page and scores.txt
show the same figures.

No table holds a post's text: all that comes in are counts, scores and names.
"""

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, median, stdev
from typing import Any, TypedDict, cast

from postgrad.records.names import node_id
from postgrad.records.score_files import CompareFile, ScoreEntry, ScoreFile

METRICS = ("accuracy", "precision", "recall", "f1", "macro_f1", "auc")


class NodeScores(TypedDict):
    """Scores of a node on one dataset, averaged over its seeds.

    None where a number does not exist.
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
    accuracy: float | None  # the mean, as for all of METRICS
    precision: float | None
    recall: float | None
    f1: float | None
    macro_f1: float | None
    auc: float | None
    is_floor: bool
    floor: float | None  # the mean of the floor on this dataset
    one_class: int  # how many seeds predict one class alone where gold has more
    reason: str | None  # why there is no score
    entries: list[ScoreEntry]  # the score entries behind it


def mean_and_sd(values: Iterable[float | None]) -> tuple[float | None, float | None]:
    """(mean, sample sd) of the values that are not None; the sd of fewer than two is None."""
    known = [value for value in values if value is not None]
    return fmean(known) if known else None, stdev(known) if len(known) > 1 else None


def node_scores(
    scores: Iterable[ScoreFile], floors: Mapping[str, Mapping[str, str]]
) -> list[NodeScores]:
    """The scores of each node on each dataset, averaged over seeds, in the order of the scores.

    floors: {recipe: {task's name in the recipe, or dataset: node}}; a dataset's own floor stands
    over its task's.
    """
    groups: dict[tuple[str, str, str], list[ScoreEntry]] = {}
    for score in scores:
        for entry in score["entries"]:
            axes = {axis: value for axis, value in entry["axes"].items() if axis != "seed"}
            key = (score["recipe"], node_id(entry["node"], axes), entry["dataset"])
            groups.setdefault(key, []).append(entry)
    rows: list[dict[str, Any]] = []
    for (recipe, node, dataset), entries in groups.items():
        known = floors.get(recipe, {})
        values = [entry["values"] for entry in entries if entry["n"]]
        official = [value["official"] for value in values if value["official"] is not None]
        mean, sd = mean_and_sd(official)
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
                **{
                    metric: mean_and_sd([value[metric] for value in values])[0]
                    for metric in METRICS
                },
                "is_floor": known.get(dataset, known.get(dataset.split("/")[0])) == node,
                "one_class": sum(one_class(entry) for entry in entries if entry["n"]),
                "reason": next((entry["reason"] for entry in entries if entry.get("reason")), None),
                "entries": entries,
            }
        )
    floor = {(row["recipe"], row["dataset"]): row["mean"] for row in rows if row["is_floor"]}
    return [
        cast(NodeScores, {**row, "floor": floor.get((row["recipe"], row["dataset"]))})
        for row in rows
    ]


def one_class(entry: ScoreEntry) -> bool:
    """Whether a score entry's predictions are of one class alone, and its gold labels are not."""
    counts = entry["confusion"]
    return sum(map(any, zip(*counts))) == 1 and sum(map(any, counts)) > 1


def score_tables(rows: Iterable[NodeScores]) -> list[dict[str, Any]]:
    """Return the rows of `node_scores` as tables, with the linear floor first.

    A table is {recipe, name, task, sets: [{dataset, metric, n, rows}]}.
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


def bar(mean: float | None, sd: float | None, reach: float) -> dict[str, float] | None:
    """Where a difference's bar lies, in percent of a track whose middle is zero and whose ends are
    ±reach.
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
    """Every chain and set as {recipe, chain, dataset, metric, reach, first, steps}.

    first: the chain's first node. A step holds what compare wrote, with `score` (its node's own
    summary), `bar` and `controls`: the controls that stand in the place of its node, in the same
    form. reach: the largest difference with its sd, the half width of every bar of the recipe, so
    that bars can be compared.
    """
    tables = []
    for compare in compares:
        sets = [
            found for content in compare["chains"].values() for found in content["sets"].values()
        ]
        gains = [row for found in sets for row in [*found["steps"], *found["controls"]]]
        reach = max(
            (abs(row["mean"]) + (row["sd"] or 0) for row in gains if row["mean"] is not None),
            default=0.0,
        )
        for chain, content in compare["chains"].items():
            for dataset, found in content["sets"].items():
                own = {node["node"]: node for node in found["nodes"]}
                steps: list[dict[str, Any]] = [
                    {**step, "score": own[step["to"]], "controls": []} for step in found["steps"]
                ]
                for control in found["controls"]:
                    (step,) = [step for step in steps if step["to"] == control["beside"]]
                    step["controls"].append(
                        {
                            **control,
                            "score": control["own"],
                            "bar": bar(control["mean"], control["sd"], reach),
                        }
                    )
                tables.append(
                    {
                        "recipe": compare["recipe"],
                        "chain": chain,
                        "dataset": dataset,
                        "metric": found["metric"],
                        "reach": reach,
                        "first": found["nodes"][0],
                        "steps": [
                            {**step, "bar": bar(step["mean"], step["sd"], reach)} for step in steps
                        ],
                    }
                )
    return tables


def last_nodes(compares: Iterable[CompareFile]) -> list[tuple[str, str, str]]:
    """(recipe, node, dataset) of the last node of each chain on each of its sets, each once."""
    found: dict[tuple[str, str, str], None] = {}
    for compare in compares:
        for content in compare["chains"].values():
            for dataset, values in content["sets"].items():
                found[compare["recipe"], values["nodes"][-1]["node"], dataset] = None
    return list(found)


def confusion(row: NodeScores) -> dict[str, Any] | None:
    """A node's confusion matrix on one dataset, counts added over its seeds; None without scores.

    {labels, cells: [[{count, share}]], supports, abstained}; share is the count's part of its gold
    row.
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
    """Per class of a node on one dataset.

    Label, support, and precision, recall, f1 as means over its seeds.
    """
    per_seed = [entry["per_class"] for entry in row["entries"] if entry["n"]]
    return [
        {
            "label": same[0]["label"],
            "support": same[0]["support"],
            "precision": mean_and_sd([one["precision"] for one in same])[0],
            "recall": mean_and_sd([one["recall"] for one in same])[0],
            "f1": mean_and_sd([one["f1"] for one in same])[0],
        }
        for same in zip(*per_seed)
    ]


def close_ups(rows: Sequence[NodeScores], compares: Iterable[CompareFile]) -> list[dict[str, Any]]:
    """The last node of every chain on each of its sets.

    Its row, confusion and classes, the floor beside.
    """
    by_key = {(row["recipe"], row["node"], row["dataset"]): row for row in rows}
    floors = {(row["recipe"], row["dataset"]): row for row in rows if row["is_floor"]}
    found: list[dict[str, Any]] = []
    for key in last_nodes(compares):
        row = by_key.get(key)
        if row and (matrix := confusion(row)):
            floor = floors.get((key[0], key[2]))
            floor_classes = class_rows(floor) if floor else []
            found.append(
                {
                    **row,
                    "confusion": matrix,
                    "classes": class_rows(row),
                    "floor_classes": floor_classes,
                }
            )
    return found
