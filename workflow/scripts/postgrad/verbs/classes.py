"""The option `classes` of verbs that make posts of some labels alone."""

from typing import Any

from postgrad.config.errors import lookup
from postgrad.graph.nodes import Node
from postgrad.graph.queries import label_names


def check_classes(graph: Any, node: Node, where: str) -> None:
    """Raise ConfigError where `classes` names what is no label of the task."""
    names = label_names(graph, node)
    for label in (
        node.options.get("classes", []) if names else []
    ):  # none where the task's file is broken
        lookup(dict.fromkeys(names), label, f"{where}.classes", "label")


def class_codes(graph: Any, node: Node) -> dict[str, list[int]]:
    """What a spec says of `classes`.

    The codes of these labels; nothing where the node does not name any.
    """
    if "classes" not in node.options:
        return {}
    names = label_names(graph, node)
    return {"classes": [names.index(name) for name in node.options["classes"]]}
