"""fold: labelled splits that are pooled and divided into folds.

A node that reads such a dataset is made once for each fold that is held out.
"""

from typing import Any

from postgrad.graph.nodes import Node
from postgrad.graph.protocol import DATASET, FOLDS, Files, NodeVerb, Point
from postgrad.graph.queries import label_names
from postgrad.records.names import FOLD


class Fold(NodeVerb):
    """Pool labelled splits and divide them into folds."""

    # Its posts are those of train, so they are no new ones.
    name, section, makes = "fold", "datasets", (DATASET, FOLDS)
    names = {"fold": None}
    # Predictors are then chosen and scored on the held-out predictions.
    readable = {"fold": ("train", "dev")}
    capped = {"k": "folds"}
    learns_labels = holds_sources = True

    def split_points(self, points: list[Point], options: dict[str, Any]) -> list[Point]:
        """Return each point once for every fold."""
        return [
            ({**axes, FOLD: number}, own, bound)
            for axes, own, bound in points
            for number in range(1, {**options, **own}.get("k", 1) + 1)
        ]

    def spec(self, graph: Any, node: Node) -> dict[str, Any]:
        """Return the options, the fold and the labels."""
        return super().spec(graph, node) | {
            FOLD: node.axes[FOLD],
            "classes": label_names(graph, node),
        }

    def inputs(self, paths: Any, recipe: str, node: str, file: str, shard: str) -> dict[str, Files]:
        """Return the labelled posts, the posts that are left out, the corpus and its duplicates."""
        return {
            "data": paths.source_posts(recipe, node),
            "drop": paths.drops(recipe, node),
            "corpus": paths.corpus(recipe, node),
            "groups": paths.duplicate_groups(recipe, node),
        }


RECORD = Fold()
