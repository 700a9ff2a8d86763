"""Read the options of a script from its spec into frozen dataclasses."""

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from difflib import get_close_matches
from typing import Any, ClassVar, Protocol, TypeVar, get_args, get_origin, get_type_hints


class Dataclass(Protocol):
    """The type of any dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


Options = TypeVar("Options", bound=Dataclass)


def read_options(kind: type[Options], spec: Mapping[str, Any], place: str | None = None) -> Options:
    """Return the options of a spec as an instance of `kind`, a frozen dataclass.

    The name of a field that would be a reserved word of Python ends in an underscore: the key
    `lambda` sets the field `lambda_`. If the type of a field is a dataclass, or a list, a dict or a
    union that contains one, its part of the spec is read in the same way.

    Parameters
    ----------
    kind
        The dataclass. Its fields that have a default may be missing in the spec.
    spec
        The values, by the names of the fields.
    place
        What an error calls the spec. Default: the spec of its node.

    Raises
    ------
    ValueError
        If the spec lacks a field that has no default, or has a key that is not a field.
    """
    place = place or f"the spec of {spec.get('node', 'this job')}"
    known_fields = {field.name.rstrip("_"): field for field in fields(kind)}
    required = [
        name
        for name, field in known_fields.items()
        if field.default is MISSING and field.default_factory is MISSING
    ]
    if missing := [name for name in required if name not in spec]:
        raise ValueError(f"{place} lacks {missing[0]!r}; give each of {', '.join(required)}.")
    if unknown := [name for name in spec if name not in known_fields]:
        nearest = get_close_matches(unknown[0], known_fields, 1)
        remedy = (
            f"did you mean {nearest[0]!r}?"
            if nearest
            else f"remove it; the valid keys are {', '.join(known_fields)}."
        )
        raise ValueError(f"{place} has the unknown key {unknown[0]!r}; {remedy}")
    types = get_type_hints(kind)
    values = {}
    for key, value in spec.items():
        name = known_fields[key].name
        values[name] = _field_value(types[name], value, f"{key!r} of {place}")
    return kind(**values)


def _field_value(hint: Any, value: Any, place: str) -> Any:
    """Return the value of a field of type `hint`, with mappings turned into its dataclasses."""
    if isinstance(hint, type) and is_dataclass(hint) and isinstance(value, Mapping):
        return read_options(hint, value, place)
    origin, parts = get_origin(hint), get_args(hint)
    if origin is list:
        if not isinstance(value, list):
            return value
        return [_field_value(parts[0], item, place) for item in value]
    if origin is dict:
        if not isinstance(value, Mapping):
            return value
        return {
            key: _field_value(parts[1], item, f"{key!r} of {place}") for key, item in value.items()
        }
    if parts and value is not None:  # Of a union, the part that is a dataclass decides.
        for part in parts:
            value = _field_value(part, value, place)
    return value
