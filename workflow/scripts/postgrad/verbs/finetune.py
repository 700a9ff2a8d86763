"""finetune: a model that learns labels and therefore predicts."""

from typing import Any

from postgrad.config.errors import ConfigError
from postgrad.graph.nodes import Node
from postgrad.graph.options import option_schemas
from postgrad.graph.protocol import DATASET, PREDICTOR, Files, NodeVerb
from postgrad.graph.queries import label_names, label_texts, scoring
from postgrad.verbs.frozen_layers import check_frozen_layers

# A node with another value needs a model of a kind that reads the option.
DEFAULT_VALUES = {
    "answers": "words",
    "loss": "cross-entropy",
    "head": "linear",
    "pooling": "pooler",
    "drw": None,
    "epoch": "last",
}


class Finetune(NodeVerb):
    """Fine-tune a model on labelled posts."""

    name, section, makes = "finetune", "models", (PREDICTOR,)
    names = {"data": DATASET}
    readable = {"data": ("train",)}
    expensive = learns_labels = True

    def reason_not_to_run(
        self, graph: Any, body: dict[str, Any], kind: str | None, root: str | None
    ) -> str | None:
        """Return why the node is not run if its kind of model does not read one of its options."""
        for key, default in DEFAULT_VALUES.items():
            if body.get(key, default) != default and key not in option_schemas(self.name, kind):
                kinds = " or ".join(option_schemas(self.name)[key]["kinds"])
                return (
                    f"{key} {body[key]} needs a model of kind {kinds}; "
                    f"{root} is of kind {kind} at this scale"
                )
        return None

    def check(self, graph: Any, node: Node, where: str) -> None:
        """Check the frozen layers, the weights of the classes and the lengths of n-grams."""
        check_frozen_layers(node, where)
        if node.options.get("drw") is not None:
            share, epochs = node.options["drw"], node.options["epochs"]
            if share * epochs < 1:
                raise ConfigError(
                    f"{where}.drw: {share:g} of {epochs:g} epochs is before the second, so "
                    "nothing is deferred; train for more epochs, or leave it out."
                )
            if node.options["class_weights"] != "none":
                raise ConfigError(
                    f"{where}.drw: it sets the weights of the classes itself; write class_weights: "
                    "none beside it."
                )
        if isinstance(weights := node.options.get("class_weights"), dict):
            names = label_names(graph, node)
            if names and graph.is_sound and weights.keys() != set(names):
                task = graph.tasks[node.task]
                raise ConfigError(
                    f"{where}.class_weights: give each label of {task} a weight: "
                    f"{', '.join(names)}."
                )
        fewest, most = node.options.get("ngrams", (1, 1))
        if fewest > most:
            raise ConfigError(
                f"{where}.ngrams: {[fewest, most]} holds no length of a term; write the smaller "
                "first."
            )

    def spec(self, graph: Any, node: Node) -> dict[str, Any]:
        """Return the options and the labels, and how dev is scored if the best epoch is chosen."""
        spec = super().spec(graph, node) | label_texts(graph, node)
        if node.options.get("epoch") == "best":
            spec |= {key: scoring(graph, node)[key] for key in ("metric", "positive")}
        if isinstance(weights := spec.get("class_weights"), dict):
            spec["class_weights"] = [weights[name] for name in label_names(graph, node)]
        return spec

    def inputs(self, paths: Any, recipe: str, node: str, file: str, shard: str) -> dict[str, Files]:
        """Return the model to begin with, the posts, the posts that are left out, and dev."""
        return {
            "base": paths.base_model(recipe, node),
            "data": paths.source_posts(recipe, node),
            "drop": paths.drops(recipe, node),
            "dev": paths.epoch_posts(recipe, node),
        }


RECORD = Finetune()
