"""calibrate: a predictor whose probabilities are adjusted by what is fitted on gold posts."""

from typing import Any

from postgrad.config.errors import ConfigError
from postgrad.graph.nodes import Node
from postgrad.graph.protocol import FOLDS, PREDICTOR, Files, NodeVerb
from postgrad.graph.queries import label_names, models_under, scoring, task_file
from postgrad.graph.split_rules import GOLD
from postgrad.records.names import FOLD, TEACHING


class Calibrate(NodeVerb):
    """Adjust the probabilities of a predictor by what is fitted on gold posts."""

    name, section, makes = "calibrate", "predictors", (PREDICTOR,)
    names = {"calibrate": PREDICTOR}
    readable = {"fit": GOLD, "target": ("unlabeled",)}
    needs_fit = True

    def check(self, graph: Any, node: Node, where: str) -> None:
        """Check that the method suits the task's labels and metric."""
        names, task = label_names(graph, node), task_file(graph, node)
        method, place = (
            node.options.get("method"),
            f"{graph.study.root}/tasks/{graph.tasks[node.task]}.yaml",
        )
        if not names:  # the task file has an error, which is reported already
            return
        if method == "threshold" and set(task.get("positive", [])) in (set(), set(names)):
            raise ConfigError(
                f"{where}.method: a threshold separates positive from other classes, and {place} "
                "names none."
            )
        if method == "threshold" and task.get("metric") == "auc":
            raise ConfigError(
                f"{where}.method: no threshold changes an AUC, the metric of {place}; choose "
                "temperature."
            )
        if method == "prior" and node.options.get("lambda") == []:
            raise ConfigError(
                f"{where}.lambda: the range is empty; write a `to` that is at least `from`."
            )
        if method == "prior":
            check_target(node, names, place, where)
            check_one_prior(graph, node, where)

    def spec(self, graph: Any, node: Node) -> dict[str, Any]:
        """Return the options, the members, the fit split and how the task is scored."""
        return (
            super().spec(graph, node) | {"of": node.members, "fit": node.fit} | scoring(graph, node)
        )

    def nodes_by_role(self, graph: Any, node: Node) -> dict[str, list[str]]:
        """Return the model whose class prior is removed, if the method is prior."""
        return (
            {"trained": models_under(graph, node.id)[:1]}
            if node.options.get("method") == "prior"
            else {}
        )

    def teaching_datasets(self, node: Node) -> list[str]:
        """Return the posts whose class shares are estimated, if any are."""
        return [node.target] if isinstance(node.target, str) and "/" in node.target else []

    def inputs(self, paths: Any, recipe: str, node: str, file: str, shard: str) -> dict[str, Files]:
        """Return the member's predictions, the gold posts, the pool and the model of the prior."""
        resolved = paths.node(recipe, node)
        return {
            "predictions": paths.member_predictions(recipe, node, file),
            "gold": paths.fit_posts(recipe, node),
            "pool": paths.member_predictions(recipe, node, TEACHING)
            if self.teaching_datasets(resolved)
            else [],
            "model": prior_model(paths, recipe, node),
        }


def prior_model(paths: Any, recipe: str, node: str) -> list[str]:
    """Return the model whose class prior is removed, if the method is prior.

    All models under the node have learnt the same posts, so the first one serves.
    """
    if paths.node(recipe, node).options["method"] != "prior":
        return []
    first, *_ = models_under(paths.study.graph(recipe), node)
    return [paths.result(recipe, first, "/model.json")]


def check_target(node: Node, names: list[str], place: str, where: str) -> None:
    """Raise `ConfigError` if method prior has no target, or shares that do not fit the labels.

    Parameters
    ----------
    node
        The node.
    names
        The labels of its task.
    place
        The task file, for messages.
    where
        The node's place in the recipe, for messages.
    """
    if node.target is None:
        raise ConfigError(
            f"{where}: method prior needs a target; write target: uniform, shares, or a split "
            "without labels."
        )
    if isinstance(node.target, dict):
        if node.target.keys() != set(names):
            raise ConfigError(
                f"{where}.target: give each label of {place} a share: {', '.join(names)}."
            )
        if abs(sum(node.target.values()) - 1) > 1e-9:
            raise ConfigError(
                f"{where}.target: the shares sum to {sum(node.target.values()):g}; make them sum "
                "to 1."
            )


def check_one_prior(graph: Any, node: Node, where: str) -> None:
    """Raise `ConfigError` if the models under a node have learnt different posts."""
    first, *others = [model for id in node.members for model in models_under(graph, id)]
    for other in others:
        if training_sources(graph, other) != training_sources(graph, first):
            raise ConfigError(
                f"{where}.calibrate: {first} and {other} learn from different posts, so there is "
                "no one class prior "
                "to take out; calibrate each by itself, and vote or pick afterwards."
            )


def training_sources(graph: Any, model: str) -> set[Any]:
    """Return the splits and datasets from which a model learns, whichever fold it leaves out.

    Folds are stratified, so all folds of a dataset have the same class shares.
    """
    sources, folding = graph.nodes[model].sources, graph.verbs.verbs_that_make(FOLDS)
    folded = [
        source
        for source in sources
        if source in graph.nodes and graph.nodes[source].verb in folding
    ]
    splits = {split for source in folded for split in graph.nodes[source].sources}
    return splits | {
        _name_without_fold(graph, source) for source in sources if source not in folded
    }


def _name_without_fold(graph: Any, source: str) -> Any:
    """Return a split, or the name of a dataset and its axes without the fold."""
    if source not in graph.nodes:
        return source
    axes = graph.nodes[source].axes
    return graph.nodes[source].name, *(
        (key, value) for key, value in sorted(axes.items()) if key != FOLD
    )


RECORD = Calibrate()
