"""What a node of each verb may say: workflow/schemas/verbs.yaml as tables and as schemas."""

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
