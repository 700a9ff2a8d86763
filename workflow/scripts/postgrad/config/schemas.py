"""Checks of the content of a configuration file against its schema in workflow/schemas."""

from collections.abc import Iterable, Sequence
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

from postgrad.config.errors import Fault, Faults, nearest
from postgrad.config.yaml_files import as_list, is_finite, read_yaml

SCHEMAS = Path(__file__).resolve().parents[3] / "schemas"
SHOWN = 40  # the longest text that a sentence repeats: a prompt or a post is never among them
EXPECTED = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "null",
}
LIMITS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "less than {}",
    "minItems": "at least {} values",
    "maxItems": "at most {} values",
    "minProperties": "at least {} keys",
}
_checker = jsonschema.Draft202012Validator.TYPE_CHECKER.redefine(
    "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
)
VALIDATOR = jsonschema.validators.extend(jsonschema.Draft202012Validator, type_checker=_checker)


@cache
def schema(name: str) -> dict[str, Any]:
    """workflow/schemas/<name>.yaml."""
    return read_yaml(SCHEMAS / f"{name}.yaml")


def without_required(schema: Any) -> Any:
    """A schema of which no key is required, at any depth.

    That of a file which says a part of the whole.
    """
    if isinstance(schema, list):
        return [without_required(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {
        key: value
        for key, value in schema.items()
        if key != "required" or not isinstance(value, list)
    }
    return {key: without_required(value) for key, value in kept.items()}


def fitting(
    content: Any, schema: dict[str, Any], where: str, faults: Faults, path: Sequence[str | int] = ()
) -> Any:
    """`content` without what does not fit `schema`; None where the rest does not fit either.

    A sentence for each misfit goes to `faults`. where: the file; path: the keys above `content` in
    it.
    """
    validator = VALIDATOR(schema)
    errors = sorted(
        validator.iter_errors(content), key=lambda error: list(map(str, error.absolute_path))
    )
    if not errors:
        return content
    content = deepcopy(content)
    for error in errors:
        with faults.gathered():
            raise Fault(*sentences(error, where, path))
        keys = list(error.absolute_path)
        unknown = (
            set(error.instance) - set(error.schema.get("properties", {}))
            if _closed(error)
            else set()
        )
        while keys and not isinstance(keys[-1], str):  # a list loses its place as a whole
            keys.pop()
        parent = content
        for key in keys[: None if unknown else -1]:
            parent = parent[key] if not isinstance(parent, dict) or key in parent else {}
        for key in unknown or keys[-1:]:
            parent.pop(key, None)
    return content if validator.is_valid(content) else None


def _closed(error: jsonschema.ValidationError) -> bool:
    return error.validator == "additionalProperties"


def sentences(
    error: jsonschema.ValidationError, where: str, path: Sequence[str | int] = ()
) -> list[str]:
    """One misfit that jsonschema found, as sentences.

    File, key path, what was found, the remedy.
    """
    path = ".".join(map(str, [*path, *error.absolute_path]))
    place, value, wanted = (
        f"{where}: {path}" if path else where,
        error.instance,
        error.validator_value,
    )
    about = error.schema.get("description")
    told = (
        "what stands there" if error.schema.get("writeOnly") else found(value)
    )  # a key by mistake, say
    if _closed(error):
        known = error.schema.get("properties", {})
        return [
            f"{place}: there is no key {key!r}; {nearest(key, known)}"
            for key in sorted(set(value) - set(known))
        ]
    if error.validator == "required":
        return [
            f"{place}: the key {key!r} is missing; add it." for key in wanted if key not in value
        ]
    if error.validator == "enum":
        return [f"{place}: {found(value)} is not among its values; {nearest(value, wanted)}"]
    if error.validator == "type":
        expected = " or ".join(EXPECTED[kind] for kind in as_list(wanted))
        hint = _hint(value, as_list(wanted))
        return [f"{place}: expected {expected}, found {told}{hint}. {about or ''}".rstrip()]
    if error.validator == "uniqueItems":
        twice = next(item for i, item in enumerate(value) if item in value[:i])
        return [f"{place}: {found(twice)} stands twice; keep one."]
    if error.validator in LIMITS:
        finding = f"expected {LIMITS[error.validator].format(wanted)}, found {found(value)}."
    else:
        finding = f"{told} does not fit."
    return [f"{place}: {finding} {about or ''}".rstrip()]


def found(value: object) -> str:
    """A value as a sentence names it; a long text only by its length."""
    if isinstance(value, str):
        return repr(value) if len(value) <= SHOWN else f"a text of {len(value)} characters"
    if value is None or isinstance(value, bool):
        return {None: "nothing", True: "true", False: "false"}[value]
    if isinstance(value, (list, dict)):
        kind = "list" if isinstance(value, list) else "mapping"
        return f"a {kind} of {len(value)}" if value else f"an empty {kind}"
    return str(value)


def _hint(value: object, wanted: Iterable[str]) -> str:
    if isinstance(value, str) and {"number", "integer"} & set(wanted) and is_finite(value):
        return "; write it without quotes, and 1.0e-5 for 1e-5"
    if "string" in wanted and not isinstance(value, (list, dict, type(None))):
        return "; put it in quotes (YAML reads yes, no, on and off as true and false)"
    return ""
