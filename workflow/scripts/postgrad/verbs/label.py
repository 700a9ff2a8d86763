"""label: posts of a pool with the labels that one or two predictors give them."""

import math
from collections.abc import Iterable
from typing import Any

from postgrad.config.errors import ConfigError
from postgrad.graph.equal_predictions import prediction_key, scale_models
from postgrad.graph.nodes import Node
from postgrad.graph.protocol import DATASET, FOLDS, NEW_POSTS, PREDICTOR, Files, NodeVerb
from postgrad.graph.queries import label_names, value_before_limit
from postgrad.graph.split_rules import GOLD
from postgrad.records.names import FOLD, TEACHING


class Label(NodeVerb):
    """Label posts of a pool with one or two predictors."""

    name, section, makes = "label", "datasets", (DATASET, NEW_POSTS)
    names = {"label": None, "budget": NEW_POSTS, "folds": FOLDS, "teachers": PREDICTOR}
    readable = {"label": ("unlabeled",), "fit": GOLD}

    def fit_split(self, graph: Any, body: dict[str, Any]) -> str | None:
        """Return the gold split on which the teachers are audited. Default: the task's dev."""
        alias = body["label"].partition("/")[0]
        has_dev = alias in graph.tasks and "dev" in graph.study.task(graph.tasks[alias])["splits"]
        return body.get("fit", f"{alias}/dev" if has_dev else None)

    def reason_from_values(
        self,
        graph: Any,
        body: dict[str, Any],
        values: dict[str, list[Any]],
        fit: str | None,
        where: str,
    ) -> str | None:
        """Return why a node is not run that needs a dev set to calibrate its teachers, or None.

        Raise `ConfigError` if teachers, budget and share do not suit `keep`.
        """
        lacking = None
        for keep in values.get("keep", []):
            if keep == "agreement" and "budget" in body:
                raise ConfigError(
                    f"{where}.budget: agreement keeps what the teachers agree on; leave the budget "
                    "to its controls."
                )
            if keep == "agreement" and len(body.get("teachers", [])) == 1:
                raise ConfigError(
                    f"{where}.teachers: agreement needs two teachers; name a second one, or keep "
                    "confidence or random."
                )
            numbers = {"budget": body, "share": values} | (
                {"above": values} if keep == "confidence" else {}
            )
            given = [key for key, there in numbers.items() if key in there]
            if keep != "agreement" and len(given) != 1 and (given or graph.is_sound):
                above = ", or a probability under above" if keep == "confidence" else ""
                finding = f"found {' and '.join(given)}; keep one" if given else "found none"
                raise ConfigError(
                    f"{where}: keep {keep} needs a budget, the label node whose counts it keeps "
                    f"to, or a share{above}; {finding}."
                )
            if self.is_fitted(body, {"keep": keep}) and not fit:
                task = graph.tasks[body["label"].partition("/")[0]]
                lacking = f"{task} has no split dev, to calibrate teachers on"
        return lacking

    def is_fitted(self, body: dict[str, Any], options: dict[str, Any]) -> bool:
        """Return whether the posts depend on temperatures that are fitted.

        The answers of a single teacher are ordered by its own probabilities, without a temperature.
        """
        return len(body.get("teachers", [])) > 1 and options.get("keep") in ("confidence", "random")

    def pool_part(
        self,
        graph: Any,
        body: dict[str, Any],
        options: dict[str, Any],
        axes: dict[str, Any],
        bound: dict[str, Any],
    ) -> tuple[int, int] | None:
        """Return the part of the pool from which a random draw for one fold is taken.

        So no two folds share a post.
        """
        if "folds" not in body or options.get("keep") != "random":
            return None
        return axes[FOLD], graph.nodes[bound[body["folds"]][0]].options.get("k", 1)

    def check(self, graph: Any, node: Node, where: str) -> None:
        """Check that the pool suffices for all folds and that the two teachers differ."""
        check_pool_part(graph, node, where)
        if len(node.members) > 1:
            one, other = (graph.nodes[id] for id in node.members)
            if prediction_key(graph, one.id) == prediction_key(graph, other.id):
                raise ConfigError(
                    f"{where}.teachers: {one.name} and {other.name} are the same model "
                    f"({scale_models(graph, one.id)}) trained in the same way at this scale, so "
                    "they agree on everything; give them different bases or seeds."
                )

    def teaching_datasets(self, node: Node) -> list[str]:
        """Return the pool, and the gold posts on which the teachers are audited."""
        return [node.sources[0], *([node.fit] if node.fit else [])]

    def spec(self, graph: Any, node: Node) -> dict[str, Any]:
        """Return the options, the teachers, the fit split, the labels and the part of the pool."""
        part = {"part": node.pool_part} if node.pool_part else {}
        own = {"teachers": node.members, "fit": node.fit, "classes": label_names(graph, node)}
        return super().spec(graph, node) | own | part

    def inputs(self, paths: Any, recipe: str, node: str, file: str, shard: str) -> dict[str, Files]:
        """Return the pool, the teachers' predictions, the gold posts, train, budget and drops."""
        return {
            "gold": paths.fit_posts(recipe, node),
            "pool": {
                pool: paths.posts(recipe, node, pool) for pool in paths.node(recipe, node).sources
            },
            "drop": paths.audit_drops(recipe, node),
            "held_out": paths.held_out_drops(recipe, node),
            "train": paths.train_posts(recipe, node),
            "predictions": paths.member_predictions(recipe, node, TEACHING),
            "budget": paths.budget_posts(recipe, node),
        }

    def labelled(self, graph: Any) -> list[str]:
        """Return the ids of the pseudo-labelled datasets by name, each followed by its controls."""
        nodes = [node for node in graph.nodes.values() if node.verb == self.name]
        return [
            n.id
            for n in sorted(nodes, key=lambda n: (n.budget or n.id, n.budget is not None, n.id))
        ]

    def reported_nodes(self, graph: Any) -> Iterable[str]:
        """Return the ids of the pseudo-labelled datasets and of their teachers."""
        ids = self.labelled(graph)
        return [*ids, *(member for id in ids for member in graph.nodes[id].members)]

    def report_files(self, paths: Any, graph: Any) -> dict[str, Files]:
        """Return the counts of each pseudo-labelled dataset."""
        return {
            "flow": {
                (graph.recipe, id): paths.result(graph.recipe, id, ".json")
                for id in self.labelled(graph)
            }
        }


def check_pool_part(graph: Any, node: Node, where: str) -> None:
    """Raise `ConfigError` if a random draw for each fold needs more posts than the pool has.

    This is known before the run if the draw is a share, or if its budget is a share of the same
    pool. The folds are those of the recipe, also if the study uses fewer of them.
    """
    source, share = share_of_pool(graph, node)
    if not node.pool_part or share is None:
        return
    used = node.pool_part[1]
    k = value_before_limit(graph, graph.raw[node.name][1]["folds"], "k", used)
    if k * share <= 1 + 1e-9:
        return
    folds = f"{k} folds" + (f" ({used} in this study)" if used != k else "")
    most = f"{math.floor(1000 / k) / 1000:g}"
    if source.id == node.id:
        raise ConfigError(
            f"{where}.share: {share:g} of the posts for each of {folds} is more than all of them; "
            f"write {most} at most, or leave folds out."
        )
    raise ConfigError(
        f"{where}.budget: {source.name} keeps {share:g} of the posts, and as many for each of "
        f"{folds} are more than all of them; lower its share to {most} at most, or leave folds out."
    )


def share_of_pool(graph: Any, node: Node) -> tuple[Node, float | None]:
    """Return the node that says which share of the pool a node keeps, and the share.

    It is the node itself, or one below it by way of budgets. The share is None if the number of
    posts is not a share of the answers of the same teachers on the same pool.
    """
    source = node
    while "share" not in source.options and source.budget:
        source = graph.nodes[source.budget]
        if (source.verb, source.sources, source.members) != (node.verb, node.sources, node.members):
            return node, None
    return source, source.options.get("share")


RECORD = Label()
