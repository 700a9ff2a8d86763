"""What a node becomes: its options, of two values the later, and its points, joined on equal values of shared axes."""

from itertools import product

from postgrad.config.errors import Fault, lookup
from postgrad.graph.options import options

REDUCING = ("vote", "pick")  # verbs that make one node of several points of an axis


def resolved(graph, name, verb, body, root, kind):
    """Resolved options and axes, and a note of each deviation from the paper."""
    scale = graph.study.scale["bases"].get(root, {}).get(verb, {}) if root else {}
    default = dict(graph.defaults.get(verb, {}))
    own = {key: value for key, value in body.items() if key in options(verb)}
    faithful = dict(body.get("faithful", {}))
    each = {**default.pop("each", {}), **body.get("each", {})}
    each = {key: each[key] for key in sorted(each) if key in body.get("each", {}) or key not in {**own, **scale}}
    known = options(verb, kind) if root is None or kind else {}
    paper = {**default, **own, **faithful}
    used = {**default, **scale, **own, **(faithful if graph.study.mode == "faithful" else {})}
    for key in known:
        if key in each:
            continue
        if key in faithful and graph.study.mode != "faithful":
            graph.deviate(name, key, paper[key], used.get(key), f"mode {graph.study.mode}")
        elif key in scale and used.get(key) != paper.get(key):
            graph.deviate(name, key, paper.get(key), used[key], f"scale {graph.study.scale_name}")
    if isinstance(each.get("seed"), list) and len(each["seed"]) > graph.study.seeds:
        graph.deviate(name, "seed", each["seed"], each["seed"][: graph.study.seeds], "study")
        each["seed"] = each["seed"][: graph.study.seeds]
    if verb == "fold" and graph.study.folds and used.get("k", 0) > graph.study.folds:
        graph.deviate(name, "k", used["k"], graph.study.folds, "study")
        used["k"] = graph.study.folds
    return {key: used[key] for key in known if key in used}, {k: v for k, v in each.items() if k in known}


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
