"""The option `frozen` of verbs that train."""

from postgrad.config.errors import ConfigError
from postgrad.graph.nodes import Node
from postgrad.records.frozen_parts import layer_range


def check_frozen_layers(node: Node, where: str) -> None:
    """Raise `ConfigError` if a range of layers under `frozen` ends before it begins.

    How many layers the model has is known only when it is loaded.
    """
    for part in node.options.get("frozen", []):
        layers = layer_range(part)
        if layers and layers[0] > layers[1]:
            raise ConfigError(
                f"{where}.frozen: {part!r} holds no layer; write 'layers {layers[1]}-{layers[0]}'."
            )
