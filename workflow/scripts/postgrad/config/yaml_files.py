"""Read a YAML file as a mapping.

A value that YAML would read as something other than what is written is refused.
"""

import math
import re
from pathlib import Path
from typing import Any

import yaml

from postgrad.config.errors import ConfigError, name_suggestion

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
TAG = "tag:yaml.org,2002:"
MAX_VALUES = 20_000  # of one file, aliases written out: the largest file here has 600


def as_list(value: Any) -> list[Any]:
    """Return a list or tuple as a list, and any other value as a list of that one value.

    Examples
    --------
    >>> as_list("a"), as_list(("a", "b"))
    (['a'], ['a', 'b'])
    """
    return list(value) if isinstance(value, (list, tuple)) else [value]


def read_yaml(path: Path | str) -> dict[str, Any]:
    """Read a YAML file as a mapping.

    Raises
    ------
    ConfigError
        If the file is missing, is not UTF-8 or YAML, or does not contain a mapping. Also if it
        contains what YAML 1.1 would silently read as something else: a key that is given twice,
        `on` as a key, 010 or 1:30 as a number.
    """
    path = Path(path)
    try:
        loader = LOADER(path.read_text(encoding="utf-8"))
        tree = loader.get_single_node()
        _check_nodes(tree, str(path))
        content = loader.construct_document(tree) if tree else None
    except FileNotFoundError:
        names = [file.stem for file in path.parent.glob("*.yaml")]
        raise ConfigError(
            f"{path}: there is no such file; {name_suggestion(path.stem, names)}"
        ) from None
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise ConfigError(
            f"{path}, line {line}: this is not UTF-8; save the file as UTF-8."
        ) from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}).") from None
    except (yaml.YAMLError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        mark = getattr(error, "problem_mark", None)
        place = mark.line + 1 if mark else "?"
        raise ConfigError(
            f"{path}, line {place}: this is not YAML ({getattr(error, 'problem', 'unreadable')})."
        ) from None
    if not isinstance(content, dict):
        raise ConfigError(
            f"{path}: expected a mapping of keys to values; "
            f"{'the file is empty' if tree is None else 'correct it'}."
        )
    return content


def _check_nodes(tree: yaml.Node | None, where: str) -> None:
    """Raise `ConfigError` for the first value that is misread, in a tree of YAML nodes.

    Aliases are followed.
    """
    todo: list[tuple[yaml.Node | None, tuple[yaml.Node, ...]]] = [(tree, ())]
    seen = 0
    while todo:
        node, above = todo.pop()
        seen += 1
        if node is None:
            continue
        place = f"{where}, line {node.start_mark.line + 1}"
        if any(node is other for other in above) or seen > MAX_VALUES:
            raise ConfigError(
                f"{place}: an alias (*) holds itself, or too much; write its values out."
            )
        if isinstance(node, yaml.ScalarNode):
            _check_scalar(node, place)
        elif isinstance(node, yaml.SequenceNode):
            todo += [(item, (*above, node)) for item in reversed(node.value)]
        else:
            _check_keys(node, where)
            todo += [(value, (*above, node)) for _, value in reversed(node.value)]


def _check_keys(node: yaml.Node, where: str) -> None:
    """Raise `ConfigError` if a key of a mapping is given twice or is not read as text."""
    keys = set()
    for key, _ in node.value:
        place, word = f"{where}, line {key.start_mark.line + 1}", key.value
        if key.tag == f"{TAG}merge":
            continue
        if key.tag != f"{TAG}str":
            kind = key.tag.removeprefix(TAG)
            raise ConfigError(
                f"{place}: the key {word if isinstance(word, str) else ''} is read as {kind}; "
                "put it in quotes."
            )
        if word in keys:
            raise ConfigError(
                f"{place}: the key {word!r} occurs twice, and the first would be lost; keep one."
            )
        keys.add(word)


def _check_scalar(node: yaml.ScalarNode, place: str) -> None:
    """Raise `ConfigError` for a number that YAML reads as another one or that is not finite."""
    if node.tag == f"{TAG}int" and re.fullmatch(r"[-+]?0[0-7_]+|[^x]*:.*", node.value):
        raise ConfigError(
            f"{place}: YAML reads {node.value} as another number; "
            "write it without 0 or colons, or in quotes."
        )
    if node.tag == f"{TAG}float" and not is_finite_number(node.value):
        raise ConfigError(
            f"{place}: {node.value} is no number that a setting can have; write a finite one."
        )


def is_finite_number(text: str) -> bool:
    """Return whether a text is a finite number.

    Examples
    --------
    >>> is_finite_number("1_000.5"), is_finite_number(".inf")
    (True, False)
    """
    try:
        return math.isfinite(float(text.replace("_", "")))
    except ValueError:  # .nan, .inf, 1:30.5
        return False
