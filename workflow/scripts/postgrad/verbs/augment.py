"""augment: new posts made from labelled ones."""

from collections.abc import Iterable
from typing import Any

from postgrad.config.errors import ConfigError
from postgrad.graph.nodes import Node
from postgrad.graph.protocol import DATASET, NEW_POSTS, Files, NodeVerb
from postgrad.graph.queries import task_file
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
        """Return the options, with the codes of `classes`, and what happens to near-copies."""
        policy = task_file(graph, node).get("near_duplicates", "drop")
        return super().spec(graph, node) | class_codes(graph, node) | {"near_duplicates": policy}

    def inputs(self, paths: Any, recipe: str, node: str, file: str, shard: str) -> dict[str, Files]:
        """Return the labelled posts, the posts that are left out, the budget and scored posts."""
        return {
            "data": paths.source_posts(recipe, node),
            "drop": paths.drops(recipe, node),
            "budget": paths.budget_posts(recipe, node),
            "scored": paths.scored_splits(recipe, node),
        }

    def reported_nodes(self, graph: Any) -> Iterable[str]:
        """Return the ids of the datasets of new posts."""
        return sorted(node.id for node in graph.nodes.values() if node.verb == self.name)

    def report_files(self, paths: Any, graph: Any) -> dict[str, Files]:
        """Return the counts of each dataset of new posts."""
        ids = self.reported_nodes(graph)
        return {
            "augmented": {(graph.recipe, id): paths.result(graph.recipe, id, ".json") for id in ids}
        }


RECORD = Augment()
