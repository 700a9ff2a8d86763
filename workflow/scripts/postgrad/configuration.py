"""Configuration files as mappings; a wrong name, key or value becomes one sentence with its place and remedy."""

from difflib import get_close_matches
from functools import cache
from pathlib import Path

import jsonschema
import yaml

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"


class Fault(ValueError):
    """A mistake in a configuration file: which file, which key, what to do."""


def nearest(word, known):
    """The remedy for an unknown name: the nearest known one, or all of them."""
    known = sorted(map(str, known))
    close = get_close_matches(str(word), known, 1)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known) or 'none'}."


def lookup(table, name, where, what):
    """table[name], or a Fault that names the place and the nearest right name."""
    if name not in table:
        raise Fault(f"{where}: there is no {what} {name!r}; {nearest(name, table)}")
    return table[name]


def read_yaml(path):
    """One YAML file as a mapping.

    Raises Fault where it is missing, is not YAML or holds no mapping.
    """
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        names = [file.stem for file in Path(path).parent.glob("*.yaml")]
        raise Fault(f"{path}: there is no such file; {nearest(Path(path).stem, names)}") from None
    except yaml.YAMLError as error:
        line = error.problem_mark.line + 1 if getattr(error, "problem_mark", None) else "?"
        raise Fault(f"{path}, line {line}: this is not YAML ({getattr(error, 'problem', 'unreadable')}).") from None
    if not isinstance(content, dict):
        raise Fault(f"{path}: expected a mapping of keys to values.")
    return content


def as_list(value):
    return list(value) if isinstance(value, (list, tuple)) else [value]


@cache
def validator(name):
    return jsonschema.Draft202012Validator(yaml.safe_load((SCHEMAS / f"{name}.yaml").read_text(encoding="utf-8")))


def sentence(error, where):
    """One fault that jsonschema found, as file, key path, what was expected and the remedy."""
    place = f"{where}: {'.'.join(map(str, error.absolute_path))}".removesuffix(": ")
    if error.validator == "additionalProperties":
        known = error.schema.get("properties", {})
        unknown = sorted(set(map(str, error.instance)) - set(known))
        return f"{place}: there is no key {unknown[0]!r}; {nearest(unknown[0], known)}"
    if error.validator == "required":
        missing = [key for key in error.validator_value if key not in error.instance]
        return f"{place}: the key {missing[0]!r} is missing; add it."
    if error.validator == "enum":
        return f"{place}: {nearest(error.instance, error.validator_value)}"
    if error.validator == "type":
        found = type(error.instance).__name__
        hint = " (write 1.0e-5, not 1e-5)" if found == "str" and error.validator_value in ("number", "integer") else ""
        return f"{place}: expected {error.validator_value}, found {found}{hint}."
    return f"{place}: does not fit its description: {error.schema.get('description', error.validator)}"


def validate(content, name, where):
    """Raise Fault, one sentence a line, where `content` does not fit workflow/schemas/<name>.yaml."""
    errors = sorted(validator(name).iter_errors(content), key=lambda error: list(map(str, error.absolute_path)))
    if errors:
        raise Fault("\n".join(sentence(error, where) for error in errors))
