"""What each step along a chain of nodes adds, beside the controls that do without its idea."""

import statistics
from itertools import pairwise

NOT_RUN = "not run"


def spread(values):
    """{"mean", "sd", "seeds"} of a list; the sample's sd is None below two values, the mean without any."""
    return {
        "mean": statistics.fmean(values) if values else None,
        "sd": statistics.stdev(values) if len(values) > 1 else None,
        "seeds": len(values),
    }


def summary(pairs):
    """The spread of the official metric, with the AUC's mean and sd beside it, of (official, auc) pairs."""
    area = spread([auc for _, auc in pairs if auc is not None])
    return {**spread([official for official, _ in pairs]), "auc": area["mean"], "auc_sd": area["sd"]}


def own(entries):
    """How one node does: its summary over seeds, with a reason where it has no score."""
    reasons = {entry["reason"] for entry in entries if not entry["n"]}
    values = [(e["values"]["official"], e["values"]["auc"]) for e in entries if e["n"]]
    reason = {} if values else {"reason": min(reasons, default=NOT_RUN)}
    return summary([pair for pair in values if pair[0] is not None]) | reason


def difference(before, after):
    """The gain from the entries of one node to those of another, over pairs with equal shared axes.

    A node without axes pairs with every seed of the other.
    """
    gains = []
    for old in (entry for entry in before if entry["n"]):
        for new in (entry for entry in after if entry["n"]):
            a, b = old["axes"], new["axes"]
            official = (old["values"]["official"], new["values"]["official"])
            if all(a[key] == b[key] for key in a.keys() & b.keys()) and None not in official:
                area = (old["values"]["auc"], new["values"]["auc"])
                gains.append((official[1] - official[0], None if None in area else area[1] - area[0]))
    run = [any(entry["n"] for entry in entries) for entries in (before, after)]
    reason = {} if gains else {"reason": "no equal seeds" if all(run) else NOT_RUN}
    return summary(gains) | reason


def compared(entries, chain, controls, dataset):
    """One chain on one dataset: what stands under `sets` in compare.json.

    entries: those of score.json. chain: names of nodes. controls: {control: the node of the chain in
    whose place it stands}, or a list of controls of the last node.
    Returns {"metric", "nodes", "steps", "controls"}; see compare.py for the shape.
    Raises ValueError for a control of a node that has none before it in the chain.
    """
    here = [entry for entry in entries if entry["dataset"] == dataset]
    of = {name: [entry for entry in here if entry["node"] == name] for name in [*chain, *controls]}
    if not isinstance(controls, dict):
        controls = dict.fromkeys(controls, chain[-1])
    beside = []
    for control, place in controls.items():
        if place not in chain[1:]:
            raise ValueError(f"control {control} stands in the place of {place}, which is not a later node.")
        against = chain[chain.index(place) - 1]
        gain = difference(of[against], of[control])
        beside.append({"node": control, "beside": place, "against": against, **gain, "own": own(of[control])})
    return {
        "metric": next((entry["metric"] for entry in here if entry["n"]), None),
        "nodes": [{"node": name, **own(of[name])} for name in chain],
        "steps": [{"from": a, "to": b, **difference(of[a], of[b])} for a, b in pairwise(chain)],
        "controls": beside,
    }
