"""pretrain: a model whose pretraining is continued on posts without labels."""

from typing import Any

from postgrad.graph.nodes import Node
from postgrad.graph.protocol import DATASET, Files, NodeVerb
from postgrad.verbs.frozen_layers import check_frozen_layers


class Pretrain(NodeVerb):
    """Continue the pretraining of a model on posts without labels."""

    name, section = "pretrain", "models"
    names = {"data": DATASET}
    readable = {"data": ("train", "unlabeled")}
    expensive = True

    def reason_not_to_run(
        self, graph: Any, body: dict[str, Any], kind: str | None, root: str | None
    ) -> str | None:
        """Return why the node is not run if its model is linear."""
        return (
            f"pretraining needs a network; {root} is a linear model at this scale"
            if kind == "linear"
            else None
        )

    def check(self, graph: Any, node: Node, where: str) -> None:
        """Check the frozen layers."""
        check_frozen_layers(node, where)

    def inputs(self, paths: Any, recipe: str, node: str, file: str, shard: str) -> dict[str, Files]:
        """Return the model to begin with, the posts, and the lists of posts that are left out."""
        return {
            "base": paths.base_model(recipe, node),
            "data": paths.posts_by_task(recipe, node),
            "drop": paths.drops_by_task(recipe, node),
        }


RECORD = Pretrain()
