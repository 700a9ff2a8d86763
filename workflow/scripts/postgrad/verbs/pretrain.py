"""pretrain: a model that goes on reading posts without labels."""

from typing import Any

from postgrad.graph.protocol import DATASET, Files, NodeVerb


class Pretrain(NodeVerb):
    name, section = "pretrain", "models"
    names = {"data": DATASET}
    readable = {"data": ("train", "unlabeled")}
    expensive = True

    def reason_not_to_run(
        self, graph: Any, body: dict[str, Any], kind: str | None, root: str | None
    ) -> str | None:
        return (
            f"pretraining needs a network; {root} is a linear model at this scale"
            if kind == "linear"
            else None
        )

    def inputs(self, paths: Any, recipe: str, node: str, file: str, shard: str) -> dict[str, Files]:
        return {
            "base": paths.base_model(recipe, node),
            "data": paths.source_posts(recipe, node),
            "drop": paths.drops(recipe, node),
        }


RECORD = Pretrain()
