"""The options of a node: what each verb may say, and which of several values wins.

The verbs and their options are described in workflow/schemas/verbs.yaml.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from typing import Any

from postgrad.config.errors import ConfigError, name_suggestion
from postgrad.config.schemas import read_schema
from postgrad.graph.protocol import Verbs
from postgrad.graph.queries import scored_nodes

Options = dict[str, Any]  # {option: its value, or its schema}

LEVELS = ("each", "faithful", "bases")  # keys of a level that are no options themselves
EACH = "^[A-Za-z0-9][A-Za-z0-9._+-]*$"  # the name of a value stands in names of files


def verb_names() -> tuple[str, ...]:
    """Return the names of the verbs of nodes, in the order of the schema."""
    return tuple(read_schema("verbs"))


def reference_schemas(verb: str) -> Options:
    """Return the schema of each key that names other nodes or says how they are joined.

    Such keys are written in a node or in a recipe's defaults.
    """
    return read_schema("verbs")[verb]["references"]


def option_schemas(verb: str, kind: str | None = None) -> Options:
    """Return the schema of each option that a kind of model reads.

    Parameters
    ----------
    verb
        A verb.
    kind
        causal, encoder or linear. Default: the options of all kinds.
    """
    schemas = read_schema("verbs")[verb]["options"]
    return {
        key: body
        for key, body in schemas.items()
        if kind is None or kind in body.get("kinds", [kind])
    }


def options_in_use(verb: str, kind: str | None, values: Mapping[str, list[Any]]) -> Options:
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

    return {key: body for key, body in option_schemas(verb, kind).items() if beside(body)}


@cache
def options_schema(verb: str) -> Options:
    """Return the schema of a verb's options in a scale and under `faithful`."""
    return {"type": "object", "additionalProperties": False, "properties": option_schemas(verb)}


@cache
def node_schema(verb: str) -> Options:
    """Return the schema of a node: its references and options, `faithful` and `each`."""
    keys = reference_schemas(verb)
    if option_schemas(verb):
        keys = keys | {"faithful": options_schema(verb)}
    properties = {**keys, **option_schemas(verb), "each": each_schema(verb)}
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [verb],
        "properties": properties,
    }


@cache
def each_schema(verb: str) -> Options:
    """Return the schema of `each`: for an option, a list of values or a mapping with names."""
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
            for key, body in option_schemas(verb).items()
        },
    }


def refuse_unknown_verb(records: Verbs, section: str, body: dict[str, Any], where: str) -> None:
    """Raise `ConfigError` if a node has no verb of its section.

    The message names a verb that was misspelt or that belongs to another section.

    Parameters
    ----------
    records
        The records of all verbs.
    section
        The section of the recipe.
    body
        The node as the recipe writes it.
    where
        The node's place in the recipe, for the message.
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


def missing_options(
    verb: str, kind: str | None, values: Mapping[str, list[Any]]
) -> tuple[str, ...]:
    """Return the options that the verb reads and that have no value.

    Parameters
    ----------
    verb
        A verb.
    kind
        causal, encoder or linear, or None for all kinds.
    values
        The values that each option may take.
    """
    return tuple(
        key
        for key, body in options_in_use(verb, kind, values).items()
        if body.get("needed", True) and key not in values
    )


def refuse_unread_options(
    verb: str,
    kind: str | None,
    body: Options,
    values: Mapping[str, list[Any]],
    faithful: Options,
    where: str,
) -> None:
    """Raise `ConfigError` if a node gives an option that nothing reads with its other values.

    Parameters
    ----------
    verb
        A verb.
    kind
        causal, encoder or linear, or None for all kinds.
    body
        The node as the recipe writes it.
    values
        The values that each option may take.
    faithful
        The node's values of mode faithful, including those of the defaults.
    where
        The node's place in the recipe, for the message.
    """
    own, levels = [body, body.get("faithful", {})], [body, faithful]
    values = {
        key: [*values.get(key, []), *(part[key] for part in levels if key in part)]
        for key in option_schemas(verb, kind)
    }
    for key in values.keys() - options_in_use(verb, kind, values).keys():
        if any(key in part for part in [*own, body.get("each", {})]):
            (other, wanted), *_ = option_schemas(verb, kind)[key]["when"].items()
            if not values[other]:  # misspelt, say, and told already
                continue
            raise ConfigError(
                f"{where}.{key}: nothing reads it here; leave it out, or write {other}: "
                f"{' or '.join(wanted)}."
            )


def resolve_options(
    graph: Any, name: str, verb: str, body: Options, root: str | None, kind: str | None
) -> tuple[Options, Options]:
    """Decide the options of a node.

    Of two values for one option the later wins: the recipe's defaults for the verb, those for the
    base, the scale, the node, and in mode faithful the node's `faithful`. The graph records every
    difference from the paper, and every value of a node that overrides that of its scale.

    Parameters
    ----------
    graph
        The graph.
    name, verb
        The node's name and verb.
    body
        The node as the recipe writes it.
    root, kind
        The base from which it descends, and its kind at this scale; None for nodes that are no
        model.

    Returns
    -------
    options
        The value of each option that does not vary.
    each
        The values of each option that varies.
    """
    study = graph.study
    known = option_schemas(verb, kind) if root is None or kind else {}
    scale = study.scale["bases"].get(root, {}).get(verb, {}) if root else {}
    node = {
        **{key: value for key, value in body.items() if key in option_schemas(verb)},
        "each": body.get("each", {}),
    }
    before = [graph.defaults.get(verb, {}), base_defaults(graph, verb, root)]
    faithful = faithful_values(graph, verb, body, root)
    last = [faithful] if study.mode == "faithful" else []
    decided = options_set_by_node(graph, verb, body, root)
    paper, paper_axes = _ranges_as_lists(verb, *_last_values([*before, node, faithful]))
    used, each = _ranges_as_lists(verb, *_last_values([*before, scale, node, *last]))
    for key in known:
        used_value, paper_value = each.get(key, used.get(key)), paper_axes.get(key, paper.get(key))
        if used_value != paper_value:
            mode = key in faithful and not last
            graph.note_deviation(
                name,
                key,
                paper_value,
                used_value,
                f"mode {study.mode}" if mode else f"scale {study.scale_name}",
            )
        if key in decided:
            values = _axis_values(each[key]) if key in each else [used_value]
            graph.note_override(name, key, values, _scale_values(study, verb, root, key))
    if isinstance(each.get("seed"), list) and len(each["seed"]) > study.seeds:
        graph.note_deviation(name, "seed", each["seed"], each["seed"][: study.seeds], "study")
        each["seed"] = each["seed"][: study.seeds]
    for key, limit in graph.verbs.nodes[verb].capped.items():
        most = getattr(study, limit)
        if most and used.get(key, 0) > most:
            graph.note_deviation(name, key, used[key], most, "study")
            used[key] = most
    return {key: used[key] for key in known if key in used}, {
        k: each[k] for k in sorted(each) if k in known
    }


def base_defaults(graph: Any, verb: str, root: str | None) -> Options:
    """Return the values of a recipe's defaults of a verb for one base, or an empty dict."""
    return graph.defaults.get(verb, {}).get("bases", {}).get(root, {})


def faithful_values(graph: Any, verb: str, body: Options, root: str | None) -> Options:
    """Return a node's values of mode faithful.

    These are its own and those of the defaults, except for options that it varies under `each`.
    """
    default = {
        **graph.defaults.get(verb, {}).get("faithful", {}),
        **base_defaults(graph, verb, root).get("faithful", {}),
    }
    own = {key: value for key, value in default.items() if key not in body.get("each", {})}
    return {**own, **body.get("faithful", {})}


def options_set_by_node(graph: Any, verb: str, body: Options, root: str | None) -> set[str]:
    """Return the options that a node itself decides in the study's mode, against its scale."""
    faithful = faithful_values(graph, verb, body, root) if graph.study.mode == "faithful" else {}
    return (body.keys() | body.get("each", {}).keys() | faithful.keys()) & option_schemas(
        verb
    ).keys()


def predict_defaults(graph: Any, root: str | None) -> Options:
    """Return the options of a recipe's defaults for predictions with a base.

    Those for the base win over those for all bases.
    """
    values = {**graph.defaults.get("predict", {}), **base_defaults(graph, "predict", root)}
    return {key: value for key, value in values.items() if key not in LEVELS}


def _last_values(levels: Iterable[Options]) -> tuple[Options, Options]:
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
    """Return the values of options and of axes, each range replaced by the list of its numbers."""
    ranged = {
        key for key, body in option_schemas(verb).items() if "step" in body.get("properties", {})
    }
    used = {key: range_values(value) if key in ranged else value for key, value in used.items()}
    named = {
        key: {name: range_values(value) for name, value in each[key].items()}
        for key in each.keys() & ranged
        if isinstance(each[key], dict)
    }
    return used, each | named


def range_values(value: Any) -> Any:
    """Return the numbers of a range, and any other value as it is.

    Parameters
    ----------
    value
        A range is a mapping of `from`, `to` and `step`. Its numbers are rounded to ten decimals, so
        that they equal those that a person would write. None are left where `to` is below `from`.

    Examples
    --------
    >>> range_values({"from": 0, "to": 0.4, "step": 0.1})
    [0, 0.1, 0.2, 0.3, 0.4]
    >>> range_values([0, 1.0])
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
    """Return the values that the scale has for a node's option, in training and in prediction."""
    body = study.scale["bases"].get(root, {})
    verbs = (verb, "predict") if verb == "finetune" else (verb,)
    return [body[one][key] for one in verbs if key in body.get(one, {})]


def missing_to_predict(graph: Any) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the name of each model that has to predict, and its options that have no value."""
    asked = {id for node in graph.nodes.values() for id in node.members} | {
        node.id for node, _ in scored_nodes(graph)
    }
    for node in (graph.nodes[id] for id in sorted(asked)):
        if node.verb == "finetune":
            yield (
                node.name,
                missing_options("predict", node.kind, graph.study.predict_options(graph, node)),
            )
