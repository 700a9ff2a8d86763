"""Rank the recipes of a report on each task, by the node that stands for each recipe."""

from collections.abc import Iterable, Sequence
from typing import TypedDict

from postgrad.records.names import SPLITS
from postgrad.records.score_files import CompareFile
from postgrad.report.bookkeeping import (
    ReportSpec,
    fitted_nodes,
    stand_in_nodes,
    transductive_nodes,
)
from postgrad.report.score_tables import NodeScores
from postgrad.report.text_tables import format_score, node_signs, table_line, truncated_name

COLUMNS = ("mean", "sd", "seeds", "floor")
INTRODUCTION = """The rank of each recipe on each task, by the last node of its chain that was run.
If a recipe has several chains or none, the node with the best score on dev stands for it."""


class Claim(NodeScores):
    """The scores of the node that stands for a recipe on one dataset."""

    alias: str  # the name of the task in the recipe
    fitted: bool  # it, or its choice among several, depends on the gold labels of this split
    transductive: bool
    stand_in: bool


class RankedClaim(Claim):
    """A claim with its rank."""

    rank: int  # equal means share a rank


class Ranking(TypedDict):
    """The recipes that have a score on one split of a task, the best mean first."""

    task: str
    split: str
    metric: str | None
    rows: list[RankedClaim]


def rank_recipes(
    rows: Iterable[NodeScores], compares: Sequence[CompareFile], spec: ReportSpec
) -> list[Ranking]:
    """Return one ranking for each split of each task.

    Tasks are sorted by name, and splits are in their usual order. A ranking has one row for each
    recipe and name of the task, which `choose_claim` chooses. A recipe without a score on a split
    has no row there.

    Parameters
    ----------
    rows
        The scores of all nodes, as from `node_scores`.
    compares
        The contents of the compare.json files.
    spec
        The spec of the report.
    """
    read_test, by_stand_in = transductive_nodes(spec), stand_in_nodes(spec)
    on_gold = fitted_nodes(spec)
    groups: dict[tuple[str, str], list[NodeScores]] = {}
    claims: dict[tuple[str, str], list[Claim]] = {}
    for row in rows:
        if row["mean"] is not None:
            groups.setdefault((row["recipe"], row["dataset"]), []).append(row)
    for (recipe, dataset), members in groups.items():
        row, chosen = choose_claim(
            members, compares, groups.get((recipe, f"{dataset.partition('/')[0]}/dev"), [])
        )
        name = row["name"]
        alias, _, split = dataset.partition("/")
        claim: Claim = {
            **row,
            "alias": alias,
            "fitted": (recipe, name, dataset) in on_gold or (chosen and split == "dev"),
            "transductive": (recipe, name) in read_test,
            "stand_in": (recipe, name) in by_stand_in,
        }
        claims.setdefault((row["task"], split), []).append(claim)
    return [
        {
            "task": task,
            "split": split,
            "metric": claims[task, split][0]["metric"],
            "rows": add_ranks(claims[task, split]),
        }
        for task, split in sorted(claims, key=lambda key: (key[0], (*SPLITS, key[1]).index(key[1])))
    ]


def add_ranks(rows: Iterable[Claim]) -> list[RankedClaim]:
    """Return the rows with their ranks, the best mean first.

    Rows with equal means share a rank, and are sorted by name.
    """
    means = [(row["mean"] or 0.0, row) for row in rows]
    means.sort(key=lambda pair: (-pair[0], pair[1]["recipe"], pair[1]["alias"]))
    return [{**row, "rank": 1 + sum(other > mean for other, _ in means)} for mean, row in means]


def choose_claim(
    rows: Sequence[NodeScores], compares: Iterable[CompareFile], on_dev: Iterable[NodeScores]
) -> tuple[NodeScores, bool]:
    """Choose the node that stands for a recipe on one dataset, without the scores of a test set.

    The candidates are the last nodes with a score of the chains on the dataset. Without a chain,
    all nodes are candidates except the floor, or the floor if there is no other node. The candidate
    with the highest mean on dev wins. The first of equal candidates wins, and also the first one if
    none has a score on dev.

    Parameters
    ----------
    rows
        The scores of the recipe on the dataset.
    compares
        The contents of the compare.json files.
    on_dev
        The scores of the recipe on the dev split of the task.

    Returns
    -------
    row : NodeScores
        The scores of the node.
    chosen : bool
        Whether there were several candidates.
    """
    recipe, dataset = rows[0]["recipe"], rows[0]["dataset"]
    by_node: dict[str, list[NodeScores]] = {}
    for row in rows:
        by_node.setdefault(row["name"], []).append(row)
    ends: list[str] = []
    for content in [
        c for compare in compares if compare["recipe"] == recipe for c in compare["chains"].values()
    ]:
        chain = (
            [node["node"] for node in content["sets"][dataset]["nodes"]]
            if dataset in content["sets"]
            else []
        )
        ends += [node for node in reversed(chain) if node in by_node][:1]
    others = [node for node, own in by_node.items() if not own[0]["is_floor"]]
    candidates = [row for node in dict.fromkeys(ends or others or by_node) for row in by_node[node]]
    dev = {row["node"]: row["mean"] for row in on_dev if row["mean"] is not None}
    best = max(candidates, key=lambda row: dev.get(row["node"], -1.0))
    return best, len(candidates) > 1


def leaderboard_text(tables: Sequence[Ranking]) -> str:
    """Return the rankings as text for scores.txt, with an empty line after each table.

    The text is empty if there is no ranking.
    """
    lines = [INTRODUCTION, ""] if tables else []
    names = {
        id(r): f"  {r['rank']}  {r['recipe']}: {r['node']}"
        for table in tables
        for r in table["rows"]
    }
    names = {
        id(r): truncated_name(
            names[id(r)], node_signs(r["transductive"], r["stand_in"], r["fitted"])
        )
        for table in tables
        for r in table["rows"]
    }
    titles = [f"{table['task']}  {table['split']}  {table['metric']}" for table in tables]
    width = max(map(len, [*names.values(), *titles]), default=0)
    for table, title in zip(tables, titles):
        lines.append(table_line(title, COLUMNS, width))
        for row in table["rows"]:
            figures = [format_score(value) for value in (row["mean"], row["sd"], row["floor"])]
            cells = [*figures[:2], str(row["seeds"]), figures[2]]
            lines.append(table_line(names[id(row)], cells, width))
        lines.append("")
    return "".join(f"{text}\n" for text in lines)
