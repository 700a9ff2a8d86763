"""The points of a node on its axes (a seed, a fold), joined on equal values of the axes that nodes share."""

from itertools import product

from postgrad.config.errors import Fault, lookup

REDUCING = ("vote", "pick")  # verbs that make one node of several points of an axis


def points_of(graph, verb, each, names, over, where):
    """Every (axes, own option values, ids bound to each name) of a node."""
    names = list(dict.fromkeys(names))
    if verb in REDUCING:
        return _reduced(graph, names, over, where)
    own = []
    for values in product(*(sorted(v.items()) if isinstance(v, dict) else [(x, x) for x in v] for v in each.values())):
        own.append((dict(zip(each, (v[0] for v in values))), dict(zip(each, (v[1] for v in values)))))
    points = [(axes, values, {}) for axes, values in own]
    for name in names:
        joined = []
        for axes, values, bound in points:
            for id in graph.resolve(name):
                other = graph.nodes[id].axes
                if all(axes[key] == other[key] for key in axes.keys() & other.keys()):
                    joined.append(({**axes, **other}, values, {**bound, name: [id]}))
        if points and graph.ids[name] and not joined:
            raise Fault(f"{where}: no value of a shared axis of {name!r} is also one of this node's; check each:.")
        points = joined
    return points


def _reduced(graph, names, over, where):
    """The points of a node that reduces over axes: all of its members', or those that `over` names."""
    ids = [id for name in names for id in graph.resolve(name)]
    axes = {key for id in ids for key in graph.nodes[id].axes}
    for axis in over or []:
        if ids:
            lookup(dict.fromkeys(axes), axis, f"{where}.over", "axis of its members")
    kept, groups = axes - set(over or axes), {}
    for id in ids:
        point = tuple(sorted((k, v) for k, v in graph.nodes[id].axes.items() if k in kept))
        groups.setdefault(point, {name: [] for name in names})[graph.nodes[id].name].append(id)
    return [(dict(point), {}, bound) for point, bound in groups.items()]
