"""The points of a node on its axes, such as a seed or a fold."""

from itertools import product
from typing import Any

from postgrad.config.errors import ConfigError, lookup
from postgrad.graph.protocol import NodeVerb, Point


def node_points(
    graph: Any,
    record: NodeVerb,
    each: dict[str, Any],
    names: list[str],
    over: list[str] | None,
    where: str,
) -> list[Point]:
    """Return every point of a node on its axes.

    The points of the nodes that it names are joined on equal values of the axes that they share.

    Parameters
    ----------
    graph
        The graph, in which the named nodes are resolved.
    record
        The record of the node's verb.
    each
        The values of the options that the node varies.
    names
        The nodes that it names.
    over
        The axes that a node of a reducing verb combines. Default: all.
    where
        The node's place in the recipe, for messages.

    Returns
    -------
    list of tuple
        The axes of the point, the values of its own options among them, and the ids bound to each
        name.

    Raises
    ------
    ConfigError
        If nodes share an axis and have no value of it in common.
    """
    names = list(dict.fromkeys(names))
    if record.reduces:
        return _reduced(graph, names, over, where)
    lists = (
        sorted(v.items()) if isinstance(v, dict) else [(x, x) for x in v] for v in each.values()
    )
    points: list[Point] = [
        (dict(zip(each, (v[0] for v in values))), dict(zip(each, (v[1] for v in values))), {})
        for values in product(*lists)
    ]
    for name in names:
        joined = []
        for axes, own, bound in points:
            for id in graph.resolve_name(name):
                other = graph.nodes[id].axes
                if all(axes[key] == other[key] for key in axes.keys() & other.keys()):
                    joined.append(({**axes, **other}, own, {**bound, name: [id]}))
        if points and graph.ids[name] and not joined:
            raise ConfigError(
                f"{where}: no value of a shared axis of {name!r} is also one of this node's; "
                "give both the same values under `each`."
            )
        points = joined
    return points


def _reduced(graph: Any, names: list[str], over: list[str] | None, where: str) -> list[Point]:
    """Return the points of a node that combines its members' points over some axes.

    It combines them over all axes, or over those that `over` names. On the other axes, members are
    joined on equal values, as they are for other nodes.
    """
    axes = {
        key for name in names for id in graph.resolve_name(name) for key in graph.nodes[id].axes
    }
    for axis in (over or []) if axes or any(graph.ids[name] for name in names) else []:
        lookup(dict.fromkeys(axes), axis, f"{where}.over", "axis of its members")
    if over == [] and len(names) == 1:
        raise ConfigError(
            f"{where}.over: without an axis {names[0]} stands alone at each point; name a second "
            "member or an axis."
        )
    kept = axes - set(axes if over is None else over)
    points: list[Point] = [({}, {}, {})]
    for name in names:
        groups: dict[tuple[Any, ...], list[str]] = {}
        for id in graph.ids[name]:
            point = tuple(
                sorted((key, value) for key, value in graph.nodes[id].axes.items() if key in kept)
            )
            groups.setdefault(point, []).append(id)
        joined: list[Point] = [
            ({**shared, **dict(point)}, own, {**bound, name: ids})
            for shared, own, bound in points
            for point, ids in groups.items()
            if all(shared.get(key, value) == value for key, value in point)
        ]
        if points and groups and not joined:
            raise ConfigError(
                f"{where}: no value of a shared axis of {name!r} is also one of the other "
                "members'; give them the same values under `each`."
            )
        points = joined
    return points
