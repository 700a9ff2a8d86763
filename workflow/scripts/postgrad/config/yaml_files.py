"""Reading a YAML file as a mapping.

A value that YAML would read as something else than is written is refused.
"""

import math
import re
from pathlib import Path
from typing import Any

import yaml

from postgrad.config.errors import Fault, nearest

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
TAG = "tag:yaml.org,2002:"
MOST_VALUES = 20_000  # of one file, aliases written out: the largest file here has 600


def as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def read_yaml(path: Path | str) -> dict[str, Any]:
    """One YAML file as a mapping.

    Raises Fault where it is missing, is not YAML or holds no mapping, and for what YAML 1.1 would
    read without a word as something else: a key that stands twice, `on` as a key, 010 and 1:30 as
    numbers.
    """
    path = Path(path)
    try:
        loader = LOADER(path.read_text(encoding="utf-8"))
        tree = loader.get_single_node()
        _check_tree(tree, str(path))
        content = loader.construct_document(tree) if tree else None
    except FileNotFoundError:
        names = [file.stem for file in path.parent.glob("*.yaml")]
        raise Fault(f"{path}: there is no such file; {nearest(path.stem, names)}") from None
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise Fault(f"{path}, line {line}: this is not UTF-8; save the file as UTF-8.") from None
    except OSError as error:
        raise Fault(f"{path}: cannot be read ({error.strerror}).") from None
    except (yaml.YAMLError, ValueError) as error:
        if isinstance(error, Fault):
            raise
        mark = getattr(error, "problem_mark", None)
        place = mark.line + 1 if mark else "?"
        raise Fault(
            f"{path}, line {place}: this is not YAML ({getattr(error, 'problem', 'unreadable')})."
        ) from None
    if not isinstance(content, dict):
        raise Fault(
            f"{path}: expected a mapping of keys to values; {'the file is empty' if tree is None else 'mend it'}."
        )
    return content


def _check_tree(tree: yaml.Node | None, where: str) -> None:
    """Nothing; Fault for the first trap in a tree of YAML nodes: aliases are followed."""
    todo: list[tuple[yaml.Node | None, tuple[yaml.Node, ...]]] = [(tree, ())]
    seen = 0
    while todo:
        node, above = todo.pop()
        seen += 1
        if node is None:
            continue
        place = f"{where}, line {node.start_mark.line + 1}"
        if any(node is other for other in above) or seen > MOST_VALUES:
            raise Fault(f"{place}: an alias (*) holds itself, or too much; write its values out.")
        if isinstance(node, yaml.ScalarNode):
            _check_scalar(node, place)
        elif isinstance(node, yaml.SequenceNode):
            todo += [(item, (*above, node)) for item in reversed(node.value)]
        else:
            _check_keys(node, where)
            todo += [(value, (*above, node)) for _, value in reversed(node.value)]


def _check_keys(node: yaml.Node, where: str) -> None:
    keys = set()
    for key, _ in node.value:
        place, word = f"{where}, line {key.start_mark.line + 1}", key.value
        if key.tag == f"{TAG}merge":
            continue
        if key.tag != f"{TAG}str":
            kind = key.tag.removeprefix(TAG)
            raise Fault(
                f"{place}: the key {word if isinstance(word, str) else ''} is read as {kind}; put it in quotes."
            )
        if word in keys:
            raise Fault(
                f"{place}: the key {word!r} stands twice, and the first would be lost; keep one."
            )
        keys.add(word)


def _check_scalar(node: yaml.ScalarNode, place: str) -> None:
    if node.tag == f"{TAG}int" and re.fullmatch(r"[-+]?0[0-7_]+|[^x]*:.*", node.value):
        raise Fault(
            f"{place}: YAML reads {node.value} as another number; write it without 0 or colons, or in quotes."
        )
    if node.tag == f"{TAG}float" and not is_finite(node.value):
        raise Fault(
            f"{place}: {node.value} is no number that a setting can have; write a finite one."
        )


def is_finite(text: str) -> bool:
    try:
        return math.isfinite(float(text.replace("_", "")))
    except ValueError:  # .nan, .inf, 1:30.5
        return False
