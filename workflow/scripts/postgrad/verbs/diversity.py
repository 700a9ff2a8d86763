"""diversity.

How varied the posts of datasets are. A section of a recipe: task -> the datasets that are measured.
"""

from collections.abc import Iterable
from typing import Any

from postgrad.config.errors import ConfigError, ConfigErrors, lookup
from postgrad.graph import split_rules
from postgrad.graph.protocol import NEW_POSTS, Files, RecipeVerb
from postgrad.graph.scale import kind_at_scale

SILENT = {
    "sample": 1000,
    "clusters": 10,
    "perplexity": 30,
    "seed": 1,
}  # where a recipe does not say


class Diversity(RecipeVerb):
    name = "diversity"
    naming = ("sets",)

    def resolve(
        self, graph: Any, section: dict[str, Any], faults: ConfigErrors
    ) -> dict[str, dict[str, Any]]:
        """Task -> {embed, model, sets, sample, clusters, perplexity, seed}, with a `reason` where
        it is not run.

        sets: [{dataset: id of a node}], with a `reason` where that is not run. model: the encoder
        in the place of `embed`.
        """
        found: dict[str, dict[str, Any]] = {}
        for alias, body in sorted(section.items()):
            where = f"{graph.where}: diversity.{alias}"
            with faults.collecting():
                lookup(graph.tasks, alias, f"{graph.where}: diversity", "task")
                lookup(graph.study.bases, body["embed"], f"{where}.embed", "base")
                kind = kind_at_scale(graph.study, body["embed"], f"{where}.embed")
                options = {key: body.get(key, silent) for key, silent in SILENT.items()}
                model = graph.study.model_of(body["embed"])
                found[alias] = {"embed": body["embed"], "model": model, "sets": [], **options}
                if kind != "encoder":
                    scale, base = graph.study.scale_name, body["embed"]
                    nothing = f"scale {scale} has no model in the place of {base}"
                    of_kind = f"embeddings need an encoder; {base} is of kind {kind} at this scale"
                    found[alias]["reason"] = of_kind if kind else nothing
                for name in body["sets"]:
                    with faults.collecting():
                        found[alias]["sets"] += measured_sets(graph, name, alias, f"{where}.sets")
        return found

    def bases(self, graph: Any) -> set[str]:
        return {body["embed"] for body in graph.of_recipe[self.name].values()}

    def measured(self, graph: Any) -> list[tuple[str, list[str]]]:
        """(task, ids of the datasets that are measured beside its train posts), task by task."""
        return [
            (alias, [part["dataset"] for part in body["sets"] if "reason" not in part])
            for alias, body in sorted(graph.of_recipe[self.name].items())
            if "reason" not in body
        ]

    def spec(self, graph: Any) -> dict[str, Any]:
        tasks = {}
        for alias, body in graph.of_recipe[self.name].items():
            labels = [label["name"] for label in graph.study.task(graph.tasks[alias])["labels"]]
            tasks[alias] = {**body, "labels": labels}
        return {"recipe": graph.recipe, "tasks": tasks}

    def reads(self, graph: Any) -> dict[str, list[str]]:
        return {graph.tasks[alias]: ids for alias, ids in self.measured(graph)}

    def inputs(self, paths: Any, recipe: str, node: str, file: str, shard: str) -> dict[str, Files]:
        """Of each task its train posts, the list of those that audit leaves out and the encoder.

        And the datasets.
        """
        graph = paths.study.graph(recipe)
        measured, bodies = self.measured(graph), graph.of_recipe[self.name]
        return {
            "train": {alias: paths.clean(graph.tasks[alias], "train") for alias, _ in measured},
            "drop": {alias: paths.drop(graph.tasks[alias]) for alias, _ in measured},
            "base": {alias: paths.base(bodies[alias]["model"]) for alias, _ in measured},
            "data": {id: paths.result(recipe, id, ".parquet") for _, ids in measured for id in ids},
        }

    def reported_nodes(self, graph: Any) -> Iterable[str]:
        return [id for _, ids in self.measured(graph) for id in ids]

    def report_files(self, paths: Any, graph: Any) -> dict[str, Files]:
        found = [f"{paths.folder}/{graph.recipe}/diversity/diversity.json"]
        return {"diversity": found if graph.of_recipe[self.name] else []}


def measured_sets(graph: Any, name: str, alias: str, where: str) -> list[dict[str, Any]]:
    """The datasets of a name.

    None for the train posts, which all are held against, named or not.
    """
    if "/" in name:
        split_rules.split_of(graph, name, where)
        if name != f"{alias}/train":
            raise ConfigError(
                f"{where}: {name} is no dataset of {alias}; name {alias}/train, or nodes that make its posts."
            )
        return []
    if name in graph.broken:
        return []
    verb, _ = lookup(graph.raw, name, where, "node")
    if verb not in graph.verbs.making(NEW_POSTS):
        allowed = " or ".join(graph.verbs.making(NEW_POSTS))
        raise ConfigError(
            f"{where}: {name!r} is made by {verb}, which makes no posts; name a node made by {allowed}."
        )
    for id in graph.ids[name][:1]:
        if graph.nodes[id].task != alias:
            raise ConfigError(
                f"{where}: {name!r} holds posts of {graph.nodes[id].task}, not {alias}."
            )
    if name in graph.not_run:
        return [{"dataset": name, "reason": f"not run: {graph.not_run[name]}"}]
    return [{"dataset": id} for id in graph.ids[name]]


RECORD = Diversity()
