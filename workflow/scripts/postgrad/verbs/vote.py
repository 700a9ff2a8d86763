"""vote: one prediction from those of several predictors, by majority or by their mean."""

import os
from typing import Any

from postgrad.config.errors import ConfigError, lookup
from postgrad.config.yaml_files import as_list
from postgrad.graph.nodes import Node
from postgrad.graph.protocol import PREDICTOR, Files, NodeVerb
from postgrad.records.names import FOLD, HELD_OUT


class Vote(NodeVerb):
    """Combine the predictions of several predictors."""

    name, section, makes = "vote", "predictors", (PREDICTOR,)
    names = {"vote": PREDICTOR}
    weighing = ("weights",)
    reduces = joins_folds = True

    def reason_from_values(
        self,
        graph: Any,
        body: dict[str, Any],
        values: dict[str, list[Any]],
        fit: str | None,
        where: str,
    ) -> str | None:
        """Return None.

        Raise `ConfigError` if a weight is that of no member, or if a member has none.
        """
        members = as_list(body["vote"])
        for name in body.get("weights", {}):
            lookup(dict.fromkeys(members), name, f"{where}.weights", "member")
        without = [name for name in members if name not in body.get("weights", members)]
        if without and graph.is_sound:
            raise ConfigError(
                f"{where}.weights: {' and '.join(without)} has none; give each member a weight."
            )
        return None

    def spec(self, graph: Any, node: Node) -> dict[str, Any]:
        """Return the options, with a weight for each point of each member in their order."""
        _, body = graph.raw[node.name]
        names = [graph.nodes[id].name for id in node.members]
        weights = (
            {"weights": [body["weights"][name] for name in names]} if "weights" in body else {}
        )
        return super().spec(graph, node) | weights

    def inputs(self, paths: Any, recipe: str, node: str, file: str, shard: str) -> dict[str, Files]:
        """Return the members' predictions, and the posts that the members share among them."""
        return {
            "predictions": paths.member_predictions(recipe, node, file),
            "posts": shared_posts(paths, recipe, node, file),
        }


def shared_posts(paths: Any, recipe: str, node: str, file: str) -> dict[str, str]:
    """Return the posts of each dataset of which every member has predicted only a part.

    These are held-out posts. Of other datasets each member has predicted all posts.
    """
    if FOLD in paths.node(recipe, node).axes:
        return {}
    posts = paths.predicted_posts(recipe, node, file)
    return {
        dataset: path for dataset, path in posts.items() if os.path.basename(dataset) == HELD_OUT
    }


RECORD = Vote()
