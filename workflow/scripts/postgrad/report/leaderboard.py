"""One table that ranks the recipes of a report, task by task.

What each of them claims, beside its floor.
"""

from collections.abc import Iterable, Sequence
from typing import TypedDict

from postgrad.records.names import SPLITS
from postgrad.records.score_files import CompareFile
from postgrad.report.bookkeeping import ReportSpec, fitted, stand_ins, transductive
from postgrad.report.score_tables import NodeScores
from postgrad.report.text_tables import decimals, line, shortened, signs

COLUMNS = ("mean", "sd", "seeds", "floor")
CLAIM = """What each recipe claims on each task: the last node of its chain that was run; of several
chains, or without one, the node that is best on dev."""


class Claim(NodeScores):
    """The scores of the node that stands for a recipe on one dataset."""

    alias: str  # the recipe's name of the task
    fitted: bool  # it, or its choice among several, depends on the gold labels of this very split
    transductive: bool
    stand_in: bool


class Ranked(Claim):
    rank: int  # equal means share one


class Ranking(TypedDict):
    """The recipes that have a score on one split of a task, the best mean first."""

    task: str
    split: str
    metric: str | None
    rows: list[Ranked]


def rankings(
    rows: Iterable[NodeScores], compares: Sequence[CompareFile], spec: ReportSpec
) -> list[Ranking]:
    """One ranking for each split of each task, tasks by name and splits in their order.

    A ranking has one row for each recipe and name of the task: the `claimed` one. A recipe without
    a score on a split has no row there.
    """
    read_test, ruled, on_gold = transductive(spec), stand_ins(spec), fitted(spec)
    groups: dict[tuple[str, str], list[NodeScores]] = {}
    found: dict[tuple[str, str], list[Claim]] = {}
    for row in rows:
        if row["mean"] is not None:
            groups.setdefault((row["recipe"], row["dataset"]), []).append(row)
    for (recipe, dataset), members in groups.items():
        row, chosen = claimed(
            members, compares, groups.get((recipe, f"{dataset.partition('/')[0]}/dev"), [])
        )
        name = row["name"]
        alias, _, split = dataset.partition("/")
        claim: Claim = {
            **row,
            "alias": alias,
            "fitted": (recipe, name, dataset) in on_gold or (chosen and split == "dev"),
            "transductive": (recipe, name) in read_test,
            "stand_in": (recipe, name) in ruled,
        }
        found.setdefault((row["task"], split), []).append(claim)
    return [
        {
            "task": task,
            "split": split,
            "metric": found[task, split][0]["metric"],
            "rows": ranked(found[task, split]),
        }
        for task, split in sorted(found, key=lambda key: (key[0], (*SPLITS, key[1]).index(key[1])))
    ]


def ranked(rows: Iterable[Claim]) -> list[Ranked]:
    """The rows with their rank, the best mean first.

    Equal means share a rank and stand in the order of names.
    """
    means = [(row["mean"] or 0.0, row) for row in rows]
    means.sort(key=lambda one: (-one[0], one[1]["recipe"], one[1]["alias"]))
    return [{**row, "rank": 1 + sum(other > mean for other, _ in means)} for mean, row in means]


def claimed(
    rows: Sequence[NodeScores], compares: Iterable[CompareFile], on_dev: Iterable[NodeScores]
) -> tuple[NodeScores, bool]:
    """(the row that stands for a recipe on one dataset, whether dev chose it among several). No
    test score chooses.

    rows: the recipe's on the dataset; on_dev: its rows on the task's dev. Candidates are, of each
    of its chains there, the last node with a score; without chains all nodes but the floor, and the
    floor where it is alone. Of several the highest mean on dev counts, the first of equal ones;
    without scores there, the first.
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


def text(tables: Sequence[Ranking]) -> str:
    """The rankings as lines of scores.txt, an empty line behind each table; nothing for none."""
    lines = [CLAIM, ""] if tables else []
    names = {
        id(r): f"  {r['rank']}  {r['recipe']}: {r['node']}"
        for table in tables
        for r in table["rows"]
    }
    names = {
        id(r): shortened(names[id(r)], signs(r["transductive"], r["stand_in"], r["fitted"]))
        for table in tables
        for r in table["rows"]
    }
    titles = [f"{table['task']}  {table['split']}  {table['metric']}" for table in tables]
    width = max(map(len, [*names.values(), *titles]), default=0)
    for table, title in zip(tables, titles):
        lines.append(line(title, COLUMNS, width))
        for row in table["rows"]:
            figures = [decimals(value) for value in (row["mean"], row["sd"], row["floor"])]
            lines.append(line(names[id(row)], [*figures[:2], str(row["seeds"]), figures[2]], width))
        lines.append("")
    return "".join(f"{told}\n" for told in lines)
