"""The options of a node: what each verb may say (workflow/schemas/verbs.yaml), and which of several values wins."""

from functools import cache

from postgrad.config.errors import Fault
from postgrad.config.schemas import schema

EACH = "^[A-Za-z0-9][A-Za-z0-9._+-]*$"  # the name of a value stands in names of files


def verbs():
    return tuple(schema("verbs"))


def references(verb):
    """The keys that name other nodes, or how they are joined; they stand on a node alone."""
    return schema("verbs")[verb]["references"]


def options(verb, kind=None):
    """{option: its schema} of what a kind of model reads (causal, encoder, linear); of all kinds for None."""
    found = schema("verbs")[verb]["options"]
    return {key: body for key, body in found.items() if kind is None or kind in body.get("kinds", [kind])}


def read(verb, kind, values):
    """{option: its schema} of what a kind of model reads beside these values, {option: list of those it may take}."""

    def beside(body):
        return all(set(wanted) & set(values.get(key, [])) for key, wanted in body.get("when", {}).items())

    return {key: body for key, body in options(verb, kind).items() if beside(body)}


@cache
def options_schema(verb):
    """The schema of defaults, of a scale's values and of faithful."""
    return {"type": "object", "additionalProperties": False, "properties": options(verb)}


@cache
def node_schema(verb):
    """The schema of a node: its references and options, faithful, and each."""
    keys = references(verb)
    if options(verb):
        keys = keys | {"faithful": options_schema(verb)}
    properties = {**keys, **options(verb), "each": each_schema(verb)}
    return {"type": "object", "additionalProperties": False, "required": [verb], "properties": properties}


@cache
def each_schema(verb):
    """The schema of each: a list of values, or a mapping that names them."""
    name = {"pattern": EACH, "description": "A value's name is made of letters, digits, dots, hyphens and underscores."}
    values = {
        "type": ["array", "object"],
        "minItems": 1,
        "minProperties": 1,
        "uniqueItems": True,
        "propertyNames": name,
    }
    one = {"type": ["string", "number", "boolean"], "description": "Give lists and null a name: {name: value}."}
    described = {"description": "The values that the node is made for, as a list or by name."}
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            key: {**values, **described, "items": {"allOf": [one, body]}, "additionalProperties": body}
            for key, body in options(verb).items()
        },
    }


def missing(verb, kind, values):
    """The options that the verb reads and that are given nowhere. values: {option: list of those it may take}."""
    return tuple(
        key for key, body in read(verb, kind, values).items() if body.get("needed", True) and key not in values
    )


def unread(verb, kind, body, values, where):
    """Nothing; Fault for an option that a node gives and that nothing there reads. values: as of missing."""
    own = [body, body.get("faithful", {})]
    values = {key: [*values.get(key, []), *(part[key] for part in own if key in part)] for key in options(verb, kind)}
    for key in values.keys() - read(verb, kind, values).keys():
        if any(key in part for part in [*own, body.get("each", {})]):
            (other, wanted), *_ = options(verb, kind)[key]["when"].items()
            if not values[other]:  # misspelt, say, and told already
                continue
            raise Fault(f"{where}.{key}: nothing reads it here; leave it out, or write {other}: {' or '.join(wanted)}.")


def resolve_options(graph, name, verb, body, root, kind):
    """Decide the options of a node, and return them and its axes as ({option: value}, {option: its values}).

    Of two values for one option the later wins: the recipe's defaults for the verb, the scale, the node, and in mode
    faithful the node's `faithful`. Every difference from the paper is noted in the graph's deviations.
    """
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
