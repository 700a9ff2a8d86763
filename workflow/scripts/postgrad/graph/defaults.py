"""A recipe's defaults.

What every node of a verb says, or every node of it on one base, unless it says otherwise.
"""

from functools import cache
from typing import Any

from postgrad.config.errors import ConfigError, ConfigErrors, lookup, name_suggestion
from postgrad.config.schemas import read_schema, valid_part
from postgrad.graph.options import each_schema, options, options_schema, references, verbs
from postgrad.graph.protocol import SECTIONS, Verbs

BASED = (
    "pretrain",
    "finetune",
    "predict",
)  # verbs whose nodes stand on a base, so that defaults may differ by it


@cache
def defaults_schema(verb: str) -> dict[str, Any]:
    """The schema of a verb's defaults.

    Every key of its nodes but its own, and `bases` where nodes stand on one.
    """
    is_of_nodes = verb != "predict"
    described = read_schema("recipe")["properties"]["defaults"]["additionalProperties"][
        "properties"
    ]
    values = dict(options(verb))
    if is_of_nodes:
        values["each"] = {**each_schema(verb), "description": described["each"]["description"]}
    if is_of_nodes and options(verb):
        values["faithful"] = {
            **options_schema(verb),
            "description": described["faithful"]["description"],
        }
    keys = {**{key: body for key, body in references(verb).items() if key != verb}, **values}
    if verb in BASED:
        one = {"type": "object", "additionalProperties": False, "properties": values}
        keys["bases"] = {**described["bases"], "additionalProperties": one}
    return {"type": "object", "additionalProperties": False, "properties": keys}


def with_defaults(
    raw: dict[str, Any], where: str, bases: dict[str, Any], faults: ConfigErrors, records: Verbs
) -> tuple[dict[str, Any], set[str]]:
    """Check a recipe's defaults, and let its nodes say what the defaults say for them.

    Parameters
    ----------
    raw : dict
        The recipe as its file has it.
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
        The recipe, whose defaults hold what fits their schema, and whose nodes have the keys of
        their verb's defaults that are no options. Options stay in the defaults, since the scale may
        say otherwise.
    broken : set of str
        Names of the nodes that lack such a key because it did not fit.
    """
    defaults: dict[str, dict[str, Any]] = {}
    lost: dict[str, set[str]] = {}
    for verb, body in raw.get("defaults", {}).items():
        with faults.collecting():
            lookup(dict.fromkeys(verbs()), verb, f"{where}: defaults", "verb")
            if verb in body:
                faults.append(
                    f"{where}: defaults.{verb}.{verb}: each node says this for itself; leave it out."
                )
            body = {key: value for key, value in body.items() if key != verb}
            defaults[verb] = (
                valid_part(body, defaults_schema(verb), where, faults, ("defaults", verb)) or {}
            )
            lost[verb] = (body.keys() & references(verb).keys()) - defaults[verb].keys()
            for base in defaults[verb].get("bases", {}):
                with faults.collecting():
                    lookup(bases, base, f"{where}: defaults.{verb}.bases", "base")
    made: dict[str, Any] = {**raw, "defaults": defaults}
    broken: set[str] = set()
    for section in SECTIONS:
        made[section] = {}
        for name, body in raw.get(section, {}).items():
            given = [verb for verb in records.nodes if verb in body]
            if len(given) == 1:
                (verb,) = given
                inherited = defaults.get(verb, {}).keys() & references(verb).keys()
                broken |= {name} if lost.get(verb, set()) - body.keys() else set()
                body = {**{key: defaults[verb][key] for key in sorted(inherited)}, **body}
            made[section][name] = body
    return made, broken


def check_bases(graph: Any, where: str, faults: ConfigErrors) -> None:
    """Gather a fault for each base under defaults on which no node of the verb stands.

    Nothing would read it.
    """
    for verb, body in ((verb, body) for verb, body in graph.defaults.items() if "bases" in body):
        made_by = "finetune" if verb == "predict" else verb
        standing = [
            name
            for name, (other, _) in graph.raw.items()
            if other == made_by and name not in graph.broken
        ]
        roots = {graph.root(name)[0] for name in standing}
        for base in body["bases"]:
            with faults.collecting():
                if base not in roots:
                    place = f"{where}: defaults.{verb}.bases"
                    raise ConfigError(
                        f"{place}: no node of {made_by} stands on {base!r}; {name_suggestion(base, roots)}"
                    )
