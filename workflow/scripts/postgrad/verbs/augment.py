"""augment: new posts made from labelled ones."""

from typing import Any

from postgrad.config.errors import ConfigError
from postgrad.graph.nodes import Node
from postgrad.graph.protocol import DATASET, NEW_POSTS, Files, NodeVerb
from postgrad.verbs.classes import check_classes, class_codes


class Augment(NodeVerb):
    """Make new posts from labelled ones."""

    name, section, makes = "augment", "datasets", (DATASET, NEW_POSTS)
    names = {"augment": DATASET, "budget": NEW_POSTS}
    readable = {"augment": ("train",)}
    labels = {"classes": ()}
    learns_labels = varies_posts = True

    def check(self, graph: Any, node: Node, where: str) -> None:
        """Check that the node says how many posts to make, and of which labels."""
        if not (node.options.get("copies") or node.options.get("fill") or node.budget):
            raise ConfigError(
                f"{where}: nothing to make; set copies to a number from 1, fill: largest, or a "
                "budget."
            )
        if node.budget and "fill" in node.options:
            raise ConfigError(
                f"{where}: fill and budget both say how many posts there are; leave one out."
            )
        check_classes(graph, node, where)

    def spec(self, graph: Any, node: Node) -> dict[str, Any]:
        """Return the options, with the codes of `classes`."""
        return super().spec(graph, node) | class_codes(graph, node)

    def inputs(self, paths: Any, recipe: str, node: str, file: str, shard: str) -> dict[str, Files]:
        """Return the labelled posts, the lists of posts that are left out, and the budget."""
        return {
            "data": paths.source_posts(recipe, node),
            "drop": paths.drops(recipe, node),
            "budget": paths.budget_posts(recipe, node),
        }


RECORD = Augment()
