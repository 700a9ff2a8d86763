"""predict.

The predictions of a fine-tuned model; no key of a recipe, since each such model predicts.
"""

from typing import Any

from postgrad.graph.nodes import Node
from postgrad.graph.protocol import Files, Verb
from postgrad.graph.queries import label_texts


class Predict(Verb):
    name = "predict"
    expensive = True

    def spec(self, graph: Any, node: Node, datasets: list[str]) -> dict[str, Any]:
        """All that decides the predictions of these datasets beside the model, their posts and the
        code.
        """
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
        return {
            "model": paths.result(recipe, node, "/model.json"),
            "data": paths.predicted_posts(recipe, node, file),
            "shards": paths.shards(recipe, node, file, shard),
        }


RECORD = Predict()
