"""What each step along a chain of nodes adds, beside the controls that do without its idea."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from postgrad.records.score_files import Comparison, Control, ScoreEntry, Spread, Summary

NOT_RUN = "not run"


@dataclass(frozen=True)
class Chain:
    """A chain of nodes of one task, and the datasets on which its steps are compared."""

    chain: list[str]
    sets: list[str]
    controls: dict[str, str] | list[str] = field(default_factory=dict)  # as `compared` takes them


@dataclass(frozen=True)
class CompareOptions:
    """What is compared in one recipe."""

    recipe: str
    chains: dict[str, Chain]


def spread(values: Sequence[float]) -> Spread:
    """The spread of a list; the sample's sd is None below two values, the mean without any."""
    return {
        "mean": statistics.fmean(values) if values else None,
        "sd": statistics.stdev(values) if len(values) > 1 else None,
        "seeds": len(values),
    }


def summary(pairs: Sequence[tuple[float, float | None]]) -> Summary:
    """The spread of the official metric, with the AUC's mean and sd beside it, of (official, auc)
    pairs.
    """
    area = spread([auc for _, auc in pairs if auc is not None])
    return {
        **spread([official for official, _ in pairs]),
        "auc": area["mean"],
        "auc_sd": area["sd"],
    }


def own(entries: Sequence[ScoreEntry]) -> Summary:
    """How one node does: its summary over seeds, with a reason where it has no score."""
    reasons = {entry["reason"] for entry in entries if not entry["n"]}
    values = [(e["values"]["official"], e["values"]["auc"]) for e in entries if e["n"]]
    found = summary([(official, area) for official, area in values if official is not None])
    if not values:
        found["reason"] = min(reasons, default=NOT_RUN)
    return found


def difference(before: Sequence[ScoreEntry], after: Sequence[ScoreEntry]) -> Summary:
    """The gain from the entries of one node to those of another, over pairs with equal shared axes.

    A node without axes pairs with every seed of the other.
    """
    gains = []
    for old in (entry for entry in before if entry["n"]):
        for new in (entry for entry in after if entry["n"]):
            a, b = old["axes"], new["axes"]
            official = gain(old, new, "official")
            if all(a[key] == b[key] for key in a.keys() & b.keys()) and official is not None:
                gains.append((official, gain(old, new, "auc")))
    found = summary(gains)
    if not gains:
        run = [any(entry["n"] for entry in entries) for entries in (before, after)]
        found["reason"] = "no equal seeds" if all(run) else NOT_RUN
    return found


def gain(old: ScoreEntry, new: ScoreEntry, key: str) -> float | None:
    """By how much a value of one entry is above that of another.

    None where one of them does not exist.
    """
    before, after = old["values"][key], new["values"][key]
    return None if before is None or after is None else after - before


def compared(
    entries: Sequence[ScoreEntry],
    chain: Sequence[str],
    controls: Mapping[str, str] | Sequence[str],
    dataset: str,
) -> Comparison:
    """One chain on one dataset: what stands under `sets` in compare.json.

    entries: those of score.json. chain: names of nodes. controls: {control: the node of the chain
    in whose place it stands}, or a list of controls of the last node. Raises ValueError for a
    control of a node that has none before it in the chain.
    """
    here = [entry for entry in entries if entry["dataset"] == dataset]
    of = {name: [entry for entry in here if entry["node"] == name] for name in [*chain, *controls]}
    if not isinstance(controls, Mapping):
        controls = dict.fromkeys(controls, chain[-1])
    beside: list[Control] = []
    for control, place in controls.items():
        if place not in chain[1:]:
            raise ValueError(
                f"control {control} stands in the place of {place}, which is not a later node."
            )
        against = chain[chain.index(place) - 1]
        found = difference(of[against], of[control])
        beside.append(
            {"node": control, "beside": place, "against": against, **found, "own": own(of[control])}
        )
    return {
        "metric": next((entry["metric"] for entry in here if entry["n"]), None),
        "nodes": [{"node": name, **own(of[name])} for name in chain],
        "steps": [{"from": a, "to": b, **difference(of[a], of[b])} for a, b in pairwise(chain)],
        "controls": beside,
    }
