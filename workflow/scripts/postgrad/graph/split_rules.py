"""Which posts a node may read, be fitted on and be scored on.

What breaks a rule raises ConfigError with its remedy.
"""

from typing import Any

from postgrad.config.errors import ConfigError, lookup, name_suggestion
from postgrad.graph.nodes import Node
from postgrad.graph.options import references
from postgrad.graph.protocol import FOLDS, NodeVerb
from postgrad.records.names import FOLD, HELD_OUT, SPLITS

GOLD = ("dev", HELD_OUT)  # what a predictor may be fitted or chosen on
SCORED = ("test", "cross")


def split_of(graph: Any, name: str, where: str) -> tuple[str, str]:
    """(the recipe's name of the task, split) of `ages/train`; ConfigError where either does not exist."""
    alias, _, part = name.partition("/")
    lookup(graph.tasks, alias, where, "task")
    if part not in (*SPLITS, HELD_OUT):
        raise ConfigError(
            f"{where}: {name!r}: {part!r} is not a split; {name_suggestion(part, (*SPLITS, HELD_OUT))}"
        )
    return alias, part


def split(
    graph: Any, record: NodeVerb, key: str, body: dict[str, Any], source: str, where: str
) -> str | None:
    """Why a node is not run for want of a split, or None; ConfigError where it would read one that it may
    not.

    key: the one that names the split. What is chosen or scored on is never trained on, and only
    gold has labels to learn, so each verb says which splits may stand there.
    """
    if "/" not in source:
        return None
    where = f"{where}.{key}"
    alias, part = split_of(graph, source, where)
    may_read_tests = key != "fit" and "transductive" in references(record.name)
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
    """The gold posts to fit on, as a sentence names them.

    Held-out ones where members, ids of nodes, stand on folds.
    """
    folds = {id for member in members for id in graph.nodes[member].folds}
    pooled = {split for id in folds for split in graph.nodes[id].sources}
    alias = next((graph.nodes[id].task for id in folds), None)
    if not folds:
        folding = graph.verbs.making(FOLDS)
        unread = not members and any(verb in folding for verb, _ in graph.raw.values())
        return "the task's dev" + (", or held-out where dev is in folds," if unread else "")
    return (
        f"{alias}/{HELD_OUT}" if f"{alias}/dev" in pooled else f"{alias}/dev or {alias}/{HELD_OUT}"
    )


def no_dev(graph: Any, task: str | None, values: dict[str, list[Any]]) -> str | None:
    """Why a node is not run for want of a split to choose its epoch on, or None.

    values: as of `options.missing`.
    """
    if (
        task is None
        or "best" not in values.get("epoch", [])
        or "dev" in graph.study.task(graph.tasks[task])["splits"]
    ):
        return None
    return f"{graph.tasks[task]} has no split dev, to choose an epoch on"


def scored_split(graph: Any, name: str, where: str) -> bool:
    """Whether a task has the split on which is scored; ConfigError where it can have no gold labels."""
    alias, part = split_of(graph, name, where)
    if part == "unlabeled":
        raise ConfigError(
            f"{where}: {name} has no gold labels to score on; name one of {', '.join(SPLITS[:-1])}."
        )
    return part in (*graph.study.task(graph.tasks[alias])["splits"], HELD_OUT)


def untouched(graph: Any, made: Node, dataset: str, where: str) -> None:
    """Raise ConfigError where a predictor has learnt the gold labels of a dataset that it is scored or
    fitted on.
    """
    alias, _, part = dataset.partition("/")
    if part == HELD_OUT and (why := never_held_out(graph, made)):
        raise ConfigError(f"{where}: {dataset} is not there: {why}.")
    if part == "dev" and dataset in made.learnt:
        raise ConfigError(
            f"{where}: {made.name} learns from {dataset} in folds; fold train alone, or score and fit on "
            f"{alias}/{HELD_OUT}."
        )


def never_held_out(graph: Any, made: Node) -> str | None:
    """Why a predictor has no predictions of all held-out posts, with the remedy, or None."""
    if FOLD in made.axes:
        joining = " or ".join(graph.verbs.that("joins_folds"))
        return f"{made.name} is made for each fold, and each holds out other posts; name a {joining} over fold"
    if not made.folds:
        folding = " or ".join(graph.verbs.making("folds"))
        return f"{made.name} learns from no dataset made by {folding}, so no post is held out from it; name test or dev"
    if len({frozenset(graph.nodes[id].sources) for id in made.folds}) > 1:
        return f"{made.name} stands on folds of different splits; fold the same ones"
    record = graph.verbs.nodes[made.verb]
    if why := record.reason_not_held_out(made):
        return f"{made.name} {why}"
    below = [graph.nodes[id] for id in made.members]
    if record.joins_folds:
        below = [member for member in below if FOLD not in member.axes]
    return next(filter(None, (never_held_out(graph, member) for member in below)), None)


def seen_before(graph: Any, made: Node, below: list[Node]) -> bool:
    """Whether what a node of one fold stands on has learnt, outside the folds, labels that it holds
    out.

    A base does, or the teachers of a pool. Posts made from train do not count: those of the fold
    are left out.
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


def posts_in(graph: Any, source: str) -> set[str]:
    """The splits, and the ids of datasets, whose posts a source may hold."""
    if source not in graph.nodes or not graph.verbs.nodes[graph.nodes[source].verb].holds_sources:
        return {source}
    return {one for part in graph.nodes[source].sources for one in posts_in(graph, part)}
