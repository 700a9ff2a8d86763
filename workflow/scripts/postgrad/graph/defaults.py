"""A recipe's defaults: the values of every node of a verb, or of every node of it on one base."""

from functools import cache
from typing import Any

from postgrad.config.errors import ConfigError, ConfigErrors, lookup, name_suggestion
from postgrad.config.schemas import read_schema, valid_part
from postgrad.graph.options import (
    each_schema,
    option_schemas,
    options_schema,
    reference_schemas,
    verb_names,
)
from postgrad.graph.protocol import SECTIONS, Verbs

# Verbs whose nodes stand on a base, so that their defaults may differ from base to base.
VERBS_WITH_BASE = ("pretrain", "finetune", "predict")


@cache
def defaults_schema(verb: str) -> dict[str, Any]:
    """Return the schema of a verb's defaults.

    It has every key of the verb's nodes but the verb itself, and `bases` if such nodes stand on a
    base.
    """
    is_of_nodes = verb != "predict"
    described = read_schema("recipe")["properties"]["defaults"]["additionalProperties"][
        "properties"
    ]
    values = dict(option_schemas(verb))
    if is_of_nodes:
        values["each"] = {**each_schema(verb), "description": described["each"]["description"]}
    if is_of_nodes and option_schemas(verb):
        values["faithful"] = {
            **options_schema(verb),
            "description": described["faithful"]["description"],
        }
    keys = {**{key: body for key, body in reference_schemas(verb).items() if key != verb}, **values}
    if verb in VERBS_WITH_BASE:
        one = {"type": "object", "additionalProperties": False, "properties": values}
        keys["bases"] = {**described["bases"], "additionalProperties": one}
    return {"type": "object", "additionalProperties": False, "properties": keys}


def apply_defaults(
    raw: dict[str, Any], where: str, bases: dict[str, Any], faults: ConfigErrors, records: Verbs
) -> tuple[dict[str, Any], set[str]]:
    """Check a recipe's defaults, and copy into its nodes the keys that are no options.

    Parameters
    ----------
    raw : dict
        The content of the recipe's file.
    where : str
        The path of that file.
    bases : dict
        The bases of config/bases.yaml.
    faults : ConfigErrors
        Gathers what is wrong with the defaults.
    records : Verbs
        The records of all verbs.

    Returns
    -------
    raw : dict
        The recipe. Its defaults have only what fits their schema. Its nodes have the keys of their
        verb's defaults that are no options. Options stay in the defaults, because the scale may
        override them.
    broken : set of str
        The names of the nodes that lack such a key because it did not fit.
    """
    defaults: dict[str, dict[str, Any]] = {}
    lost: dict[str, set[str]] = {}
    for verb, body in raw.get("defaults", {}).items():
        with faults.collecting():
            lookup(dict.fromkeys(verb_names()), verb, f"{where}: defaults", "verb")
            if verb in body:
                faults.append(
                    f"{where}: defaults.{verb}.{verb}: each node gives this for itself; leave it "
                    "out."
                )
            body = {key: value for key, value in body.items() if key != verb}
            defaults[verb] = (
                valid_part(body, defaults_schema(verb), where, faults, ("defaults", verb)) or {}
            )
            lost[verb] = (body.keys() & reference_schemas(verb).keys()) - defaults[verb].keys()
            for base in defaults[verb].get("bases", {}):
                with faults.collecting():
                    lookup(bases, base, f"{where}: defaults.{verb}.bases", "base")
    recipe: dict[str, Any] = {**raw, "defaults": defaults}
    broken: set[str] = set()
    for section in SECTIONS:
        recipe[section] = {}
        for name, body in raw.get(section, {}).items():
            node_verbs = [verb for verb in records.nodes if verb in body]
            if len(node_verbs) == 1:
                (verb,) = node_verbs
                inherited = defaults.get(verb, {}).keys() & reference_schemas(verb).keys()
                broken |= {name} if lost.get(verb, set()) - body.keys() else set()
                body = {**{key: defaults[verb][key] for key in sorted(inherited)}, **body}
            recipe[section][name] = body
    return recipe, broken


def check_bases(graph: Any, where: str, faults: ConfigErrors) -> None:
    """Gather an error for each base under `defaults` on which no node of the verb stands."""
    for verb, body in ((verb, body) for verb, body in graph.defaults.items() if "bases" in body):
        made_by = "finetune" if verb == "predict" else verb
        standing = [
            name
            for name, (other, _) in graph.raw.items()
            if other == made_by and name not in graph.broken
        ]
        roots = {graph.base_and_kind(name)[0] for name in standing}
        for base in body["bases"]:
            with faults.collecting():
                if base not in roots:
                    place = f"{where}: defaults.{verb}.bases"
                    raise ConfigError(
                        f"{place}: no node of {made_by} stands on {base!r}; "
                        f"{name_suggestion(base, roots)}"
                    )
