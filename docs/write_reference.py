"""Write docs/reference.md: every key of the configuration, from the schemas and the verbs' records.

make reference
"""

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from postgrad.config.schemas import read_schema
from postgrad.graph.protocol import NodeVerb
from postgrad.verbs.registry import VERBS

TARGET = Path(__file__).parent / "reference.md"
Schema = dict[str, Any]

HEAD = """\
# Reference

Every key of the configuration, with its type, its limits, its default and what it means. `make
reference` makes this page from `workflow/schemas` and from the records in
`workflow/scripts/postgrad/verbs`, and a test fails if the page is not current.
[recipes.md](recipes.md) explains how the parts work together.

In the tables,

- a key with dots is inside other keys: `endpoints.requests` is the key `requests` in the mapping
  `endpoints`;
- `<name>` stands for a name that you choose, and `[]` for each item of a list;
- a default is a value as YAML writes it, or words for what is used instead. It is *required* if
  the key has to be given, and a dash if nothing is set without the key.

A value that does not fit is reported before anything runs, with the file, the key, what was found
and what to do.
"""
# The files of the configuration in the order of the page: (schema, heading, text before its table).
FILES = [
    (
        "config",
        "config.yaml and --config",
        "`config/config.yaml` says what plain `snakemake` runs. Every key may also be given on the "
        "command line, as in `snakemake --config study=public seeds=3`. A key that a study also "
        "has replaces the value of the study; without it, the value of the study holds.",
    ),
    ("study", "Studies", "A file of `config/studies` is what a person runs."),
    (
        "scale",
        "Scales",
        "A file of `config/scales` says which model stands for each base, and the options that "
        "suit that model. The options under `pretrain`, `finetune` and `predict` are those of "
        "[the verbs](#models).",
    ),
    (
        "bases",
        "Bases",
        "`config/bases.yaml` gives models short names. A base of kind `encoder` or `causal` has "
        "exactly one source: `hub` with `revision`, `folder`, `package` or `make`. A base of kind "
        "`linear` has no further key, and a `stand-in` may have `agrees`. An `endpoint` has `url` "
        "and `model`, and may have the other keys that describe a server or its answers.",
    ),
    ("task", "Tasks", "A file of `config/tasks` is one corpus."),
    (
        "prompt",
        "Prompts",
        "A file of `config/prompts` is what a language model is asked. The verb fills in the "
        "`{fields}`, and other braces are text.",
    ),
    (
        "recipe",
        "Recipes",
        "A file of `config/recipes` is one system as a graph of named nodes. The keys "
        "of a node are listed under [nodes](#nodes).",
    ),
]
NODES = """\
## Nodes

A node of a recipe has exactly one verb as a key, and the keys of that verb. Keys that name posts,
nodes or bases are given on the node or under `defaults` of the recipe. Options are given there as
well, or in a scale. Of several values, the later one wins: `defaults` of the verb, its `defaults`
for one base, the scale, the node, and in mode faithful `faithful`. An option that is *required*
has to be given in one of these places if its node reads it: the column *read by* names the kinds of
model that do, and the values of other options with which it is read.

Every node may also have these keys:

| key | type and limits | default | meaning |
|---|---|---|---|
| `each` | mapping of options to lists, or to mappings of named values | – | The node is made once \
for each value, or once for each combination of values if several options are named. Nodes that \
refer to each other join on equal values. |
| `faithful` | mapping of options | – | The values of mode `faithful`, in which the paper's way \
takes the place of the recommended one. Verbs without options do not have this key. |
"""
SECTION_TEXT = {
    "datasets": "Nodes under `datasets` hold the posts that they made.",
    "models": "Nodes under `models` hold weights.",
    "predictors": "Nodes under `predictors` turn predictions into predictions.",
}
KEYS = ("key", "type and limits", "default", "meaning")
REFERENCES = ("key", "type and limits", "may name", "default", "meaning")
OPTIONS = ("option", "type and limits", "read by", "default", "meaning")
TYPES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "`true` or `false`",
    "array": "list",
    "object": "mapping",
    "null": "`null`",
}
NOTHING = "–"


def page() -> str:
    """Return the text of docs/reference.md."""
    sections = {
        heading: [f"{text}\n", *file_tables(read_schema(name))] for name, heading, text in FILES
    }
    headings = [*sections, "Nodes"]
    contents = "".join(f"- [{heading}](#{anchor(heading)})\n" for heading in headings)
    parts = [HEAD, contents]
    for heading, content in sections.items():
        parts += [f"## {heading}\n", *content]
    parts.append(NODES)
    own = {verb for verbs in VERBS.sections.values() for verb in verbs}
    for section, verbs in VERBS.sections.items():
        parts.append(f"### {section.capitalize()}\n\n{SECTION_TEXT[section]}\n")
        further = (
            [verb for verb in read_schema("verbs") if verb not in own]
            if section == "models"
            else []
        )
        for verb in [*verbs, *further]:
            parts += [f"#### {verb}\n\n{purpose(verb)}\n", *verb_tables(verb)]
    return "\n".join(parts)


def anchor(heading: str) -> str:
    """Return the anchor that Markdown gives a heading.

    >>> anchor("config.yaml and --config")
    'configyaml-and---config'
    """
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def file_tables(whole: Schema) -> list[str]:
    """Return the table of a file's keys, and one for each part to which several keys refer."""
    tables = [table(KEYS, key_rows(whole))]
    for name, part in whole.get("$defs", {}).items():
        tables += [
            f"### {part_heading(name)}\n\n{part['description']}\n",
            table(KEYS, key_rows(part)),
        ]
    return tables


def part_heading(name: str) -> str:
    """Return the heading of the table of a part to which several keys refer."""
    return f"Keys of {name}" if name.endswith("s") else f"Keys of a {name}"


def purpose(verb: str) -> str:
    """Return what a verb is for, from the first line of its module's docstring."""
    text = (
        (sys.modules[type(VERBS[verb]).__module__].__doc__ or "")
        .split("\n")[0]
        .removeprefix(f"{verb}: ")
    )
    return f"{text[:1].upper()}{text[1:]}"


def verb_tables(verb: str) -> list[str]:
    """Return the tables of a verb: its keys that name others, and its options."""
    body, parts = read_schema("verbs")[verb], []
    if body["references"]:
        parts.append(table(REFERENCES, reference_rows(VERBS.nodes[verb], body["references"])))
    if body["options"]:
        parts.append(table(OPTIONS, option_rows(body["options"])))
    return parts


def reference_rows(record: NodeVerb, keys: Schema) -> Iterator[tuple[str, ...]]:
    """Yield the rows of a verb's keys that name others."""
    for key, body in keys.items():
        yield cells(key, body, is_required(record, key), may_name(record, key))
        yield from ((*row[:2], "", *row[2:]) for row in key_rows(body, f"{key}."))


def is_required(record: NodeVerb, key: str) -> bool:
    """Return whether every node of a verb must have this key."""
    asked = getattr(record, "asks", None)
    return (
        key in (record.name, record.data_key, record.members_key, asked)
        or key == "fit"
        and record.needs_fit
    )


def may_name(record: NodeVerb, key: str) -> str:
    """Return what may be named under a key: splits, nodes, bases."""
    splits = [f"`{split}`" for split in record.readable.get(key, ())]
    found = [f"the split{'s' * (len(splits) > 1)} {listed(splits)}"] if splits else []
    if role := record.names.get(key):
        found.append(
            f"nodes made by {listed([f'`{verb}`' for verb in VERBS.verbs_that_make(role)])}"
        )
    if key == getattr(record, "asks", None):
        found.append("bases")
    if key == record.name and record.section == "models":
        found.append(
            f"bases, and nodes made by {listed([f'`{verb}`' for verb in VERBS.sections['models']])}"
        )
    return "; ".join(found) or NOTHING


def option_rows(options: Schema) -> Iterator[tuple[str, ...]]:
    """Yield the rows of a verb's options."""
    for key, body in options.items():
        conditions = [
            f"`{other}: {value}`"
            for other, values in body.get("when", {}).items()
            for value in values
        ]
        read_by = listed(body["kinds"]) if "kinds" in body else "all"
        read_by += f", with {listed(conditions)}" if conditions else ""
        yield cells(key, body, body.get("needed", True), read_by)
        yield from ((*row[:2], "", *row[2:]) for row in key_rows(body, f"{key}."))


def cells(key: str, body: Schema, required: bool, further: str) -> tuple[str, ...]:
    """Return the cells of a key's row."""
    default, meaning = default_and_meaning(body, required)
    return f"`{key}`", limits(body), further, default, meaning


def key_rows(part: Schema, path: str = "") -> Iterator[tuple[str, ...]]:
    """Yield (key, type and limits, default, meaning) for all keys of a mapping.

    The keys of a mapping inside it come after its own key.
    """
    for keys, body in alike(part.get("properties", {})):
        name = keys[0] if len(keys) == 1 else f"{{{','.join(keys)}}}"
        required = set(keys) <= set(part.get("required", []))
        yield f"`{path}{name}`", limits(body), *default_and_meaning(body, required)
        yield from key_rows(body, f"{path}{name}.")
        if is_mapping(body.get("items")):
            yield from key_rows(body["items"], f"{path}{name}[].")
    named = part.get("additionalProperties")
    if isinstance(named, dict):
        if "description" in named:
            yield f"`{path}<name>`", limits(named), *default_and_meaning(named, False)
        yield from key_rows(named, f"{path}<name>.")


def alike(properties: Schema) -> Iterator[tuple[list[str], Schema]]:
    """Yield the keys of a mapping, with neighbours that have the same mapping together."""
    groups: list[tuple[list[str], Schema]] = []
    for key, body in properties.items():
        if groups and groups[-1][1] == body and (is_mapping(body) or "$ref" in body):
            groups[-1][0].append(key)
        else:
            groups.append(([key], body))
    yield from groups


def is_mapping(part: Schema | None) -> bool:
    """Return whether a part of a schema is a mapping with known keys."""
    return bool(part) and "properties" in part


def limits(body: Schema) -> str:
    """Return the type of a value and its limits, in words.

    >>> limits({"type": "number", "exclusiveMinimum": 0, "maximum": 1})
    'number (more than 0 and at most 1)'
    >>> items = {"type": "integer", "minimum": 1, "maximum": 5}
    >>> limits({"type": ["string", "array"], "items": items, "minItems": 1})
    'text, or list of whole numbers (each 1 to 5; not empty)'
    """
    if "$ref" in body:
        heading = part_heading(body["$ref"].rpartition("/")[2])
        return f"mapping: [{heading.lower()}](#{anchor(heading)})"
    if "enum" in body:
        return listed([value(item) for item in body["enum"]], "or")
    kinds = body["type"] if isinstance(body["type"], list) else [body["type"]]
    return ", or ".join(limits_of(kind, body) for kind in kinds)


def limits_of(kind: str, body: Schema) -> str:
    """Return the limits of a value if it is of this kind.

    What a pattern says of a text stands in the key's sentence.
    """
    if kind in ("integer", "number"):
        return in_brackets(TYPES[kind], [bounds(body)])
    if kind == "string" and (words := alternatives(body.get("pattern", ""))):
        return listed([f"`{word}`" for word in words], "or")
    if kind == "array":
        items = body.get("items", {})
        if "enum" in items:
            found = f"list of {listed([value(item) for item in items['enum']], 'and')}"
        else:
            named = items.get("type", "object" if is_mapping(items) else "string")
            kinds = named if isinstance(named, list) else [named]
            found = f"list of {listed([f'{TYPES[kind]}s' for kind in kinds])}"
        low, high = body.get("minItems", 0), body.get("maxItems")
        counts = [f"exactly {low} items"] if low == high else ["not empty"] if low == 1 else []
        counts += [f"at least {low} items"] if low > 1 and low != high else []
        counts += [f"at most {high} items"] if high is not None and low != high else []
        each = f"each {bounds(items)}" if bounds(items) else ""
        return in_brackets(found, [each, *counts, *["no item twice"] * body.get("uniqueItems", 0)])
    return in_brackets(
        TYPES[kind], ["not empty"] * bool(kind == "object" and body.get("minProperties"))
    )


def in_brackets(text: str, limits: Iterable[str]) -> str:
    """Return a type followed by its limits in brackets.

    >>> in_brackets("list of texts", ["not empty", "no item twice"]), in_brackets("text", [""])
    ('list of texts (not empty; no item twice)', 'text')
    """
    given = [limit for limit in limits if limit]
    return f"{text} ({'; '.join(given)})" if given else text


def bounds(body: Schema) -> str:
    """Return the least and the largest number in words, or nothing if there are none."""
    if "minimum" in body and "maximum" in body:
        return f"{body['minimum']} to {body['maximum']}"
    words = {
        "minimum": "at least",
        "exclusiveMinimum": "more than",
        "maximum": "at most",
        "exclusiveMaximum": "less than",
    }
    return " and ".join(f"{word} {body[key]}" for key, word in words.items() if key in body)


def alternatives(pattern: str) -> list[str]:
    """Return the words that a pattern allows if it is a plain choice of words, else none.

    >>> alternatives("^(none|balanced)$"), alternatives("^always$"), alternatives("^[a-z]+$")
    (['none', 'balanced'], ['always'], [])
    """
    words = re.fullmatch(r"\^\(?(\w+(?:\|\w+)*)\)?\$", pattern)
    return words[1].split("|") if words else []


def default_and_meaning(body: Schema, required: bool) -> tuple[str, str]:
    """Return the default of a key and its sentences.

    A default in words, `Default: all of them.`, is the last of these.
    """
    meaning, _, words = body.get("description", "").partition(" Default: ")
    meaning += "" if not meaning or meaning.endswith(".") else "."
    if "default" in body:
        return value(body["default"]), meaning
    return "*required*" if required else words.removesuffix(".") or NOTHING, meaning


def listed(words: Iterable[str], last: str = "or") -> str:
    """Return words as a sentence lists them.

    >>> listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])
    ('a', 'a or b', 'a, b or c')
    """
    *first, final = words
    return f"{', '.join(first)} {last} {final}" if first else final


def value(item: object) -> str:
    """Return a value as YAML writes it, in one line."""
    written = yaml.safe_dump(item, default_flow_style=True, width=10**6)
    return f"`{written.removesuffix(chr(10)).removesuffix('...').strip()}`"


def table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Return a Markdown table."""
    lines = [
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |"
        for line in [heads, *rows]
    ]
    return "\n".join([lines[0], "|---" * len(heads) + "|", *lines[1:], ""])


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
