"""Compare the scores of the nodes of a chain, step by step, and with those of its controls."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from postgrad.records.score_files import ChainSummary, Control, ScoreEntry, Spread, Summary

NOT_RUN, OTHER_SEEDS = "not run", "no equal seeds"


@dataclass(frozen=True)
class Chain:
    """A chain of nodes of one task, its controls, and the datasets on which they are compared."""

    chain: list[str]
    sets: list[str]
    controls: dict[str, str] = field(default_factory=dict)  # as in `compare_chain`


@dataclass(frozen=True)
class CompareOptions:
    """The chains that are compared in one recipe."""

    recipe: str
    chains: dict[str, Chain]
    margin: float  # a difference of at most this size is practically zero


def score_spread(values: Sequence[float]) -> Spread:
    """Return the mean of scores, their sample standard deviation, and how many there are.

    The mean is None without values, and the standard deviation with fewer than two.

    Examples
    --------
    >>> score_spread([0.25, 0.75, 0.5])
    {'mean': 0.5, 'sd': 0.25, 'seeds': 3}
    >>> score_spread([])
    {'mean': None, 'sd': None, 'seeds': 0}
    """
    return {
        "mean": statistics.fmean(values) if values else None,
        "sd": statistics.stdev(values) if len(values) > 1 else None,
        "seeds": len(values),
    }


def summarize_scores(pairs: Sequence[tuple[float, float | None]]) -> Summary:
    """Return the spread of the official metric and that of the AUC.

    Parameters
    ----------
    pairs
        (official metric, AUC or None), one pair for each seed.
    """
    area = score_spread([auc for _, auc in pairs if auc is not None])
    return {
        **score_spread([official for official, _ in pairs]),
        "auc": area["mean"],
        "auc_sd": area["sd"],
    }


def node_summary(entries: Sequence[ScoreEntry]) -> Summary:
    """Return the scores of one node over its seeds, or the reason why it has none."""
    reasons = {entry["reason"] for entry in entries if not entry["n"]}
    values = [(e["values"]["official"], e["values"]["auc"]) for e in entries if e["n"]]
    summary = summarize_scores(
        [(official, area) for official, area in values if official is not None]
    )
    if not values:
        summary["reason"] = min(reasons, default=NOT_RUN)
    return summary


def paired_entries(
    before: Sequence[ScoreEntry], after: Sequence[ScoreEntry]
) -> list[tuple[ScoreEntry, ScoreEntry]]:
    """Return the pairs of entries of two nodes that have a score, and whose shared axes are equal.

    A node without axes is paired with every seed of the other.
    """
    return [
        (old, new)
        for old in before
        for new in after
        if old["n"]
        and new["n"]
        and all(old["axes"][key] == new["axes"][key] for key in old["axes"].keys() & new["axes"])
        and value_gain(old, new, "official") is not None
    ]


def paired_difference(before: Sequence[ScoreEntry], after: Sequence[ScoreEntry]) -> Summary:
    """Return the gain from one node to another over the pairs of `paired_entries`.

    If there is no pair, the result has a reason.
    """
    gains = [
        (gain, value_gain(old, new, "auc"))
        for old, new in paired_entries(before, after)
        if (gain := value_gain(old, new, "official")) is not None
    ]
    summary = summarize_scores(gains)
    if not gains:
        run = [any(entry["n"] for entry in entries) for entries in (before, after)]
        summary["reason"] = OTHER_SEEDS if all(run) else NOT_RUN
    return summary


def value_gain(old: ScoreEntry, new: ScoreEntry, key: str) -> float | None:
    """Return a value of `new` minus that of `old`, or None if one of them does not exist."""
    before, after = old["values"][key], new["values"][key]
    return None if before is None or after is None else after - before


def compare_chain(
    entries: Sequence[ScoreEntry],
    chain: Sequence[str],
    controls: Mapping[str, str],
    dataset: str,
) -> ChainSummary:
    """Compare the nodes of a chain, and its controls, on one dataset.

    Parameters
    ----------
    entries
        The entries of score.json.
    chain
        Names of nodes, in the order of the chain.
    controls
        {name of a control: the node of the chain in whose place it stands}.
    dataset
        The dataset, such as ages/dev.

    Returns
    -------
    ChainSummary
        The scores of each node, the gain of each step, and for each control its gain over the node
        before the one in whose place it stands. In compare.json it stands under `sets`, with the
        `differences` of `node_estimates.chain_differences`.

    Raises
    ------
    ValueError
        If a control stands in the place of the first node, or of one outside the chain.
    """
    on_dataset = [entry for entry in entries if entry["dataset"] == dataset]
    of = {
        name: [entry for entry in on_dataset if entry["node"] == name]
        for name in [*chain, *controls]
    }
    control_rows: list[Control] = []
    for control, place in controls.items():
        if place not in chain[1:]:
            raise ValueError(
                f"control {control} stands in the place of {place}, which is not a later node."
            )
        against = chain[chain.index(place) - 1]
        difference = paired_difference(of[against], of[control])
        control_rows.append(
            {
                "node": control,
                "beside": place,
                "against": against,
                **difference,
                "own": node_summary(of[control]),
            }
        )
    return {
        "metric": next((entry["metric"] for entry in on_dataset if entry["n"]), None),
        "nodes": [{"node": name, **node_summary(of[name])} for name in chain],
        "steps": [
            {"from": a, "to": b, **paired_difference(of[a], of[b])} for a, b in pairwise(chain)
        ],
        "controls": control_rows,
    }
