"""Which posts a node may read, be fitted on and be scored on; what breaks a rule raises Fault with its remedy."""

from itertools import combinations

from postgrad.config.errors import Fault, lookup, nearest
from postgrad.records.names import FOLD, HELD_OUT, SPLITS

# Which splits a verb, or a key of a predictor, may read: what is chosen or scored on is never trained on, and only
# gold has labels to learn.
READABLE = {
    "augment": ("train",),
    "resample": ("train",),
    "synthesize": ("train",),
    "label": ("unlabeled",),
    "pretrain": ("train", "unlabeled"),
    "finetune": ("train",),
    "fold": ("train", "dev"),  # what is chosen or scored is then the held-out predictions
    "fit": ("dev", HELD_OUT),
    "target": ("unlabeled",),
}
SCORED = ("test", "cross")


def split_of(graph, name, where):
    """(the recipe's name of the task, split) of `ages/train`; Fault where either does not exist."""
    alias, _, part = name.partition("/")
    lookup(graph.tasks, alias, where, "task")
    if part not in (*SPLITS, HELD_OUT):
        raise Fault(f"{where}: {name!r}: {part!r} is not a split; {nearest(part, (*SPLITS, HELD_OUT))}")
    return alias, part


def split(graph, reader, body, source, where):
    """Why a node is not run for want of a split, or None; Fault where it would read one that it may not.

    reader: the verb, or the key of a predictor, fit or target, that names the split.
    """
    if "/" not in source:
        return None
    where = f"{where}.{'data' if reader in ('pretrain', 'finetune') else reader}"
    alias, part = split_of(graph, source, where)
    allowed = READABLE[reader]
    if "transductive" in body and body["transductive"] is True and reader != "fit":
        allowed += SCORED
    if part not in allowed:
        names = " or ".join(f"{alias}/{name}" for name in READABLE[reader])
        if part == "dev":
            why = "is a dev set, which is there to choose on and never to train on"
        elif part in SCORED:
            why = "is a test set"
            if reader in ("label", "pretrain", "target"):
                names += ", or mark the node with transductive: true, which the report then tells"
        elif part == HELD_OUT:
            why = "names predictions of held-out posts, to score and to fit on"
        else:
            why = "is what models learn from" if part == "train" else "has no labels to learn"
        raise Fault(f"{where}: {source} {why}; {reader} may read {names}.")
    task = graph.tasks[alias]
    return None if part in (*graph.study.task(task)["splits"], HELD_OUT) else f"{task} has no split {part}"


def audited_on(graph, body):
    """The gold split on which a label's teachers are audited where `fit` is silent: the task's dev, None without."""
    alias = body["label"].partition("/")[0]
    there = alias in graph.tasks and "dev" in graph.study.task(graph.tasks[alias])["splits"]
    return f"{alias}/dev" if there else None


def gold_to_fit_on(graph, members):
    """The gold posts to fit on, as a sentence names them; held-out ones where members, ids of nodes, stand on folds."""
    folds = {id for member in members for id in graph.nodes[member].folds}
    pooled = {split for id in folds for split in graph.nodes[id].sources}
    alias = next((graph.nodes[id].task for id in folds), None)
    if not folds:
        return "the task's dev"
    return f"{alias}/{HELD_OUT}" if f"{alias}/dev" in pooled else f"{alias}/dev or {alias}/{HELD_OUT}"


def no_dev(graph, task, values):
    """Why a node is not run for want of a split to choose its epoch on, or None. values: as of `checks.missing`."""
    if task is None or "best" not in values.get("epoch", []) or "dev" in graph.study.task(graph.tasks[task])["splits"]:
        return None
    return f"{graph.tasks[task]} has no split dev, to choose an epoch on"


def scored_split(graph, name, where):
    """Whether a task has the split on which is scored; Fault where it can have no gold labels."""
    alias, part = split_of(graph, name, where)
    if part == "unlabeled":
        raise Fault(f"{where}: {name} has no gold labels to score on; name one of {', '.join(SPLITS[:-1])}.")
    return part in (*graph.study.task(graph.tasks[alias])["splits"], HELD_OUT)


def untouched(graph, made, dataset, where):
    """Nothing; Fault where a predictor has learnt the gold labels of a dataset that it is scored or fitted on."""
    alias, _, part = dataset.partition("/")
    if part == HELD_OUT and (why := never_held_out(graph, made)):
        raise Fault(f"{where}: {dataset} is not there: {why}.")
    if part == "dev" and dataset in made.learnt:
        raise Fault(
            f"{where}: {made.name} learns from {dataset} in folds; fold train alone, or score and fit on "
            f"{alias}/{HELD_OUT}."
        )


def never_held_out(graph, made):
    """Why a predictor has no predictions of all held-out posts, with the remedy, or None."""
    if FOLD in made.axes:
        return f"{made.name} is made for each fold, and each holds out other posts; name a vote over fold"
    if not made.folds:
        return f"{made.name} learns from no dataset made by fold, so no post is held out from it; name test or dev"
    if len({frozenset(graph.nodes[id].sources) for id in made.folds}) > 1:
        return f"{made.name} stands on folds of different splits; fold the same ones"
    if made.verb == "review" and made.sources:
        return f"{made.name} shows its model posts of train as examples, held-out ones among them; write shots: 0"
    below = [graph.nodes[id] for id in made.members]
    if made.verb == "vote":
        below = [member for member in below if FOLD not in member.axes]
    return next(filter(None, (never_held_out(graph, member) for member in below)), None)


def seen_before(graph, made, below):
    """Whether what a node of one fold stands on has learnt, outside the folds, labels that it holds out.

    A base does, or a label's teachers. Posts made from train do not count: those of the fold are left out.
    """
    held = {split for id in made.folds for split in graph.nodes[id].sources} if FOLD in made.axes else set()
    todo = [node for node in below if FOLD not in node.axes]
    while todo:
        node = todo.pop()
        if node.verb in ("augment", "resample"):
            todo += [graph.nodes[id] for id in node.sources if id in graph.nodes]
        elif held & {*node.learnt}:
            return True
    return False


def once_each(graph, made, where):
    """Nothing; Fault where a resample node does not stand alone, or is drawn from posts that stand there twice."""
    names = {id: graph.nodes[id].name if id in graph.nodes else id for id in made.sources}
    whole = [id for id in made.sources if id in graph.nodes and graph.nodes[id].verb == "resample"]
    if made.verb != "resample" and whole and len(made.sources) > 1:
        raise Fault(
            f"{where}: {names[whole[0]]} is made by resample and holds the whole set; name it alone, or let a further "
            "resample take it and the others."
        )
    for one, other in combinations(made.sources if made.verb == "resample" else [], 2):
        for twice in sorted(holds(graph, one) & holds(graph, other)):
            raise Fault(f"{where}.resample: {names[one]} and {names[other]} both hold the posts of {twice}; name one.")


def holds(graph, source):
    """The splits, and the ids of datasets, whose posts a source may hold."""
    if source not in graph.nodes or graph.nodes[source].verb not in ("resample", "fold"):
        return {source}
    return {one for part in graph.nodes[source].sources for one in holds(graph, part)}
