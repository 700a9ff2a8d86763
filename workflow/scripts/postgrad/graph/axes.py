"""The points of a node on its axes (a seed, a fold), joined on equal values of the axes that nodes share."""

from itertools import product
from typing import Any

from postgrad.config.errors import Fault, lookup
from postgrad.graph.protocol import NodeVerb, Point


def points_of(
    graph: Any, record: NodeVerb, each: dict, names: list[str], over: list[str] | None, where: str
) -> list[Point]:
    """Every point of a node: its axes, its own options among them, and the ids bound to each name."""
    names = list(dict.fromkeys(names))
    if record.reduces:
        return _reduced(graph, names, over, where)
    lists = (sorted(v.items()) if isinstance(v, dict) else [(x, x) for x in v] for v in each.values())
    points: list[Point] = [
        (dict(zip(each, (v[0] for v in values))), dict(zip(each, (v[1] for v in values))), {})
        for values in product(*lists)
    ]
    for name in names:
        joined = []
        for axes, own, bound in points:
            for id in graph.resolve(name):
                other = graph.nodes[id].axes
                if all(axes[key] == other[key] for key in axes.keys() & other.keys()):
                    joined.append(({**axes, **other}, own, {**bound, name: [id]}))
        if points and graph.ids[name] and not joined:
            raise Fault(f"{where}: no value of a shared axis of {name!r} is also one of this node's; check each:.")
        points = joined
    return points


def _reduced(graph: Any, names: list[str], over: list[str] | None, where: str) -> list[Point]:
    """The points of a node that reduces over axes: all of its members', or those that `over` names."""
    ids = [id for name in names for id in graph.resolve(name)]
    axes = {key for id in ids for key in graph.nodes[id].axes}
    for axis in over or []:
        if ids:
            lookup(dict.fromkeys(axes), axis, f"{where}.over", "axis of its members")
    kept = axes - set(over or axes)
    groups: dict[tuple, dict[str, list[str]]] = {}
    for id in ids:
        point = tuple(sorted((k, v) for k, v in graph.nodes[id].axes.items() if k in kept))
        groups.setdefault(point, {name: [] for name in names})[graph.nodes[id].name].append(id)
    return [(dict(point), {}, bound) for point, bound in groups.items()]
