"""Rank the systems of each task with intervals, and tell which can be told from each other."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

from postgrad.evaluation.estimates import holm
from postgrad.evaluation.node_estimates import node_difference
from postgrad.evaluation.verdicts import LEVEL
from postgrad.records.outcomes import Outcomes
from postgrad.report.leaderboard import Ranking
from postgrad.report.score_tables import NodeScores

SYSTEM, FLOOR = "system", "floor"
COLUMNS = (
    "task",
    "split",
    "metric",
    "decisive",
    "rank",
    "role",
    "recipe",
    "dataset",
    "node",
    "posts",
    "seeds",
    "mean",
    "sd",
    "low",
    "high",
    "told_from",
    "not_told_from",
)
PAIR_COLUMNS = (
    "task",
    "split",
    "metric",
    "before",
    "after",
    "posts",
    "seeds",
    "before_mean",
    "after_mean",
    "difference",
    "low",
    "high",
    "standard_error",
    "degrees_of_freedom",
    "p",
    "p_holm",
    "gain_probability",
    "near_zero_probability",
    "margin",
    "mcnemar_p",
    "reason",
)


def rank_systems(
    rankings: Iterable[Ranking],
    scores: Iterable[NodeScores],
    outcomes: Mapping[str, Outcomes],
    margin: float,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the rows of ranking.csv and those of ranking_pairs.csv.

    Each ranking has the node that stands for each recipe, and the floor. The p-values of all pairs
    of a ranking are corrected by the method of Holm; two systems can be told from each other if
    the corrected p-value is below .05. `decisive` is yes on the splits that give verdicts: all but
    dev, and dev if a task has no other.

    Parameters
    ----------
    rankings
        The rankings of the recipes, as from `leaderboard.rank_recipes`.
    scores
        The scores of all nodes, among which are the floors.
    outcomes
        The outcomes of each recipe.
    margin
        A difference of at most this size is practically zero.
    """
    floors = {(row["recipe"], row["dataset"]): row for row in scores if row["is_floor"]}
    tables = list(rankings)
    splits: dict[str, set[str]] = {}
    for table in tables:
        splits.setdefault(table["task"], set()).add(table["split"])
    rows, pairs = [], []
    for table in tables:
        systems = ranked_systems(table, floors)
        differences = system_differences(systems, outcomes, margin)
        told = {(d["before"], d["after"]) for d in differences if d["is_told"]}
        decisive = table["split"] != "dev" or splits[table["task"]] == {"dev"}
        named = {"task": table["task"], "split": table["split"], "metric": table["metric"]}
        pairs += [named | difference for difference in differences]
        for system in systems:
            others = [other["name"] for other in systems if other is not system]
            from_here = [
                other
                for other in others
                if told & {(system["name"], other), (other, system["name"])}
            ]
            untold = [other for other in others if other not in from_here]
            rows.append(
                named
                | system
                | {
                    "decisive": "yes" if decisive else "",
                    "told_from": "; ".join(from_here),
                    "not_told_from": "; ".join(untold),
                }
            )
    return rows, pairs


def ranked_systems(
    table: Ranking, floors: Mapping[tuple[str, str], NodeScores]
) -> list[dict[str, Any]]:
    """Return the systems of a ranking and its floor, the best mean first.

    The floor is that of the first recipe that has one; the other recipes have the same linear model
    or none. It is left out if it stands for its recipe itself.
    """
    members: list[tuple[str, NodeScores]] = [(SYSTEM, row) for row in table["rows"]]
    found = (floors.get((row["recipe"], row["dataset"])) for row in table["rows"])
    floor = next((row for row in found if row is not None), None)
    standing = [(row["recipe"], row["node"], row["dataset"]) for row in table["rows"]]
    if floor and (floor["recipe"], floor["node"], floor["dataset"]) not in standing:
        members.append((FLOOR, floor))
    members.sort(key=lambda member: -(member[1]["mean"] or 0.0))
    means = [row["mean"] for _, row in members]
    return [
        {
            "rank": 1 + sum((mean or 0.0) > (row["mean"] or 0.0) for mean in means),
            "role": role,
            "name": FLOOR if role == FLOOR else f"{row['recipe']}: {row['node']}",
            "posts": row["n"],
            "entries": row["entries"],
            **{
                key: row[key]
                for key in ("recipe", "dataset", "node", "seeds", "mean", "sd", "low", "high")
            },
        }
        for role, row in members
    ]


def system_differences(
    systems: Sequence[Mapping[str, Any]], outcomes: Mapping[str, Outcomes], margin: float
) -> list[dict[str, Any]]:
    """Return the difference of each pair of systems, from the lower rank to the higher one.

    Systems of different recipes have no seeds in common but their numbers, by which they are
    paired.
    """
    differences = [
        {"before": worse["name"], "after": better["name"]}
        | node_difference(
            worse["entries"],
            better["entries"],
            outcomes[worse["recipe"]],
            better["dataset"],
            margin,
            outcomes[better["recipe"]],
        )
        for better, worse in combinations(systems, 2)
    ]
    known = [row for row in differences if row["p"] is not None]
    for row, corrected in zip(known, holm([row["p"] for row in known]), strict=True):
        row["p_holm"] = corrected
    for row in differences:
        row["is_told"] = row.get("p_holm") is not None and row["p_holm"] < LEVEL
    return differences
