"""The options of a node.

What each verb may say (workflow/schemas/verbs.yaml), and which of several values wins.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from typing import Any

from postgrad.config.errors import ConfigError, name_suggestion
from postgrad.config.schemas import read_schema
from postgrad.graph.protocol import Verbs
from postgrad.graph.queries import scored

Options = dict[str, Any]  # {option: its value, or its schema}

LEVELS = ("each", "faithful", "bases")  # keys of a level that are no options themselves
EACH = "^[A-Za-z0-9][A-Za-z0-9._+-]*$"  # the name of a value stands in names of files


def verbs() -> tuple[str, ...]:
    return tuple(read_schema("verbs"))


def references(verb: str) -> Options:
    """The keys that name other nodes, or how they are joined.

    They stand on a node or in a recipe's defaults.
    """
    return read_schema("verbs")[verb]["references"]


def options(verb: str, kind: str | None = None) -> Options:
    """Return the schema of each option that a kind of model reads.

    Parameters
    ----------
    verb
        A verb.
    kind
        causal, encoder or linear. Default: the options of all kinds.
    """
    found = read_schema("verbs")[verb]["options"]
    return {
        key: body
        for key, body in found.items()
        if kind is None or kind in body.get("kinds", [kind])
    }


def read(verb: str, kind: str | None, values: Mapping[str, list[Any]]) -> Options:
    """Return the schema of each option that a kind of model reads with these values.

    Parameters
    ----------
    verb
        A verb.
    kind
        causal, encoder or linear, or None for all kinds.
    values
        The values that each option may take. An option that is read only `when` another one has a
        value is left out if the other one never has it.
    """

    def beside(body: Mapping[str, Any]) -> bool:
        return all(
            set(wanted) & set(values.get(key, [])) for key, wanted in body.get("when", {}).items()
        )

    return {key: body for key, body in options(verb, kind).items() if beside(body)}


@cache
def options_schema(verb: str) -> Options:
    """The schema of defaults, of a scale's values and of faithful."""
    return {"type": "object", "additionalProperties": False, "properties": options(verb)}


@cache
def node_schema(verb: str) -> Options:
    """The schema of a node: its references and options, faithful, and each."""
    keys = references(verb)
    if options(verb):
        keys = keys | {"faithful": options_schema(verb)}
    properties = {**keys, **options(verb), "each": each_schema(verb)}
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [verb],
        "properties": properties,
    }


@cache
def each_schema(verb: str) -> Options:
    """The schema of each: a list of values, or a mapping that names them."""
    name = {
        "pattern": EACH,
        "description": "A value's name is made of letters, digits, dots, hyphens and underscores.",
    }
    values = {
        "type": ["array", "object"],
        "minItems": 1,
        "minProperties": 1,
        "uniqueItems": True,
        "propertyNames": name,
    }
    one = {
        "type": ["string", "number", "boolean"],
        "description": "Give lists and null a name: {name: value}.",
    }
    described = {"description": "The values that the node is made for, as a list or by name."}
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            key: {
                **values,
                **described,
                "items": {"allOf": [one, body]},
                "additionalProperties": body,
            }
            for key, body in options(verb).items()
        },
    }


def refuse_unknown_verb(records: Verbs, section: str, body: dict[str, Any], where: str) -> None:
    """Raise ConfigError that names the verb of a node which has none of its section.

    A misspelt one, or another section's.
    """
    keys = {key for verb in records.sections[section] for key in node_schema(verb)["properties"]}
    unknown = sorted(body.keys() - keys, key=lambda key: not get_close_matches(key, records.nodes))
    for key in unknown[:1]:
        for other, own in records.sections.items():
            if key in own:
                raise ConfigError(f"{where}: {key} stands under {other}; move the node there.")
        raise ConfigError(
            f"{where}: {key!r} is not a verb of a node; {name_suggestion(key, records.nodes)}"
        )


def missing(verb: str, kind: str | None, values: Mapping[str, list[Any]]) -> tuple[str, ...]:
    """The options that the verb reads and that are given nowhere.

    values: {option: list of those it may take}.
    """
    return tuple(
        key
        for key, body in read(verb, kind, values).items()
        if body.get("needed", True) and key not in values
    )


def unread(
    verb: str,
    kind: str | None,
    body: Options,
    values: Mapping[str, list[Any]],
    faithful: Options,
    where: str,
) -> None:
    """Raise ConfigError for an option that a node gives and that nothing there reads.

    values: as of missing. faithful: the node's values of mode faithful, those of the defaults among
    them.
    """
    own, given = [body, body.get("faithful", {})], [body, faithful]
    values = {
        key: [*values.get(key, []), *(part[key] for part in given if key in part)]
        for key in options(verb, kind)
    }
    for key in values.keys() - read(verb, kind, values).keys():
        if any(key in part for part in [*own, body.get("each", {})]):
            (other, wanted), *_ = options(verb, kind)[key]["when"].items()
            if not values[other]:  # misspelt, say, and told already
                continue
            raise ConfigError(
                f"{where}.{key}: nothing reads it here; leave it out, or write {other}: {' or '.join(wanted)}."
            )


def resolve_options(
    graph: Any, name: str, verb: str, body: Options, root: str | None, kind: str | None
) -> tuple[Options, Options]:
    """Decide the options of a node, and return them and its axes as ({option: value}, {option: its
    values}).

    Of two values for one option the later wins: the recipe's defaults for the verb, those for the
    base, the scale, the node, and in mode faithful the node's `faithful`. The graph notes every
    difference from the paper, and every value of a node that overrides its scale's.
    """
    study = graph.study
    known = options(verb, kind) if root is None or kind else {}
    scale = study.scale["bases"].get(root, {}).get(verb, {}) if root else {}
    node = {
        **{key: value for key, value in body.items() if key in options(verb)},
        "each": body.get("each", {}),
    }
    before = [graph.defaults.get(verb, {}), base_defaults(graph, verb, root)]
    faithful = faithful_values(graph, verb, body, root)
    last = [faithful] if study.mode == "faithful" else []
    decided = decided_by_node(graph, verb, body, root)
    paper, paper_axes = _ranges_as_lists(verb, *_later_wins([*before, node, faithful]))
    used, each = _ranges_as_lists(verb, *_later_wins([*before, scale, node, *last]))
    for key in known:
        here, there = each.get(key, used.get(key)), paper_axes.get(key, paper.get(key))
        if here != there:
            mode = key in faithful and not last
            graph.deviate(
                name,
                key,
                there,
                here,
                f"mode {study.mode}" if mode else f"scale {study.scale_name}",
            )
        if key in decided:
            values = _axis_values(each[key]) if key in each else [here]
            graph.note_override(name, key, values, _scale_values(study, verb, root, key))
    if isinstance(each.get("seed"), list) and len(each["seed"]) > study.seeds:
        graph.deviate(name, "seed", each["seed"], each["seed"][: study.seeds], "study")
        each["seed"] = each["seed"][: study.seeds]
    for key, limit in graph.verbs.nodes[verb].capped.items():
        most = getattr(study, limit)
        if most and used.get(key, 0) > most:
            graph.deviate(name, key, used[key], most, "study")
            used[key] = most
    return {key: used[key] for key in known if key in used}, {
        k: each[k] for k in sorted(each) if k in known
    }


def base_defaults(graph: Any, verb: str, root: str | None) -> Options:
    """What a recipe's defaults of a verb say for one base.

    Empty where they say nothing, or there is no base.
    """
    return graph.defaults.get(verb, {}).get("bases", {}).get(root, {})


def faithful_values(graph: Any, verb: str, body: Options, root: str | None) -> Options:
    """A node's values of mode faithful.

    Its own, and those of the defaults for what it does not vary under `each`.
    """
    default = {
        **graph.defaults.get(verb, {}).get("faithful", {}),
        **base_defaults(graph, verb, root).get("faithful", {}),
    }
    own = {key: value for key, value in default.items() if key not in body.get("each", {})}
    return {**own, **body.get("faithful", {})}


def decided_by_node(graph: Any, verb: str, body: Options, root: str | None) -> set[str]:
    """The options that a node itself decides in the study's mode, whatever its scale says."""
    faithful = faithful_values(graph, verb, body, root) if graph.study.mode == "faithful" else {}
    return (body.keys() | body.get("each", {}).keys() | faithful.keys()) & options(verb).keys()


def predict_defaults(graph: Any, root: str | None) -> Options:
    """What a recipe's defaults say of predicting with a base."""
    values = {**graph.defaults.get("predict", {}), **base_defaults(graph, "predict", root)}
    return {key: value for key, value in values.items() if key not in LEVELS}


def _later_wins(levels: Iterable[Options]) -> tuple[Options, Options]:
    """Return the value of each option, and all its values on the levels, of which the last wins.

    Within one level `each` wins.
    """
    used: Options = {}
    each: Options = {}
    for level in levels:
        values = {key: value for key, value in level.items() if key not in LEVELS}
        each = {key: value for key, value in each.items() if key not in values} | level.get(
            "each", {}
        )
        used |= values
    return used, each


def _ranges_as_lists(verb: str, used: Options, each: Options) -> tuple[Options, Options]:
    """The values of options and of axes, with a list of numbers in the place of each range."""
    ranged = {key for key, body in options(verb).items() if "step" in body.get("properties", {})}
    used = {key: numbers_of(value) if key in ranged else value for key, value in used.items()}
    named = {
        key: {name: numbers_of(value) for name, value in each[key].items()}
        for key in each.keys() & ranged
        if isinstance(each[key], dict)
    }
    return used, each | named


def numbers_of(value: Any) -> Any:
    """Return the numbers of a range, and any other value as it is.

    Parameters
    ----------
    value
        A range is a mapping of `from`, `to` and `step`. Its numbers are rounded to ten decimals, so
        that they equal those that a person would write. None are left where `to` is below `from`.

    Examples
    --------
    >>> numbers_of({"from": 0, "to": 0.4, "step": 0.1})
    [0, 0.1, 0.2, 0.3, 0.4]
    >>> numbers_of([0, 1.0])
    [0, 1.0]
    """
    if not isinstance(value, dict):
        return value
    first, last, step = value["from"], value["to"], value["step"]
    steps = math.floor(round((last - first) / step, 10))
    return [round(first + i * step, 10) if i else first for i in range(steps + 1)]


def _axis_values(axis: Any) -> list[Any]:
    """Return the values of an axis, which is a list or a mapping from names to values.

    Their order does not depend on that of the keys in the file.
    """
    return [axis[name] for name in sorted(axis)] if isinstance(axis, dict) else axis


def _scale_values(study: Any, verb: str, root: str | None, key: str) -> list[Any]:
    """The values that the scale has for an option of a node: to train with, and to predict with."""
    body = study.scale["bases"].get(root, {})
    verbs = (verb, "predict") if verb == "finetune" else (verb,)
    return [body[one][key] for one in verbs if key in body.get(one, {})]


def missing_to_predict(graph: Any) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(node's name, options of predict that are given nowhere) of the models that are asked for
    predictions.
    """
    asked = {id for made in graph.nodes.values() for id in made.members} | {
        made.id for made, _ in scored(graph)
    }
    for made in (graph.nodes[id] for id in sorted(asked)):
        if made.verb == "finetune":
            yield made.name, missing("predict", made.kind, graph.study.predict_options(graph, made))
