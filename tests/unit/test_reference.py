"""The pages that `make reference` makes are current, and the reference explains every key."""

import re

import pytest
import write_catalogue
import write_reference
import yaml
from tree import ROOT

from postgrad.config.schemas import read_schema

SCHEMAS = sorted(path.stem for path in (ROOT / "workflow/schemas").glob("*.yaml"))


def test_the_committed_page_is_current():
    committed = (ROOT / "docs/reference.md").read_text(encoding="utf-8")
    assert committed == write_reference.page(), (
        "a schema or a record has changed: run make reference"
    )


def test_the_committed_catalogue_is_current():
    committed = (ROOT / "docs/catalogue.md").read_text(encoding="utf-8")
    assert committed == write_catalogue.page(), (
        "a task, a base, a scale or a recipe has changed: run make reference"
    )


def rows():
    """Return what the row of each key says, over all tables.

    The keys of a part have a table of their own.
    """
    lines = [line for line in write_reference.page().splitlines() if line.startswith("| `")]
    cells = [re.split(r"(?<!\\) \| ", line.strip("| ")) for line in lines]
    told = {row[0].strip("`"): row[-1] or "(#keys-of-" in row[1] for row in cells}
    return {
        key: meaning
        for path, meaning in told.items()
        for key in re.findall(r"[\w-]+", path.rpartition(".")[2])
    }


def keys(body):
    """All keys that a schema describes, at any depth."""
    found = set(body.get("properties", {}))
    parts = [*body.get("properties", {}).values(), *body.get("$defs", {}).values()]
    for part in [*parts, body.get("items"), body.get("additionalProperties")]:
        found |= keys(part) if isinstance(part, dict) else set()
    return found


@pytest.mark.parametrize("name", [name for name in SCHEMAS if name != "verbs"])
def test_every_key_of_a_file_has_a_row_with_a_sentence(name):
    told = rows()
    assert keys(read_schema(name)) and keys(read_schema(name)) <= {
        key for key, meaning in told.items() if meaning
    }


def test_every_key_of_a_verb_has_a_row_with_a_sentence():
    told = rows()
    for verb, body in yaml.safe_load(
        (ROOT / "workflow/schemas/verbs.yaml").read_text(encoding="utf-8")
    ).items():
        for key in [*body["references"], *body["options"]]:
            assert told.get(key), f"{verb}.{key}"
