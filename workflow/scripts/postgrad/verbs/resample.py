"""resample: one training set from several datasets, with as many posts of each class."""

from itertools import combinations
from typing import Any

from postgrad.config.errors import ConfigError
from postgrad.graph.nodes import Node
from postgrad.graph.protocol import DATASET, NEW_POSTS, Files, NodeVerb
from postgrad.graph.split_rules import contained_sources


class Resample(NodeVerb):
    """Make one training set from several datasets, with as many posts of each class."""

    name, section, makes = "resample", "datasets", (DATASET, NEW_POSTS)
    names = {"resample": DATASET, "budget": NEW_POSTS}
    readable = {"resample": ("train",)}
    learns_labels = varies_posts = holds_sources = stands_alone = True

    def check(self, graph: Any, node: Node, where: str) -> None:
        """Check that the size is given once, and that no two sources hold the same posts."""
        if node.budget and "to" in node.options:
            raise ConfigError(
                f"{where}: to and budget both say how many posts there are; leave one out."
            )
        if not node.budget and "to" not in node.options and graph.is_sound:
            raise ConfigError(
                f"{where}: resample needs to, the size of each class, or a budget, a dataset of "
                "that size."
            )
        names = {id: graph.nodes[id].name if id in graph.nodes else id for id in node.sources}
        for one, other in combinations(node.sources, 2):
            for shared in sorted(contained_sources(graph, one) & contained_sources(graph, other)):
                raise ConfigError(
                    f"{where}.resample: {names[one]} and {names[other]} both hold the posts of "
                    f"{shared}; name one."
                )

    def inputs(self, paths: Any, recipe: str, node: str, file: str, shard: str) -> dict[str, Files]:
        """Return the labelled posts, the lists of posts that are left out, and the budget."""
        return {
            "data": paths.source_posts(recipe, node),
            "drop": paths.drops(recipe, node),
            "budget": paths.budget_posts(recipe, node),
        }


RECORD = Resample()
