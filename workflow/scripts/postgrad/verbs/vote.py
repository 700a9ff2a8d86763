"""vote: one prediction of several predictors', by majority or by their mean."""

import os
from typing import Any

from postgrad.config.errors import ConfigError, lookup
from postgrad.config.yaml_files import as_list
from postgrad.graph.nodes import Node
from postgrad.graph.protocol import PREDICTOR, Files, NodeVerb
from postgrad.records.names import FOLD, HELD_OUT


class Vote(NodeVerb):
    name, section, makes = "vote", "predictors", (PREDICTOR,)
    names = {"vote": PREDICTOR}
    weighing = ("weights",)
    reduces = joins_folds = True

    def reason_of_values(
        self,
        graph: Any,
        body: dict[str, Any],
        values: dict[str, list[Any]],
        fit: str | None,
        where: str,
    ) -> str | None:
        """None. Raises ConfigError if a weight is of no member, or if a member has none."""
        members = as_list(body["vote"])
        for name in body.get("weights", {}):
            lookup(dict.fromkeys(members), name, f"{where}.weights", "member")
        without = [name for name in members if name not in body.get("weights", members)]
        if without and graph.sound:
            raise ConfigError(
                f"{where}.weights: {' and '.join(without)} has none; give each member a weight."
            )
        return None

    def spec(self, graph: Any, node: Node) -> dict[str, Any]:
        """With the weights in the order of the members, each as often as the member is made."""
        _, body = graph.raw[node.name]
        names = [graph.nodes[id].name for id in node.members]
        weights = (
            {"weights": [body["weights"][name] for name in names]} if "weights" in body else {}
        )
        return super().spec(graph, node) | weights

    def inputs(self, paths: Any, recipe: str, node: str, file: str, shard: str) -> dict[str, Files]:
        return {
            "predictions": paths.member_predictions(recipe, node, file),
            "posts": shared_posts(paths, recipe, node, file),
        }


def shared_posts(paths: Any, recipe: str, node: str, file: str) -> dict[str, str]:
    """Return the posts of each dataset that the members share among them: held-out posts.

    Of other datasets each member has all posts.
    """
    if FOLD in paths.node(recipe, node).axes:
        return {}
    posts = paths.predicted_posts(recipe, node, file)
    return {
        dataset: path for dataset, path in posts.items() if os.path.basename(dataset) == HELD_OUT
    }


RECORD = Vote()
