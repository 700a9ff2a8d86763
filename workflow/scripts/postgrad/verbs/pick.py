"""pick: the best of several predictors on gold posts."""

from typing import Any

from postgrad.graph.nodes import Node
from postgrad.graph.protocol import PREDICTOR, Files, NodeVerb
from postgrad.graph.queries import scoring
from postgrad.graph.split_rules import GOLD


class Pick(NodeVerb):
    """Choose the best of several predictors on gold posts."""

    name, section, makes = "pick", "predictors", (PREDICTOR,)
    names = {"pick": PREDICTOR}
    readable = {"fit": GOLD}
    reduces = needs_fit = True

    def spec(self, graph: Any, node: Node) -> dict[str, Any]:
        """Return the options, the members, the fit split and how the task is scored."""
        return (
            super().spec(graph, node) | {"of": node.members, "fit": node.fit} | scoring(graph, node)
        )

    def inputs(self, paths: Any, recipe: str, node: str, file: str, shard: str) -> dict[str, Files]:
        """Return the members' predictions and the gold posts."""
        return {
            "predictions": paths.member_predictions(recipe, node, file),
            "gold": paths.fit_posts(recipe, node),
        }


RECORD = Pick()
