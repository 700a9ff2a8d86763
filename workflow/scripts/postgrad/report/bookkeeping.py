"""What stands beside the scores: ledgers and audits, trainings that collapsed, and deviations.

No table holds a post's text: all that comes in are counts and names.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, TypedDict

import pandas as pd

from postgrad.records.names import SPLITS

FATES = ("kept", "rejected", "decoy")
# What the list of deviations says of a mark.
WHY = {
    "transductive": "has read the texts of a test set, or stands on a node that has",
    "stand_in": "a rule answered in a language model's place, for it or for a node on which it stands",
    "fitted on": "was fitted or chosen on its gold labels, or stands on a node that was: its score there is no test",
}


class Deviation(TypedDict):
    """A value that is not the paper's; `node` is empty where it concerns a whole base or task."""

    node: str
    key: str
    paper: Any
    used: Any
    why: str


class Marks(TypedDict):
    """Names of nodes whose scores need an explanation, see WHY; `fitted` holds {node: splits}."""

    transductive: list[str]
    stand_in: list[str]
    fitted: dict[str, list[str]]


class NodePoint(TypedDict):
    """A node at one point of its axes."""

    name: str
    axes: dict[str, Any]


class RecipeSpec(TypedDict):
    """What the report says of a recipe beside its figures."""

    title: str
    tasks: dict[str, str]
    floors: dict[str, str]  # {name of a task in the recipe: node}
    not_run: list[dict[str, str]]
    deviations: list[Deviation]
    marks: Marks
    nodes: dict[str, NodePoint]  # by their ids
    readings: Any


class ReportSpec(TypedDict):
    """The spec of a report."""

    study: str
    title: str
    scale: str
    mode: str
    posts: str
    made_up: bool
    page: str
    recipes: dict[str, RecipeSpec]


def ledger_rows(task: str, ledger: pd.DataFrame, drop: pd.DataFrame) -> list[dict[str, Any]]:
    """Per split of a task: rows in, decoys, rejected (with reasons), kept, duplicates, used.

    ledger: one row a raw row, with split, fate (kept, rejected, decoy), reason, post_id. drop:
    audit's post_id and split. Raises ValueError if the books do not balance: every raw row has one
    fate, every kept post stands once in its split, and audit drops only posts that were kept.
    """
    strange = sorted(set(ledger["fate"]) - set(FATES))
    if strange:
        raise ValueError(
            f"ledger of {task}: fate {strange[0]!r} is none of {', '.join(FATES)}; run clean again"
        )
    rows = []
    for split in sorted(set(ledger["split"]), key=lambda split: (SPLITS + (split,)).index(split)):
        part = ledger[ledger["split"] == split]
        kept = part.loc[part["fate"] == "kept", "post_id"]
        dropped = drop.loc[drop["split"] == split, "post_id"]
        counts = part["fate"].value_counts()
        row = {
            "task": task,
            "split": split,
            "rows": len(part),
            **{fate: int(counts.get(fate, 0)) for fate in FATES},
            "reasons": part.loc[part["fate"] == "rejected", "reason"]
            .value_counts()
            .sort_index()
            .to_dict(),
            "duplicates": len(dropped),
            "used": int((~kept.isin(dropped)).sum()),
        }
        if row["rows"] != row["kept"] + row["rejected"] + row["decoy"] or kept.duplicated().any():
            raise ValueError(
                f"ledger of {task}, split {split}: rows in are not kept + rejected + decoys; clean again"
            )
        if row["kept"] != row["used"] + row["duplicates"]:
            raise ValueError(
                f"audit of {task}, split {split}: kept are not used + duplicates; audit again"
            )
        rows.append(row)
    unknown = sorted(set(drop["split"]) - set(ledger["split"]))
    if unknown:
        raise ValueError(
            f"audit of {task}: split {unknown[0]} is not in the ledger; run audit again"
        )
    return rows


def collapse_rows(models: Mapping[tuple[str, ...], Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Trainings that ended in one class, {recipe, node, collapsed, seed, lost}: the seeds, and the
    kept model's.

    models: {(recipe, node): model.json}. lost: the kept model is such a one as well.
    """
    return [
        {
            "recipe": recipe,
            "node": node,
            "collapsed": facts["collapsed"],
            "seed": facts["seed"],
            "lost": facts["seed"] in facts["collapsed"],
        }
        for (recipe, node), facts in models.items()
        if facts["collapsed"]
    ]


def node_of(spec: ReportSpec, recipe: str, id: str) -> NodePoint:
    """{name, axes} of the node of this id, from the report's spec.

    A node without axes has its name for an id.
    """
    return spec["recipes"][recipe]["nodes"].get(id, {"name": id, "axes": {}})


def fitted(spec: ReportSpec) -> set[tuple[str, str, str]]:
    """{(recipe, node, split)}.

    Where a node's score is on the gold labels that it was fitted or chosen on.
    """
    return {
        (recipe, node, split)
        for recipe, body in spec["recipes"].items()
        for node, splits in body["marks"]["fitted"].items()
        for split in splits
    }


def transductive(spec: ReportSpec) -> set[tuple[str, str]]:
    """{(recipe, node)}: the nodes whose result hangs on the texts of a test set."""
    return {
        (recipe, node)
        for recipe, body in spec["recipes"].items()
        for node in body["marks"]["transductive"]
    }


def stand_ins(spec: ReportSpec) -> set[tuple[str, str]]:
    """Return (recipe, node) of the nodes whose result depends on a rule's answers.

    The rule answered in the place of a language model.
    """
    return {
        (recipe, node)
        for recipe, body in spec["recipes"].items()
        for node in body["marks"]["stand_in"]
    }


def deviations_and_marks(body: RecipeSpec) -> list[Deviation]:
    """The deviations of a recipe in the report's spec, and a row of the same form for each of its
    marks.

    What concerns whole bases and tasks comes first, then node by node.
    """
    marks = body["marks"]
    found: list[tuple[str, str, Any]] = [
        (node, "transductive", True) for node in marks["transductive"]
    ]
    found += [(node, "stand_in", True) for node in marks["stand_in"]]
    found += [
        (node, "fitted on", split)
        for node, splits in sorted(marks["fitted"].items())
        for split in splits
    ]
    rows: list[Deviation] = [
        {"node": node, "key": key, "paper": None, "used": used, "why": WHY[key]}
        for node, key, used in found
    ]
    whole = [row for row in body["deviations"] if not row["node"]]
    rows += [row for row in body["deviations"] if row["node"]]
    return whole + sorted(rows, key=lambda row: (row["node"], row["key"]))


def deviation_rows(deviations: Iterable[Deviation]) -> list[dict[str, Any]]:
    """Deviations as {nodes, key, paper, used, why}: nodes that deviate alike share a row."""
    rows: dict[tuple[str, ...], list[str]] = {}
    for deviation in deviations:
        shown = [
            json.dumps(value, ensure_ascii=False).strip('"')
            for value in (deviation["paper"], deviation["used"])
        ]
        key = (
            deviation["key"],
            *["–" if text == "null" else text for text in shown],
            deviation["why"],
        )
        rows.setdefault(key, []).append(deviation["node"])
    return [
        {"nodes": nodes, "key": key, "paper": paper, "used": used, "why": why}
        for (key, paper, used, why), nodes in rows.items()
    ]
