"""The option `classes` of verbs that make posts of some labels only."""

from typing import Any

from postgrad.config.errors import lookup
from postgrad.graph.nodes import Node
from postgrad.graph.queries import label_names


def check_classes(graph: Any, node: Node, where: str) -> None:
    """Raise `ConfigError` if `classes` names something that is no label of the task."""
    names = label_names(graph, node)
    for label in node.options.get("classes", []) if names else []:
        lookup(dict.fromkeys(names), label, f"{where}.classes", "label")


def class_codes(graph: Any, node: Node) -> dict[str, list[int]]:
    """Return the codes of the labels under `classes` for the spec, or nothing if none are named."""
    if "classes" not in node.options:
        return {}
    names = label_names(graph, node)
    return {"classes": [names.index(name) for name in node.options["classes"]]}
