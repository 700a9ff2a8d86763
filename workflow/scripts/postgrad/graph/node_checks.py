"""Checks of every resolved node, whatever its verb: folds, fits, and posts that are read once."""

from typing import Any

from postgrad.config.errors import ConfigError
from postgrad.graph.nodes import Node
from postgrad.graph.split_rules import check_not_trained_on
from postgrad.records.names import FOLD, HELD_OUT


def check_node(graph: Any, node: Node, where: str) -> None:
    """Check a resolved node.

    Raise `ConfigError` if it reads a post twice, if its folds do not fit together, or if it is
    fitted on posts that it learnt.
    """
    check_sources(graph, node, where)
    if FOLD in node.axes and len(node.folds) > 1:
        raise ConfigError(
            f"{where}: it stands on {' and '.join(node.folds)}, which hold out other posts; let "
            "all under it share one "
            f"dataset made by {' or '.join(graph.verbs.verbs_that_make('folds'))}, or let a "
            f"{' or '.join(graph.verbs.verbs_with_trait('joins_folds'))} reduce fold first."
        )
    if node.fit:
        check_fit(graph, node, node.fit, where)


def check_sources(graph: Any, node: Node, where: str) -> None:
    """Raise `ConfigError` if a node reads a split and its folds, or more than a whole set."""
    pooled = {
        split: id for id in node.folds for split in graph.nodes[id].sources if id in node.sources
    }
    for source in node.sources:
        if source in pooled:
            name = graph.nodes[pooled[source]].name
            raise ConfigError(
                f"{where}: {source} is already in {name}, in folds; name only {name}."
            )
    verbs = graph.verbs
    if verbs.nodes[node.verb].stands_alone or len(node.sources) == 1:
        return
    for other in (graph.nodes[id] for id in node.sources if id in graph.nodes):
        if verbs.nodes[other.verb].stands_alone:
            raise ConfigError(
                f"{where}: {other.name} is made by {other.verb} and holds the whole set; name it "
                f"alone, or let a further {other.verb} take it and the others."
            )


def check_fit(graph: Any, node: Node, fit: str, where: str) -> None:
    """Raise `ConfigError` if a node is fitted on posts that a member learnt or did not predict."""
    record = graph.verbs.nodes[node.verb]
    key = record.members_key if record.section == "datasets" else "fit"
    for id in node.members:
        check_not_trained_on(graph, graph.nodes[id], fit, f"{where}.{key}")
    held = {
        frozenset(graph.nodes[fold].sources)
        for id in node.members
        for fold in graph.nodes[id].folds
    }
    if fit.endswith(f"/{HELD_OUT}") and len(held) > 1:
        raise ConfigError(
            f"{where}: {' and '.join(node.members)} stand on folds of different splits; fold the "
            "same ones."
        )
