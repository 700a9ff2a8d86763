"""What is looked up on a finished graph: orders for people and rules, and what stands under what."""

import json


def reading_order(graph):
    """Names as a person reads scores: task by task floors, then each chain with its controls, then the others."""
    names = sorted(floors(graph).values())
    for _, body in sorted(graph.compare.items()):
        for node in body["chain"]:
            names += [node, *(control for control, beside in sorted(body["controls"].items()) if beside == node)]
    names = [name for name in dict.fromkeys([*names, *sorted(graph.ids)]) if graph.ids.get(name)]
    return sorted(names, key=lambda name: graph.nodes[graph.ids[name][0]].task or "")


def override_sentences(graph, most=None):
    """Where a node's own value overrides its scale's, a sentence for each option and pair of values.

    most: how many nodes a sentence names at most; all of them by default.
    """
    groups = {}
    for row in sorted(graph.overrides, key=lambda row: (row["node"], row["key"])):
        if graph.ids.get(row["node"]):  # what is not run overrides nothing
            used = ", ".join(map(_shown, row["used"]))
            groups.setdefault((row["key"], used, _shown(row["scale"])), []).append(row["node"])
    found = []
    for (key, used, scale), nodes in groups.items():
        more = f" and {len(nodes) - most} more" if most and len(nodes) > most else ""
        found.append(f"{', '.join(nodes[:most])}{more}: {key} {used} overrides the scale's {scale}")
    return found


def _shown(value):
    """A value as a recipe writes it: a small number with its power of ten."""
    if isinstance(value, float) and 0 < abs(value) < 0.01:
        digits, power = f"{value:e}".split("e")
        return f"{digits.rstrip('0').rstrip('.')}e{int(power)}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def scored(graph):
    """Every (node, dataset) that is scored, in reading order."""
    return [
        (graph.nodes[id], dataset)
        for name in reading_order(graph)
        for id in graph.ids[name]
        for dataset in graph.score.get(name, [])
    ]


def teaching(graph):
    """Ids of the predictors for which models wait that learn or review, members of their votes included."""
    waiting = [node for node in graph.nodes.values() if node.verb in ("label", "review")]
    found, todo = set(), [id for node in waiting for id in node.members]
    while todo:
        found.add(id := todo.pop())
        todo += graph.nodes[id].members
    return found


def models_under(graph, id):
    """Ids of the models whose predictions a predictor is made of; a model's own."""
    node = graph.nodes[id]
    return [id] if node.verb == "finetune" else [found for id in node.members for found in models_under(graph, id)]


def reviewed(graph):
    """Every (id of a review, dataset) behind the scores, in reading order."""
    found, todo = {}, [(node.id, dataset) for node, dataset in scored(graph)]
    while todo:
        id, dataset = todo.pop(0)
        node = graph.nodes[id]
        if node.verb == "review":
            found[id, dataset] = None
        todo += [(member, dataset) for member in node.members]
    return list(found)


def measured(graph):
    """(task, ids of the datasets whose diversity is measured beside its train posts), task by task."""
    return [
        (alias, [part["dataset"] for part in body["sets"] if "reason" not in part])
        for alias, body in sorted(graph.diversity.items())
        if "reason" not in body
    ]


def restarting(graph):
    """Ids of the models behind the scores that begin anew where a training ends in one class."""
    found, todo = set(), [node.id for node, _ in scored(graph)]
    while todo:
        if (id := todo.pop()) in graph.nodes and id not in found:
            found.add(id)
            node = graph.nodes[id]
            todo += [node.base, node.budget, *node.sources, *node.members]
    return sorted(id for id in found if "restarts" in graph.nodes[id].options)


def labelled(graph):
    """Ids of the pseudo-labelled datasets by name, each with its controls behind it."""
    nodes = [node for node in graph.nodes.values() if node.verb == "label"]
    return [n.id for n in sorted(nodes, key=lambda n: (n.budget or n.id, n.budget is not None, n.id))]


def written(graph):
    """Ids of the datasets that language models wrote, by name."""
    return sorted(node.id for node in graph.nodes.values() if node.verb == "synthesize")


def floors(graph):
    """Per task the node whose base is written `linear`, the first by name: the floor that a recipe should beat."""
    return {
        graph.nodes[graph.ids[name][0]].task: name
        for name, (verb, body) in sorted(graph.raw.items(), reverse=True)
        if verb == "finetune" and body[verb] == "linear" and graph.ids.get(name)
    }
