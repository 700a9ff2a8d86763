"""Predictors whose predictions must be equal, because they are one model at this scale.

A scale may put one model in the places of several bases. A node that combines predictors then
counts that model twice, and a step from one base to the other changes nothing.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from postgrad.graph.queries import models_under
from postgrad.records.names import FOLD

# Options of a prediction that decide what it costs, and not what is predicted for a post.
_COSTS = ("threads", "batch_tokens", "pool")


@cache
def _numbers(graph: Any) -> dict[Any, int]:
    """Return the table of all keys of a graph, each with its number."""
    return {}


@cache
def prediction_key(graph: Any, id: str) -> int:
    """Return a number for all that decides a node's predictions.

    Two nodes with the same number give equal predictions. These are models with the same base at
    this scale, the same data, options and seed (the seed of a linear model plays no part), and
    predictors that do the same with such models.
    """
    node = graph.nodes[id]
    if node.base:
        options = graph.study.predict_options(graph, node)
        deciding = {key: value for key, value in options.items() if key not in _COSTS}
        return _number(graph, ["predictions", _model_key(graph, id), deciding])
    names = [graph.nodes[member].name for member in node.members]
    weights = [
        [graph.raw[node.name][1].get(key, {}).get(name) for name in names]
        for key in graph.verbs.nodes[node.verb].weighing
    ]
    members = [prediction_key(graph, member) for member in node.members]
    fold = node.axes.get(FOLD)
    own = [node.options, weights, node.sources, node.fit, node.target, node.asked, fold]
    return _number(graph, [node.verb, node.task, members, own])


@cache
def _model_key(graph: Any, id: str) -> int:
    """Return a number for all that decides the weights of a model."""
    node = graph.nodes[id]
    base = _model_key(graph, node.base) if node.base in graph.nodes else node.base
    options = {
        key: value for key, value in node.options.items() if (key, node.kind) != ("seed", "linear")
    }
    return _number(graph, ["model", node.verb, base, options, node.sources, node.task])


def _number(graph: Any, parts: Any) -> int:
    """Return the number of a key, which is the next one if the key is new."""
    numbers = _numbers(graph)
    return numbers.setdefault(_hashable(parts), len(numbers))


def _hashable(value: Any) -> Any:
    """Return a value with tuples in the places of lists and of mappings."""
    if isinstance(value, dict):
        return tuple(sorted((key, _hashable(item)) for key, item in value.items()))
    return tuple(map(_hashable, value)) if isinstance(value, (list, tuple)) else value


def equality_sentences(graph: Any, most: int | None = None) -> list[str]:
    """Return a sentence for each set of predictors that are compared or combined and are equal.

    These are members of a node that reduces them to one, neighbouring steps of a chain, and a
    control with the step from which its gain is counted.

    Parameters
    ----------
    graph
        The graph.
    most
        How many predictors a sentence names at most. Default: all.
    """
    found: dict[tuple[str, tuple[str, ...]], str] = {}
    for place, ids in [*_equal_members(graph), *_equal_steps(graph)]:
        names = tuple(dict.fromkeys(graph.nodes[id].name for id in ids))
        found.setdefault(
            (place, names if len(names) > 1 else tuple(ids)), scale_models(graph, ids[0])
        )
    return [
        f"{place}: {_listed(names, most)} give equal predictions at this scale ({models})"
        for (place, names), models in found.items()
    ]


def _equal_members(graph: Any) -> Iterator[tuple[str, list[str]]]:
    """Yield the name of a node that combines or chooses, and the ids of equal members."""
    for node in sorted(graph.nodes.values(), key=lambda node: node.name):
        if graph.verbs.nodes[node.verb].reduces:
            alike: dict[int, list[str]] = {}
            for id in node.members:
                alike.setdefault(prediction_key(graph, id), []).append(id)
            yield from ((node.name, ids) for ids in alike.values() if len(ids) > 1)


def _equal_steps(graph: Any) -> Iterator[tuple[str, list[str]]]:
    """Yield the name of a chain, and the ids of two equal nodes that it compares."""
    for name, body in sorted(graph.compare.items()):
        before = dict(zip(body["chain"][1:], body["chain"], strict=False))
        pairs = [(before[step], step) for step in body["chain"][1:]]
        pairs += [
            (before[step], control)
            for control, step in sorted(body["controls"].items())
            if step in before
        ]
        for pair in pairs:
            ids = [graph.ids.get(step, []) for step in pair]
            keys = [{prediction_key(graph, id) for id in some} for some in ids]
            if keys[0] and keys[0] == keys[1]:
                yield f"chain {name}", [ids[0][0], ids[1][0]]


def scale_models(graph: Any, id: str) -> str:
    """Return the models of the scale on which a predictor stands, each once, for a sentence."""
    models = models_under(graph, id)
    while any(model in graph.nodes for model in models):
        models = [graph.nodes[model].base if model in graph.nodes else model for model in models]
    return ", ".join(dict.fromkeys(models))


def _listed(names: Sequence[str], most: int | None) -> str:
    """Return names for a sentence, no more than `most` of them.

    Examples
    --------
    >>> _listed(["a", "b", "c"], None), _listed(["a", "b", "c"], 2)
    ('a, b and c', 'a, b and 1 more')
    """
    shown, more = list(names), ""
    if most and len(shown) > most:
        shown, more = shown[:most], f"{len(shown) - most} more"
    *first, last = [*shown, more] if more else shown
    return f"{', '.join(first)} and {last}"
