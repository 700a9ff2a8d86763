"""predict: the predictions of a fine-tuned model.

It is no key of a recipe, because every fine-tuned model predicts.
"""

from typing import Any

from postgrad.graph.nodes import Node
from postgrad.graph.protocol import Files, Verb
from postgrad.graph.queries import label_texts


class Predict(Verb):
    """Predict with a fine-tuned model."""

    name = "predict"
    expensive = True

    def spec(self, graph: Any, node: Node, datasets: list[str]) -> dict[str, Any]:
        """Return all that decides the predictions beside the model, the posts and the code."""
        spec = graph.study.predict_options(graph, node)
        pool = spec.pop("pool", None)
        if any(dataset.endswith("/unlabeled") for dataset in datasets):
            spec["pool"] = pool
        return {
            "node": node.id,
            "kind": node.kind,
            "datasets": datasets,
            **spec,
            **label_texts(graph, node),
        }

    def inputs(self, paths: Any, recipe: str, node: str, file: str, shard: str) -> dict[str, Files]:
        """Return the model, the posts of each dataset, and the shards to be joined."""
        return {
            "model": paths.result(recipe, node, "/model.json"),
            "data": paths.predicted_posts(recipe, node, file),
            "shards": paths.shards(recipe, node, file, shard),
        }


RECORD = Predict()
