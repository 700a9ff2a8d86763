"""Queries on a finished graph: orders for people and rules, and what stands under what."""

import json
import os
from functools import cache
from typing import Any

from postgrad.graph.nodes import Node
from postgrad.records.names import EVALUATED, FOLD, HELD_OUT, SCORED, TEACHING


def reading_order(graph: Any) -> list[str]:
    """Return the names of the nodes in the order in which a person reads scores.

    Task by task, these are the floors, then each chain with its controls, then all others.
    """
    names = sorted(floor_nodes(graph).values())
    for _, body in sorted(graph.compare.items()):
        for node in body["chain"]:
            names += [
                node,
                *(
                    control
                    for control, replaced in sorted(body["controls"].items())
                    if replaced == node
                ),
            ]
    names = [name for name in dict.fromkeys([*names, *sorted(graph.ids)]) if graph.ids.get(name)]
    return sorted(names, key=lambda name: graph.nodes[graph.ids[name][0]].task or "")


def override_sentences(graph: Any, most: int | None = None) -> list[str]:
    """Return a sentence for each option whose value in a node overrides that of the scale.

    Nodes with the same pair of values share a sentence.

    Parameters
    ----------
    graph
        The graph.
    most
        How many nodes a sentence names at most. Default: all.
    """
    groups: dict[tuple[str, str, str], list[str]] = {}
    for row in sorted(graph.overrides, key=lambda row: (row["node"], row["key"])):
        if graph.ids.get(row["node"]):  # what is not run overrides nothing
            used = ", ".join(map(_value_as_written, row["used"]))
            groups.setdefault((row["key"], used, _value_as_written(row["scale"])), []).append(
                row["node"]
            )
    sentences = []
    for (key, used, scale), nodes in groups.items():
        more = f" and {len(nodes) - most} more" if most and len(nodes) > most else ""
        sentences.append(
            f"{', '.join(nodes[:most])}{more}: {key} {used} overrides the scale's {scale}"
        )
    return sentences


def value_before_limit(graph: Any, name: str, key: str, used: Any) -> Any:
    """Return the value of a node's option before a limit of the study lowered it to `used`."""
    for row in graph.deviations:
        if (row["node"], row["key"], row["why"]) == (name, key, "study"):
            return row["paper"]
    return used


def _value_as_written(value: Any) -> str:
    """Return a value as a recipe writes it, a small number with a power of ten."""
    if isinstance(value, float) and 0 < abs(value) < 0.01:
        digits, power = f"{value:e}".split("e")
        return f"{digits.rstrip('0').rstrip('.')}e{int(power)}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def scored_nodes(graph: Any) -> list[tuple[Node, str]]:
    """Return each scored predictor with each dataset on which it is scored, in reading order."""
    return [
        (graph.nodes[id], dataset)
        for name in reading_order(graph)
        for id in graph.ids[name]
        for dataset in graph.score.get(name, [])
    ]


@cache
def predicted_datasets(graph: Any) -> dict[tuple[str, str], list[str]]:
    """Return the datasets that each file of predictions contains, in the order of their names.

    The keys are pairs of the id of a predictor and the file. The file `scored` has all datasets on
    which the predictor, or one that reads it, is scored or fitted. The file `teaching` has those
    from which datasets are made or class shares estimated, and those on which the predictors in
    between are fitted. A file that is not among the keys is not made.
    """
    found: dict[tuple[str, str], set[str]] = {}
    makers = graph.verbs.sections["datasets"]
    todo = [(node.id, SCORED, dataset) for node, dataset in scored_nodes(graph)]
    for node in graph.nodes.values():
        if node.verb in makers:
            todo += [
                (id, TEACHING, dataset)
                for id in node.members
                for dataset in _teaching_datasets(graph, node)
            ]
    while todo:
        id, file, dataset = todo.pop()
        held = found.setdefault((id, file), set())
        if dataset not in held:
            held.add(dataset)
            node = graph.nodes[id]
            for member in node.members:
                todo += [(member, file, one) for one in (dataset, node.fit) if one]
                todo += [(member, TEACHING, one) for one in _teaching_datasets(graph, node)]
    return {key: sorted(datasets) for key, datasets in found.items()}


def _teaching_datasets(graph: Any, node: Node) -> list[str]:
    """Return the datasets of which a node reads its members' predictions in file `teaching`."""
    return graph.verbs.nodes[node.verb].teaching_datasets(node)


@cache
def splits_scored_beside(graph: Any) -> dict[str, set[str]]:
    """Return the splits on which models are scored that stand on posts of another task.

    A model stands on the posts that it, its base, or the teachers of its posts have read. A recipe
    fits and chooses on dev, and it may be read again with other scored splits; therefore the splits
    are test, dev and cross of the scored task, and also the splits in folds if held-out posts are
    scored. Both tasks are those of the study.

    Returns
    -------
    dict
        Task of the posts -> names such as caves/test.
    """
    found: dict[str, set[str]] = {}
    for scored, dataset in scored_nodes(graph):
        task = graph.tasks[scored.task]
        there = graph.study.task(task)["splits"]
        names = {split for split in EVALUATED if split in there}
        if os.path.basename(dataset) == HELD_OUT:
            names |= {
                os.path.basename(one) for id in scored.folds for one in graph.nodes[id].sources
            }
        for other in _tasks_read_under(graph, scored.id) - {task}:
            found.setdefault(other, set()).update(f"{task}/{name}" for name in names)
    return found


def _tasks_read_under(graph: Any, id: str) -> set[str]:
    """Return the tasks of all posts that a node, or a node on which it stands, reads."""
    tasks, seen, todo = set(), set(), [id]
    while todo:
        if (name := todo.pop()) in graph.nodes and name not in seen:
            seen.add(name)
            node = graph.nodes[name]
            todo += filter(None, [node.base, *node.sources, *node.members])
        elif "/" in name:
            tasks.add(graph.tasks[os.path.dirname(name)])
    return tasks


@cache
def predictors_for_expensive(graph: Any) -> set[str]:
    """Return the ids of all predictors, with members, for which an expensive predictor waits."""
    expensive = graph.verbs.verbs_with_trait("expensive")
    predictors: set[str] = set()
    todo = [id for node in graph.nodes.values() if node.verb in expensive for id in node.members]
    while todo:
        predictors.add(id := todo.pop())
        todo += graph.nodes[id].members
    return predictors


def models_under(graph: Any, id: str) -> list[str]:
    """Return the ids of the models of whose predictions a predictor is made.

    A model gives its own id.
    """
    node = graph.nodes[id]
    return (
        [id]
        if node.verb == "finetune"
        else [model for id in node.members for model in models_under(graph, id)]
    )


def restarting_models(graph: Any) -> list[str]:
    """Return the ids of the models behind the scores that train again after a collapse."""
    seen: set[str] = set()
    todo = [node.id for node, _ in scored_nodes(graph)]
    while todo:
        if (id := todo.pop()) in graph.nodes and id not in seen:
            seen.add(id)
            node = graph.nodes[id]
            todo += [node.base, node.budget, *node.sources, *node.members]
    return sorted(id for id in seen if "restarts" in graph.nodes[id].options)


def floor_nodes(graph: Any) -> dict[str, str]:
    """Return the node that a recipe should beat for each task or dataset: a linear model.

    The floor of a task is the node whose base is `linear`, the first by name if there are several.
    If such models are trained in folds, the predictor that joins them is the floor of the held-out
    posts, and of the whole task if it has no other floor.
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
    """Return the predictors of which a score is made, including members, in reading order."""
    predictors: dict[str, None] = {}
    todo = [node.id for node, _ in scored_nodes(graph)]
    while todo:
        predictors[id := todo.pop(0)] = None
        todo += graph.nodes[id].members
    return [graph.nodes[id] for id in predictors]


# -- the task of a node ---------------------------------------------------------------------------


def task_file(graph: Any, node: Node) -> dict[str, Any]:
    """Return the content of the task file of a node that has a task."""
    return graph.study.task(graph.tasks[node.task])


def label_names(graph: Any, node: Node) -> list[str]:
    """Return the names of the labels of a node's task in class order.

    The list is empty if the task file has an error.
    """
    return [label["name"] for label in task_file(graph, node)["labels"]]


def label_texts(graph: Any, node: Node) -> dict[str, Any]:
    """Return what a model reads of its task's labels.

    These are their names in class order, and for a causal model also their words and the prompt.
    """
    task = task_file(graph, node)
    if node.kind != "causal":
        return {"labels": [{"name": label["name"]} for label in task["labels"]]}
    labels = [
        {key: str(label[key]) for key in ("name", "word", "digit")} for label in task["labels"]
    ]
    return {"labels": labels, "prompt": task["prompt"]}


def scoring(graph: Any, node: Node) -> dict[str, Any]:
    """Return the labels in class order, the codes of the positive ones and the metric of a task."""
    task, labels = task_file(graph, node), label_names(graph, node)
    positive = [labels.index(label) for label in task.get("positive", [])]
    return {"labels": labels, "positive": positive, "metric": task["metric"]}
