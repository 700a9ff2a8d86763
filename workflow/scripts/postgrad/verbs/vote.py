"""vote: one prediction of several predictors', by majority or by their mean."""

import os
from typing import Any

from postgrad.graph.protocol import PREDICTOR, Files, NodeVerb
from postgrad.records.names import FOLD, HELD_OUT


class Vote(NodeVerb):
    name, section, makes = "vote", "predictors", (PREDICTOR,)
    names = {"vote": PREDICTOR}
    reduces = joins_folds = True

    def inputs(self, paths: Any, recipe: str, node: str, dataset: str, shard: str) -> dict[str, Files]:
        return {
            "predictions": paths.member_predictions(recipe, node, dataset),
            "posts": shared_posts(paths, recipe, node, dataset),
        }


def shared_posts(paths: Any, recipe: str, node: str, dataset: str) -> list[str]:
    """The held-out posts that the members share among them; nothing where every member predicts all posts."""
    shared = os.path.basename(dataset) == HELD_OUT and FOLD not in paths.node(recipe, node).axes
    return [paths.posts(recipe, node, dataset)] if shared else []


RECORD = Vote()
