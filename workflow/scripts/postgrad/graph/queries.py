"""What is looked up on a finished graph.

Orders for people and rules, and what stands under what.
"""

import json
from functools import cache
from typing import Any

from postgrad.graph.nodes import Node
from postgrad.records.names import FOLD, HELD_OUT, SCORED, TEACHING


def reading_order(graph: Any) -> list[str]:
    """Names as a person reads scores.

    Task by task floors, then each chain with its controls, then the others.
    """
    names = sorted(floors(graph).values())
    for _, body in sorted(graph.compare.items()):
        for node in body["chain"]:
            names += [
                node,
                *(
                    control
                    for control, beside in sorted(body["controls"].items())
                    if beside == node
                ),
            ]
    names = [name for name in dict.fromkeys([*names, *sorted(graph.ids)]) if graph.ids.get(name)]
    return sorted(names, key=lambda name: graph.nodes[graph.ids[name][0]].task or "")


def override_sentences(graph: Any, most: int | None = None) -> list[str]:
    """Where a node's own value overrides its scale's, a sentence for each option and pair of
    values.

    most: how many nodes a sentence names at most; all of them by default.
    """
    groups: dict[tuple[str, str, str], list[str]] = {}
    for row in sorted(graph.overrides, key=lambda row: (row["node"], row["key"])):
        if graph.ids.get(row["node"]):  # what is not run overrides nothing
            used = ", ".join(map(_shown, row["used"]))
            groups.setdefault((row["key"], used, _shown(row["scale"])), []).append(row["node"])
    found = []
    for (key, used, scale), nodes in groups.items():
        more = f" and {len(nodes) - most} more" if most and len(nodes) > most else ""
        found.append(f"{', '.join(nodes[:most])}{more}: {key} {used} overrides the scale's {scale}")
    return found


def _shown(value: Any) -> str:
    """A value as a recipe writes it: a small number with its power of ten."""
    if isinstance(value, float) and 0 < abs(value) < 0.01:
        digits, power = f"{value:e}".split("e")
        return f"{digits.rstrip('0').rstrip('.')}e{int(power)}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def scored(graph: Any) -> list[tuple[Node, str]]:
    """Every (node, dataset) that is scored, in reading order."""
    return [
        (graph.nodes[id], dataset)
        for name in reading_order(graph)
        for id in graph.ids[name]
        for dataset in graph.score.get(name, [])
    ]


@cache
def predicted_datasets(graph: Any) -> dict[tuple[str, str], list[str]]:
    """{(id of a predictor, file): the datasets that this file of its holds}, the datasets by name.

    `scored` holds all on which the predictor, or one that reads it, is scored or fitted; `teaching`
    what datasets and class shares are made from, and what the predictors in between are fitted on
    for it. Other files are not made.
    """
    found: dict[tuple[str, str], set[str]] = {}
    makers = graph.verbs.sections["datasets"]
    todo = [(node.id, SCORED, dataset) for node, dataset in scored(graph)]
    for node in graph.nodes.values():
        if node.verb in makers:
            todo += [
                (id, TEACHING, dataset)
                for id in node.members
                for dataset in _learns_from(graph, node)
            ]
    while todo:
        id, file, dataset = todo.pop()
        held = found.setdefault((id, file), set())
        if dataset not in held:
            held.add(dataset)
            node = graph.nodes[id]
            for member in node.members:
                todo += [(member, file, one) for one in (dataset, node.fit) if one]
                todo += [(member, TEACHING, one) for one in _learns_from(graph, node)]
    return {key: sorted(datasets) for key, datasets in found.items()}


def _learns_from(graph: Any, node: Node) -> list[str]:
    return graph.verbs.nodes[node.verb].learns_from(node)


@cache
def awaited(graph: Any) -> set[str]:
    """Ids of the predictors for which expensive predictors wait, with their members at any depth."""
    expensive = graph.verbs.that("expensive")
    found: set[str] = set()
    todo = [id for node in graph.nodes.values() if node.verb in expensive for id in node.members]
    while todo:
        found.add(id := todo.pop())
        todo += graph.nodes[id].members
    return found


def models_under(graph: Any, id: str) -> list[str]:
    """Ids of the models whose predictions a predictor is made of; a model's own."""
    node = graph.nodes[id]
    return (
        [id]
        if node.verb == "finetune"
        else [found for id in node.members for found in models_under(graph, id)]
    )


def restarting(graph: Any) -> list[str]:
    """Ids of the models behind the scores that begin anew where a training ends in one class."""
    found: set[str] = set()
    todo = [node.id for node, _ in scored(graph)]
    while todo:
        if (id := todo.pop()) in graph.nodes and id not in found:
            found.add(id)
            node = graph.nodes[id]
            todo += [node.base, node.budget, *node.sources, *node.members]
    return sorted(id for id in found if "restarts" in graph.nodes[id].options)


def floors(graph: Any) -> dict[str, str]:
    """The nodes that a recipe should beat, by task or dataset: linear models, of several the first
    by name.

    The floor of a task is the node whose base is written `linear`. Where such models are in folds,
    the predictor that joins them is the floor of the held-out posts, and of the whole task if it
    has no other.
    """
    linear = [
        name
        for name, (verb, body) in graph.raw.items()
        if verb == "finetune" and body[verb] == "linear"
    ]
    whole, joined = {}, {}
    for name in sorted(filter(graph.ids.get, graph.ids), reverse=True):
        node = graph.nodes[graph.ids[name][0]]
        members = {graph.nodes[id].name for id in node.members}
        if FOLD not in node.axes and name in linear:
            whole[node.task] = name
        if (
            FOLD not in node.axes
            and node.folds
            and graph.verbs.nodes[node.verb].joins_folds
            and members <= {*linear}
        ):
            joined[node.task] = name
    return {
        **joined,
        **whole,
        **{f"{task}/{HELD_OUT}": name for task, name in joined.items() if task in whole},
    }


def predictors_behind_scores(graph: Any) -> list[Node]:
    """The predictors that a score is made of, members included, in reading order."""
    found: dict[str, None] = {}
    todo = [node.id for node, _ in scored(graph)]
    while todo:
        found[id := todo.pop(0)] = None
        todo += graph.nodes[id].members
    return [graph.nodes[id] for id in found]


# -- the task of a node ---------------------------------------------------------------------------


def task_file(graph: Any, node: Node) -> dict[str, Any]:
    """The task file of a node that has a task."""
    return graph.study.task(graph.tasks[node.task])


def label_names(graph: Any, node: Node) -> list[str]:
    """The names of the labels of a node's task in class order.

    None where the task's file has a fault.
    """
    return [label["name"] for label in task_file(graph, node)["labels"]]


def label_texts(graph: Any, node: Node) -> dict[str, Any]:
    """What a model reads of its task's labels.

    Their names in class order; a causal model also its prompt.
    """
    task = task_file(graph, node)
    if node.kind != "causal":
        return {"labels": [{"name": label["name"]} for label in task["labels"]]}
    labels = [
        {key: str(label[key]) for key in ("name", "word", "digit")} for label in task["labels"]
    ]
    return {"labels": labels, "prompt": task["prompt"]}


def scoring(graph: Any, node: Node) -> dict[str, Any]:
    """How a node's task is scored.

    Its labels in class order, the codes of the positive ones, the metric.
    """
    task, labels = task_file(graph, node), label_names(graph, node)
    positive = [labels.index(label) for label in task.get("positive", [])]
    return {"labels": labels, "positive": positive, "metric": task["metric"]}
