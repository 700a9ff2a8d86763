"""Options as frozen dataclasses: each is read once from the spec that a script is given."""

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from difflib import get_close_matches
from typing import Any, ClassVar, Protocol, TypeVar, get_args, get_origin, get_type_hints


class Dataclass(Protocol):
    """Any dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


Options = TypeVar("Options", bound=Dataclass)


def read_options(kind: type[Options], spec: Mapping[str, Any], place: str | None = None) -> Options:
    """Return the options of a spec as an instance of `kind`, a frozen dataclass.

    A field named after a reserved word of Python ends in an underscore: the key `lambda` fills the
    field `lambda_`. Where the type of a field is a dataclass, or a list, a dict or a union with
    one, its part of the spec is read likewise.

    Parameters
    ----------
    kind
        A field with a default may be missing in the spec.
    spec
    place
        What an error calls the spec. Default: the spec of its node.

    Raises
    ------
    ValueError
        If the spec lacks a field that has no default, or holds a key that is no field.
    """
    place = place or f"the spec of {spec.get('node', 'this job')}"
    known = {field.name.rstrip("_"): field for field in fields(kind)}
    needed = [
        name
        for name, field in known.items()
        if field.default is MISSING and field.default_factory is MISSING
    ]
    if missing := [name for name in needed if name not in spec]:
        raise ValueError(f"{place} lacks {missing[0]!r}; give each of {', '.join(needed)}.")
    if unknown := [name for name in spec if name not in known]:
        near = get_close_matches(unknown[0], known, 1)
        remedy = (
            f"did you mean {near[0]!r}?"
            if near
            else f"leave it out; it may hold {', '.join(known)}."
        )
        raise ValueError(f"{place} holds the unknown {unknown[0]!r}; {remedy}")
    types = get_type_hints(kind)
    return kind(**{
        known[name].name: _value(types[known[name].name], value, f"{name!r} of {place}") for name, value in spec.items()
    })  # fmt: skip


def _value(hint: Any, value: Any, place: str) -> Any:
    """The value of a field whose type is `hint`, with the dataclasses in it made."""
    if isinstance(hint, type) and is_dataclass(hint) and isinstance(value, Mapping):
        return read_options(hint, value, place)
    origin, parts = get_origin(hint), get_args(hint)
    if origin is list:
        return (
            [_value(parts[0], item, place) for item in value] if isinstance(value, list) else value
        )
    if origin is dict:
        if not isinstance(value, Mapping):
            return value
        return {key: _value(parts[1], item, f"{key!r} of {place}") for key, item in value.items()}
    if parts and value is not None:  # of a union, the part that holds a dataclass decides
        for part in parts:
            value = _value(part, value, place)
    return value
