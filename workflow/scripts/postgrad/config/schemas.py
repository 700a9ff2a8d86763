"""Checks of configuration files against their JSON schemas in workflow/schemas."""

from collections.abc import Iterable, Sequence
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

from postgrad.config.errors import ConfigError, ConfigErrors, name_suggestion
from postgrad.config.yaml_files import as_list, is_finite_number, read_yaml

SCHEMAS = Path(__file__).resolve().parents[3] / "schemas"
MAX_SHOWN_CHARACTERS = (
    40  # the longest text that a sentence repeats: a prompt or a post is never among them
)
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
def read_schema(name: str) -> dict[str, Any]:
    """Return the content of workflow/schemas/<name>.yaml."""
    return read_yaml(SCHEMAS / f"{name}.yaml")


def without_required_keys(schema: Any) -> Any:
    """Return a schema without its `required` keys, at any depth.

    It is the schema of a file that gives only a part of the whole, such as a study that extends
    another.

    Examples
    --------
    >>> without_required_keys({"type": "object", "required": ["lr"]})
    {'type': 'object'}
    """
    if isinstance(schema, list):
        return [without_required_keys(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {
        key: value
        for key, value in schema.items()
        if key != "required" or not isinstance(value, list)
    }
    return {key: without_required_keys(value) for key, value in kept.items()}


def valid_part(
    content: Any,
    schema: dict[str, Any],
    where: str,
    faults: ConfigErrors,
    path: Sequence[str | int] = (),
) -> Any:
    """Return the part of `content` that fits its schema.

    Parameters
    ----------
    content
        The content of a file or of a part of it. It is not changed.
    schema
        The JSON schema.
    where
        The file, for the messages.
    faults
        Gets a message for each value that does not fit.
    path
        The keys above `content` in the file.

    Returns
    -------
    object
        `content` without what does not fit; None if the rest does not fit either. A list is removed
        as a whole if one of its values does not fit.
    """
    validator = VALIDATOR(schema)
    errors = sorted(
        validator.iter_errors(content), key=lambda error: list(map(str, error.absolute_path))
    )
    if not errors:
        return content
    content = deepcopy(content)
    for error in errors:
        with faults.collecting():
            raise ConfigError(*misfit_messages(error, where, path))
        keys = list(error.absolute_path)
        unknown = (
            set(error.instance) - set(error.schema.get("properties", {}))
            if _is_unknown_key(error)
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


def _is_unknown_key(error: jsonschema.ValidationError) -> bool:
    """Return whether the error is about keys that the schema does not have."""
    return error.validator == "additionalProperties"


def misfit_messages(
    error: jsonschema.ValidationError, where: str, path: Sequence[str | int] = ()
) -> list[str]:
    """Return messages for one error of jsonschema: file, key path, what was found, and the remedy.

    Parameters
    ----------
    error
        An error that the validator found.
    where
        The file.
    path
        The keys above the validated content.
    """
    path = ".".join(map(str, [*path, *error.absolute_path]))
    place, value, wanted = (
        f"{where}: {path}" if path else where,
        error.instance,
        error.validator_value,
    )
    about = error.schema.get("description")
    description = (
        "what stands there" if error.schema.get("writeOnly") else describe_value(value)
    )  # a key by mistake, say
    if _is_unknown_key(error):
        known = error.schema.get("properties", {})
        return [
            f"{place}: there is no key {key!r}; {name_suggestion(key, known)}"
            for key in sorted(set(value) - set(known))
        ]
    if error.validator == "required":
        return [
            f"{place}: the key {key!r} is missing; add it." for key in wanted if key not in value
        ]
    if error.validator == "enum":
        return [
            f"{place}: {describe_value(value)} is not among its values; "
            f"{name_suggestion(value, wanted)}"
        ]
    if error.validator == "type":
        expected = " or ".join(EXPECTED[kind] for kind in as_list(wanted))
        hint = _hint(value, as_list(wanted))
        return [f"{place}: expected {expected}, found {description}{hint}. {about or ''}".rstrip()]
    if error.validator == "uniqueItems":
        repeated = next(item for i, item in enumerate(value) if item in value[:i])
        return [f"{place}: {describe_value(repeated)} occurs twice; keep one."]
    if error.validator in LIMITS:
        finding = (
            f"expected {LIMITS[error.validator].format(wanted)}, found {describe_value(value)}."
        )
    elif "examples" in error.schema:
        finding = f"{description} does not fit; {name_suggestion(value, error.schema['examples'])}"
    else:
        finding = f"{description} does not fit."
    return [f"{place}: {finding} {about or ''}".rstrip()]


def describe_value(value: object) -> str:
    """Return a value as a message shows it; a long text is described by its length only.

    Examples
    --------
    >>> describe_value("macro_f1"), describe_value([1, 2]), describe_value(True)
    ("'macro_f1'", 'a list of 2', 'true')
    """
    if isinstance(value, str):
        return (
            repr(value)
            if len(value) <= MAX_SHOWN_CHARACTERS
            else f"a text of {len(value)} characters"
        )
    if value is None or isinstance(value, bool):
        return {None: "nothing", True: "true", False: "false"}[value]
    if isinstance(value, (list, dict)):
        kind = "list" if isinstance(value, list) else "mapping"
        return f"a {kind} of {len(value)}" if value else f"an empty {kind}"
    return str(value)


def _hint(value: object, wanted: Iterable[str]) -> str:
    """Return how to write a value that YAML read as another type; "" if there is no advice."""
    if isinstance(value, str) and {"number", "integer"} & set(wanted) and is_finite_number(value):
        return "; write it without quotes, and 1.0e-5 for 1e-5"
    if "string" in wanted and not isinstance(value, (list, dict, type(None))):
        return "; put it in quotes (YAML reads yes, no, on and off as true and false)"
    return ""
