"""fold.

Labelled splits pooled and parted, so that what reads them is made once for each part that is held
out.
"""

from typing import Any

from postgrad.graph.nodes import Node
from postgrad.graph.protocol import DATASET, FOLDS, Files, NodeVerb, Point
from postgrad.graph.queries import label_names
from postgrad.records.names import FOLD


class Fold(NodeVerb):
    name, section, makes = (
        "fold",
        "datasets",
        (DATASET, FOLDS),
    )  # its posts are of train, so they are no new ones
    names = {"fold": None}
    readable = {
        "fold": ("train", "dev")
    }  # what is chosen or scored is then the held-out predictions
    capped = {"k": "folds"}
    learns_labels = holds_sources = True

    def split_points(self, points: list[Point], options: dict[str, Any]) -> list[Point]:
        return [
            ({**axes, FOLD: number}, own, bound)
            for axes, own, bound in points
            for number in range(1, {**options, **own}.get("k", 1) + 1)
        ]

    def spec(self, graph: Any, node: Node) -> dict[str, Any]:
        return super().spec(graph, node) | {
            FOLD: node.axes[FOLD],
            "classes": label_names(graph, node),
        }

    def inputs(self, paths: Any, recipe: str, node: str, file: str, shard: str) -> dict[str, Files]:
        return {
            "data": paths.source_posts(recipe, node),
            "drop": paths.drops(recipe, node),
            "corpus": paths.corpus(recipe, node),
            "groups": paths.duplicate_groups(recipe, node),
        }


RECORD = Fold()
