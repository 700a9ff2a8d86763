"""resample: one training set of several datasets, in which each class has as many posts."""

from itertools import combinations
from typing import Any

from postgrad.config.errors import ConfigError
from postgrad.graph.nodes import Node
from postgrad.graph.protocol import DATASET, NEW_POSTS, Files, NodeVerb
from postgrad.graph.split_rules import posts_in


class Resample(NodeVerb):
    name, section, makes = "resample", "datasets", (DATASET, NEW_POSTS)
    names = {"resample": DATASET, "budget": NEW_POSTS}
    readable = {"resample": ("train",)}
    learns_labels = varies_posts = holds_sources = stands_alone = True

    def check(self, graph: Any, node: Node, where: str) -> None:
        if node.budget and "to" in node.options:
            raise ConfigError(
                f"{where}: to and budget both say how many posts there are; leave one out."
            )
        if not node.budget and "to" not in node.options and graph.sound:
            raise ConfigError(
                f"{where}: resample needs to, the size of each class, or a budget, a dataset of that size."
            )
        names = {id: graph.nodes[id].name if id in graph.nodes else id for id in node.sources}
        for one, other in combinations(node.sources, 2):
            for twice in sorted(posts_in(graph, one) & posts_in(graph, other)):
                raise ConfigError(
                    f"{where}.resample: {names[one]} and {names[other]} both hold the posts of {twice}; name one."
                )

    def inputs(self, paths: Any, recipe: str, node: str, file: str, shard: str) -> dict[str, Files]:
        return {
            "data": paths.source_posts(recipe, node),
            "drop": paths.drops(recipe, node),
            "budget": paths.budget_posts(recipe, node),
        }


RECORD = Resample()
