"""Rules for which posts a node may read, be fitted on and be scored on.

A violation raises `ConfigError` with its remedy.
"""

from typing import Any

from postgrad.config.errors import ConfigError, lookup, name_suggestion
from postgrad.graph.nodes import Node
from postgrad.graph.options import reference_schemas
from postgrad.graph.protocol import FOLDS, NodeVerb
from postgrad.records.names import FOLD, HELD_OUT, SPLITS

GOLD = ("dev", HELD_OUT)  # what a predictor may be fitted or chosen on
SCORED = ("test", "cross")


def parse_split(graph: Any, name: str, where: str) -> tuple[str, str]:
    """Return the task and the split of a name such as "ages/train".

    Raise `ConfigError` if the recipe has no such task or if there is no such split.

    Parameters
    ----------
    graph
        The graph.
    name
        The name.
    where
        The place in the recipe, for messages.
    """
    alias, _, part = name.partition("/")
    lookup(graph.tasks, alias, where, "task")
    if part not in (*SPLITS, HELD_OUT):
        raise ConfigError(
            f"{where}: {name!r}: {part!r} is not a split; "
            f"{name_suggestion(part, (*SPLITS, HELD_OUT))}"
        )
    return alias, part


def reason_without_split(
    graph: Any, record: NodeVerb, key: str, body: dict[str, Any], source: str, where: str
) -> str | None:
    """Return why a node is not run because a split does not exist, or None.

    A node never trains on what is chosen or scored on, and only gold posts have labels to learn.
    Therefore each verb says which splits each key may name.

    Parameters
    ----------
    graph
        The graph.
    record
        The record of the node's verb.
    key
        The key that names the split.
    body
        The node as the recipe writes it.
    source
        The name under the key: a split, or a node, for which the result is None.
    where
        The node's place in the recipe, for messages.

    Raises
    ------
    ConfigError
        If the node may not read the split.
    """
    if "/" not in source:
        return None
    where = f"{where}.{key}"
    alias, part = parse_split(graph, source, where)
    may_read_tests = key != "fit" and "transductive" in reference_schemas(record.name)
    allowed = record.readable[key]
    if may_read_tests and body.get("transductive") is True:
        allowed += SCORED
    if part not in allowed:
        names = " or ".join(f"{alias}/{name}" for name in record.readable[key])
        if part == "dev":
            why = "is a dev set, which is there to choose on and never to train on"
        elif part in SCORED:
            why = "is a test set"
            if may_read_tests:
                names += ", or mark the node with transductive: true, which the report then tells"
        elif part == HELD_OUT:
            why = "names predictions of held-out posts, to score and to fit on"
        else:
            why = "is what models learn from" if part == "train" else "has no labels to learn"
        reader = record.name if key == record.data_key else key
        raise ConfigError(f"{where}: {source} {why}; {reader} may read {names}.")
    task = graph.tasks[alias]
    return (
        None
        if part in (*graph.study.task(task)["splits"], HELD_OUT)
        else f"{task} has no split {part}"
    )


def gold_to_fit_on(graph: Any, members: list[str]) -> str:
    """Return a phrase that names the gold posts on which a node can be fitted, for messages.

    They are held-out posts if its members stand on folds.

    Parameters
    ----------
    graph
        The graph.
    members
        The ids of the node's members.
    """
    folds = {id for member in members for id in graph.nodes[member].folds}
    pooled = {split for id in folds for split in graph.nodes[id].sources}
    alias = next((graph.nodes[id].task for id in folds), None)
    if not folds:
        folding = graph.verbs.verbs_that_make(FOLDS)
        unread = not members and any(verb in folding for verb, _ in graph.raw.values())
        return "the task's dev" + (", or held-out where dev is in folds," if unread else "")
    return (
        f"{alias}/{HELD_OUT}" if f"{alias}/dev" in pooled else f"{alias}/dev or {alias}/{HELD_OUT}"
    )


def reason_without_dev(graph: Any, task: str | None, values: dict[str, list[Any]]) -> str | None:
    """Return why a node that chooses its best epoch on dev is not run, or None.

    Parameters
    ----------
    graph
        The graph.
    task
        The recipe's name for the node's task, or None.
    values
        The values that each option may take.
    """
    if (
        task is None
        or "best" not in values.get("epoch", [])
        or "dev" in graph.study.task(graph.tasks[task])["splits"]
    ):
        return None
    return f"{graph.tasks[task]} has no split dev, to choose an epoch on"


def is_scorable(graph: Any, name: str, where: str) -> bool:
    """Return whether a task has the split on which a predictor is to be scored.

    Raise `ConfigError` if the split has no gold labels.
    """
    alias, part = parse_split(graph, name, where)
    if part == "unlabeled":
        raise ConfigError(
            f"{where}: {name} has no gold labels to score on; name one of {', '.join(SPLITS[:-1])}."
        )
    return part in (*graph.study.task(graph.tasks[alias])["splits"], HELD_OUT)


def check_not_trained_on(graph: Any, predictor: Node, dataset: str, where: str) -> None:
    """Raise `ConfigError` if a predictor learnt the gold labels on which it is scored or fitted.

    Parameters
    ----------
    graph
        The graph.
    predictor
        The predictor.
    dataset
        The split on which it is scored or fitted.
    where
        The place in the recipe, for messages.
    """
    alias, _, part = dataset.partition("/")
    if part == HELD_OUT and (why := reason_never_held_out(graph, predictor)):
        raise ConfigError(f"{where}: {dataset} is not there: {why}.")
    if part == "dev" and dataset in predictor.learnt:
        raise ConfigError(
            f"{where}: {predictor.name} learns from {dataset} in folds; fold train alone, or "
            f"score and fit on {alias}/{HELD_OUT}."
        )


def reason_never_held_out(graph: Any, predictor: Node) -> str | None:
    """Return why a predictor lacks predictions of some held-out posts, with the remedy, or None."""
    if FOLD in predictor.axes:
        joining = " or ".join(graph.verbs.verbs_with_trait("joins_folds"))
        return (
            f"{predictor.name} is made for each fold, and each holds out other posts; "
            f"name a {joining} over fold"
        )
    if not predictor.folds:
        folding = " or ".join(graph.verbs.verbs_that_make("folds"))
        return (
            f"{predictor.name} learns from no dataset made by {folding}, so no post is held out "
            "from it; name test or dev"
        )
    if len({frozenset(graph.nodes[id].sources) for id in predictor.folds}) > 1:
        return f"{predictor.name} stands on folds of different splits; fold the same ones"
    record = graph.verbs.nodes[predictor.verb]
    if why := record.reason_not_held_out(predictor):
        return f"{predictor.name} {why}"
    below = [graph.nodes[id] for id in predictor.members]
    if record.joins_folds:
        below = [member for member in below if FOLD not in member.axes]
    return next(filter(None, (reason_never_held_out(graph, member) for member in below)), None)


def has_learnt_held_out(graph: Any, made: Node, below: list[Node]) -> bool:
    """Return whether a node of one fold stands on something that learnt its held-out labels.

    This may be its base, or the teachers of a pool, outside the folds. Posts that are variants of
    train do not count, because those of the fold are left out.

    Parameters
    ----------
    graph
        The graph.
    predictor
        The node.
    below
        The nodes on which it stands.
    """
    held = (
        {split for id in made.folds for split in graph.nodes[id].sources}
        if FOLD in made.axes
        else set()
    )
    todo = [node for node in below if FOLD not in node.axes]
    while todo:
        node = todo.pop()
        if graph.verbs.nodes[node.verb].varies_posts:
            todo += [graph.nodes[id] for id in node.sources if id in graph.nodes]
        elif held & {*node.learnt}:
            return True
    return False


def contained_sources(graph: Any, source: str) -> set[str]:
    """Return the splits, and the ids of datasets, whose posts a source may contain."""
    if source not in graph.nodes or not graph.verbs.nodes[graph.nodes[source].verb].holds_sources:
        return {source}
    return {one for part in graph.nodes[source].sources for one in contained_sources(graph, part)}
