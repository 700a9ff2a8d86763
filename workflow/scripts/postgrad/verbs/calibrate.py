"""calibrate: a predictor's probabilities changed by what is fitted on gold posts."""

from typing import Any

from postgrad.config.errors import ConfigError
from postgrad.graph.nodes import Node
from postgrad.graph.protocol import FOLDS, PREDICTOR, Files, NodeVerb
from postgrad.graph.queries import label_names, models_under, scoring, task_file
from postgrad.graph.split_rules import GOLD
from postgrad.records.names import FOLD, TEACHING


class Calibrate(NodeVerb):
    name, section, makes = "calibrate", "predictors", (PREDICTOR,)
    names = {"calibrate": PREDICTOR}
    readable = {"fit": GOLD, "target": ("unlabeled",)}
    needs_fit = True

    def check(self, graph: Any, node: Node, where: str) -> None:
        names, task = label_names(graph, node), task_file(graph, node)
        method, place = (
            node.options.get("method"),
            f"{graph.study.root}/tasks/{graph.tasks[node.task]}.yaml",
        )
        if not names:  # the task's file is broken, which is told already
            return
        if method == "threshold" and set(task.get("positive", [])) in (set(), set(names)):
            raise ConfigError(
                f"{where}.method: a threshold parts positive classes from others, and {place} names none."
            )
        if method == "threshold" and task.get("metric") == "auc":
            raise ConfigError(
                f"{where}.method: no threshold changes an AUC, the metric of {place}; choose temperature."
            )
        if method == "prior" and node.options.get("lambda") == []:
            raise ConfigError(
                f"{where}.lambda: the range is empty; write a `to` that is at least `from`."
            )
        if method == "prior":
            check_target(node, names, place, where)
            check_one_prior(graph, node, where)

    def spec(self, graph: Any, node: Node) -> dict[str, Any]:
        return (
            super().spec(graph, node) | {"of": node.members, "fit": node.fit} | scoring(graph, node)
        )

    def reads(self, graph: Any, node: Node) -> dict[str, list[str]]:
        return (
            {"trained": models_under(graph, node.id)[:1]}
            if node.options.get("method") == "prior"
            else {}
        )

    def learns_from(self, node: Node) -> list[str]:
        """The posts whose class shares are estimated, if any are."""
        return [node.target] if isinstance(node.target, str) and "/" in node.target else []

    def inputs(self, paths: Any, recipe: str, node: str, file: str, shard: str) -> dict[str, Files]:
        made = paths.node(recipe, node)
        return {
            "predictions": paths.member_predictions(recipe, node, file),
            "gold": paths.fit_posts(recipe, node),
            "pool": paths.member_predictions(recipe, node, TEACHING)
            if self.learns_from(made)
            else [],
            "model": prior_model(paths, recipe, node),
        }


def prior_model(paths: Any, recipe: str, node: str) -> list[str]:
    """The model whose class prior is taken out, if one is.

    All under the node learnt from the same posts.
    """
    if paths.node(recipe, node).options["method"] != "prior":
        return []
    first, *_ = models_under(paths.study.graph(recipe), node)
    return [paths.result(recipe, first, "/model.json")]


def check_target(node: Node, names: list[str], place: str, where: str) -> None:
    """Raise ConfigError where method prior has no target, or shares that are not one for each label.

    place: the task file.
    """
    if node.target is None:
        raise ConfigError(
            f"{where}: method prior needs a target; write target: uniform, shares, or a split without labels."
        )
    if isinstance(node.target, dict):
        if node.target.keys() != set(names):
            raise ConfigError(
                f"{where}.target: give each label of {place} a share: {', '.join(names)}."
            )
        if abs(sum(node.target.values()) - 1) > 1e-9:
            raise ConfigError(
                f"{where}.target: the shares sum to {sum(node.target.values()):g}; make them sum to 1."
            )


def check_one_prior(graph: Any, node: Node, where: str) -> None:
    """Raise ConfigError where the models under a node learnt from different posts."""
    first, *others = [model for id in node.members for model in models_under(graph, id)]
    for other in others:
        if learnt_from(graph, other) != learnt_from(graph, first):
            raise ConfigError(
                f"{where}.calibrate: {first} and {other} learn from different posts, so there is no one class prior "
                "to take out; calibrate each by itself, and vote or pick behind that."
            )


def learnt_from(graph: Any, model: str) -> set[Any]:
    """What a model learns from, whichever fold it leaves out.

    Folds are stratified, so their class shares agree.
    """
    sources, folding = graph.nodes[model].sources, graph.verbs.making(FOLDS)
    folded = [
        source
        for source in sources
        if source in graph.nodes and graph.nodes[source].verb in folding
    ]
    splits = {split for source in folded for split in graph.nodes[source].sources}
    return splits | {_beside_folds(graph, source) for source in sources if source not in folded}


def _beside_folds(graph: Any, source: str) -> Any:
    """A split, or the name of a dataset node and its axes but for the fold."""
    if source not in graph.nodes:
        return source
    axes = graph.nodes[source].axes
    return graph.nodes[source].name, *(
        (key, value) for key, value in sorted(axes.items()) if key != FOLD
    )


RECORD = Calibrate()
