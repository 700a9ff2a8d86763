"""Tables of ledgers, audits, collapsed trainings, and deviations from the papers.

The functions read counts and names. No table contains the text of a post.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, NotRequired, TypedDict

import pandas as pd

from postgrad.records.names import SPLITS

FATES = ("kept", "rejected", "decoy")
# The reason that the list of deviations gives for a mark.
MARK_REASONS = {
    "transductive": (
        "The node has read the texts of a test set, or depends on a node that has read them."
    ),
    "stand_in": (
        "A rule answered in place of a language model, for the node or for one on which it depends."
    ),
    "fitted on": (
        "The node was fitted or chosen on the gold labels of this split, or depends on such a "
        "node. Its score there is not a test result."
    ),
}


class Deviation(TypedDict):
    """A value that differs from the paper's. `node` is empty for a whole base or task."""

    node: str
    key: str
    paper: Any
    used: Any
    why: str


class Marks(TypedDict):
    """Names of nodes whose scores need an explanation (see `MARK_REASONS`).

    `fitted` is {node: splits}.
    """

    transductive: list[str]
    stand_in: list[str]
    fitted: dict[str, list[str]]


class NodePoint(TypedDict):
    """A node at one point of its axes."""

    name: str
    axes: dict[str, Any]


class RecipeSpec(TypedDict):
    """What the report shows about a recipe, apart from its scores."""

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
    margin: float  # a difference of at most this size is practically zero
    mode: str
    posts: str
    made_up: bool
    page: str
    recipes: dict[str, RecipeSpec]
    so_far: NotRequired[dict[str, Any] | None]  # what is missing, if the study has not finished


def ledger_rows(task: str, ledger: pd.DataFrame, drop: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the counts of each split of a task, and check that they balance.

    Parameters
    ----------
    task
        The name of the task.
    ledger
        One row for each raw row, with the columns split, fate (kept, rejected or decoy), reason and
        post_id.
    drop
        The posts that audit drops, with the columns post_id, split and reason.

    Returns
    -------
    list of dict
        For each split the raw rows, the decoys, the rejected rows and their reasons, the kept
        posts, the duplicates and near-duplicates among them and their reasons, and the posts that
        are used.

    Raises
    ------
    ValueError
        If the counts do not balance. Every raw row must have one fate, every kept post must occur
        once in its split, and audit must drop only posts that were kept.
    """
    unknown_fates = sorted(set(ledger["fate"]) - set(FATES))
    if unknown_fates:
        raise ValueError(
            f"ledger of {task}: fate {unknown_fates[0]!r} is not one of {', '.join(FATES)}; "
            "run clean again."
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
            "copies": drop.loc[drop["split"] == split, "reason"]
            .value_counts()
            .sort_index()
            .to_dict(),
            "used": int((~kept.isin(dropped)).sum()),
        }
        if row["rows"] != row["kept"] + row["rejected"] + row["decoy"] or kept.duplicated().any():
            raise ValueError(
                f"ledger of {task}, split {split}: the number of rows is not the sum of kept, "
                "rejected and decoys, or a post is kept twice; run clean again."
            )
        if row["kept"] != row["used"] + row["duplicates"]:
            raise ValueError(
                f"audit of {task}, split {split}: the number of kept posts is not the sum of used "
                "posts and duplicates; run audit again."
            )
        rows.append(row)
    unknown = sorted(set(drop["split"]) - set(ledger["split"]))
    if unknown:
        raise ValueError(
            f"audit of {task}: split {unknown[0]} is not in the ledger; run audit again."
        )
    return rows


def near_copy_row(task: str, near: pd.DataFrame, drop: pd.DataFrame) -> dict[str, Any] | None:
    """Return how many posts of a task are near-copies, and the least similar pair.

    Parameters
    ----------
    task
        The name of the task.
    near
        The near-copies that audit found, with the columns post_id, partner and similarity.
    drop
        The posts that audit drops, with the column post_id.

    Returns
    -------
    dict or None
        The number of near-copies and of those that stay, and the ids and the similarity of the
        least similar pair. The first post_id wins among equal ones. None without near-copies.
    """
    if near.empty:
        return None
    pair = near.sort_values(["similarity", "post_id"]).iloc[0]
    return {
        "task": task,
        "posts": len(near),
        "stay": int((~near["post_id"].isin(drop["post_id"])).sum()),
        "post_id": pair["post_id"],
        "partner": pair["partner"],
        "similarity": float(pair["similarity"]),
    }


def collapse_rows(models: Mapping[tuple[str, ...], Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the trainings that collapsed: their model gave one class to all its posts.

    Parameters
    ----------
    models
        {(recipe, node): content of model.json}.

    Returns
    -------
    list of dict
        For each such training the recipe, the node, the seeds that collapsed, the seed of the model
        that is kept, and `lost`: whether the kept model collapsed as well.
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


def node_point(spec: ReportSpec, recipe: str, id: str) -> NodePoint:
    """Return the name and the axes of the node with this id.

    The id of a node without axes is its name.
    """
    return spec["recipes"][recipe]["nodes"].get(id, {"name": id, "axes": {}})


def fitted_nodes(spec: ReportSpec) -> set[tuple[str, str, str]]:
    """Return (recipe, node, split) where the node was fitted or chosen on the gold labels."""
    return {
        (recipe, node, split)
        for recipe, body in spec["recipes"].items()
        for node, splits in body["marks"]["fitted"].items()
        for split in splits
    }


def transductive_nodes(spec: ReportSpec) -> set[tuple[str, str]]:
    """Return (recipe, node) of the nodes whose result depends on the texts of a test set."""
    return {
        (recipe, node)
        for recipe, body in spec["recipes"].items()
        for node in body["marks"]["transductive"]
    }


def stand_in_nodes(spec: ReportSpec) -> set[tuple[str, str]]:
    """Return (recipe, node) of the nodes whose result depends on answers of a stand-in.

    A stand-in is a rule that answers in place of a language model.
    """
    return {
        (recipe, node)
        for recipe, body in spec["recipes"].items()
        for node in body["marks"]["stand_in"]
    }


def recipe_deviations(body: RecipeSpec) -> list[Deviation]:
    """Return the deviations of a recipe, and a row of the same form for each of its marks.

    Deviations of whole bases and tasks come first. Those of nodes follow, sorted by node and key.
    """
    marks = body["marks"]
    marked: list[tuple[str, str, Any]] = [
        (node, "transductive", True) for node in marks["transductive"]
    ]
    marked += [(node, "stand_in", True) for node in marks["stand_in"]]
    marked += [
        (node, "fitted on", split)
        for node, splits in sorted(marks["fitted"].items())
        for split in splits
    ]
    rows: list[Deviation] = [
        {"node": node, "key": key, "paper": None, "used": used, "why": MARK_REASONS[key]}
        for node, key, used in marked
    ]
    whole = [row for row in body["deviations"] if not row["node"]]
    rows += [row for row in body["deviations"] if row["node"]]
    return whole + sorted(rows, key=lambda row: (row["node"], row["key"]))


def deviation_rows(deviations: Iterable[Deviation]) -> list[dict[str, Any]]:
    """Return the rows of the table of deviations. Nodes with equal deviations share a row."""
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
