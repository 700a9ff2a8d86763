"""Scores of nodes, and differences between nodes, with the uncertainty of posts and seeds."""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, cast

import numpy as np
import pandas as pd

from postgrad.evaluation.comparison import NOT_RUN, OTHER_SEEDS, paired_entries
from postgrad.evaluation.estimates import (
    GoldPosts,
    SeedPredictions,
    estimate_difference,
    estimate_score,
)
from postgrad.records.names import node_id
from postgrad.records.outcomes import Outcomes, stacked_labels, stacked_probs
from postgrad.records.score_files import Difference, NodeEstimate, ScoreEntry

OTHER_POSTS, NO_SCORE = "other posts", "no score"
_DIFFERENCE = tuple(
    key for key in Difference.__annotations__ if key not in ("kind", "before", "after", "step")
)


def node_estimates(entries: Iterable[ScoreEntry], outcomes: Outcomes) -> list[NodeEstimate]:
    """Return the official metric of each node on each dataset, over its seeds, with an interval.

    Parameters
    ----------
    entries
        The entries of score.json.
    outcomes
        The outcomes of the same predictors.
    """
    groups: dict[tuple[str, str], list[ScoreEntry]] = {}
    for entry in entries:
        if entry["n"]:
            axes = {key: value for key, value in entry["axes"].items() if key != "seed"}
            key = (node_id(entry["node"], axes), entry["dataset"])
            groups.setdefault(key, []).append(entry)
    found: list[NodeEstimate] = []
    for (node, dataset), members in groups.items():
        parts = outcomes.same_posts([entry["predictor"] for entry in members], dataset)
        if parts is None:
            continue
        estimate = estimate_score(
            gold_posts(parts[0], members[0]),
            seed_predictions(parts),
            members[0]["metric"],
            seed=stable_seed(node, dataset),
        )
        if estimate is not None:
            named = {"node": node, "dataset": dataset}
            found.append(cast(NodeEstimate, named | asdict(estimate)))
    return found


def chain_differences(
    entries: Sequence[ScoreEntry],
    outcomes: Outcomes,
    chain: Sequence[str],
    controls: Mapping[str, str],
    dataset: str,
    margin: float,
) -> list[Difference]:
    """Return the difference of each step of a chain, and those of its controls.

    For each control there are two: its gain over the node before the step, and the gain of the step
    over the control.

    Parameters
    ----------
    entries
        The entries of score.json.
    outcomes
        The outcomes of the same predictors.
    chain
        Names of nodes, in the order of the chain.
    controls
        {name of a control: the node of the chain in whose place it stands}.
    dataset
        The dataset, such as ages/test.
    margin
        A difference of at most this size is practically zero.
    """
    of: dict[str, list[ScoreEntry]] = {}
    for entry in entries:
        if entry["dataset"] == dataset:
            of.setdefault(entry["node"], []).append(entry)
    rows = []
    for before, after in zip(chain, chain[1:]):
        own = [control for control, place in controls.items() if place == after]
        pairs = [("step", before, after)]
        for control in own:
            pairs += [("control", before, control), ("step over control", control, after)]
        for kind, old, new in pairs:
            figures = node_difference(of.get(old, []), of.get(new, []), outcomes, dataset, margin)
            named = {"kind": kind, "before": old, "after": new, "step": after}
            rows.append(cast(Difference, {**named, **figures}))
    return rows


def node_difference(
    before: Sequence[ScoreEntry],
    after: Sequence[ScoreEntry],
    outcomes: Outcomes,
    dataset: str,
    margin: float,
    outcomes_after: Outcomes | None = None,
) -> dict[str, Any]:
    """Return the difference of the official metric from one node to another, over paired seeds.

    Parameters
    ----------
    before, after
        The entries of the two nodes on the dataset.
    outcomes
        The outcomes of `before`, and of `after` unless the next says otherwise.
    dataset
        The dataset, such as ages/test.
    margin
        A difference of at most this size is practically zero.
    outcomes_after
        The outcomes of `after`, if it is a node of another recipe.

    Returns
    -------
    dict
        The figures of a `Difference`. If there is no difference, they are None, and `reason` says
        why.
    """
    nothing: dict[str, Any] = dict.fromkeys(_DIFFERENCE) | {
        "posts": 0,
        "seeds": 0,
        "margin": margin,
    }
    nothing.pop("reason")
    pairs = paired_entries(before, after)
    if not pairs:
        run = [any(entry["n"] for entry in entries) for entries in (before, after)]
        return nothing | {"reason": OTHER_SEEDS if all(run) else NOT_RUN}
    old_dataset = pairs[0][0]["dataset"]
    old = outcomes.same_posts([entry["predictor"] for entry, _ in pairs], old_dataset)
    new = (outcomes_after or outcomes).same_posts(
        [entry["predictor"] for _, entry in pairs], pairs[0][1]["dataset"]
    )
    if old is None or new is None or not np.array_equal(old[0]["post_id"], new[0]["post_id"]):
        return nothing | {"reason": OTHER_POSTS}
    estimate = estimate_difference(
        gold_posts(old[0], pairs[0][0]),
        seed_predictions(old),
        seed_predictions(new),
        pairs[0][0]["metric"],
        margin=margin,
        seed=stable_seed(dataset, pairs[0][0]["predictor"], pairs[0][1]["predictor"]),
    )
    if estimate is None:
        return nothing | {"reason": NO_SCORE}
    means = [
        float(np.mean([entry["values"]["official"] for entry in column])) for column in zip(*pairs)
    ]
    return nothing | {
        "before_mean": means[0],
        "after_mean": means[1],
        **asdict(estimate),
    }


def gold_posts(outcomes: pd.DataFrame, entry: ScoreEntry) -> GoldPosts:
    """Return the gold labels and groups of the posts of one predictor's outcomes."""
    return GoldPosts(
        gold=outcomes["gold"].to_numpy(),
        groups=outcomes["group"].to_numpy(),
        classes=len(entry["per_class"]),
        positive=entry["positive"],
    )


def seed_predictions(parts: Sequence[pd.DataFrame]) -> SeedPredictions:
    """Return the predictions of several seeds for the same posts."""
    return SeedPredictions(labels=stacked_labels(parts), probs=stacked_probs(parts))


def stable_seed(*names: str) -> int:
    """Return a seed that depends on names only, so that a figure does not depend on its company.

    Examples
    --------
    >>> stable_seed("ages/test", "plain") == stable_seed("ages/test", "plain")
    True
    """
    return zlib.crc32("\n".join(names).encode())
