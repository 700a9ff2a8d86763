"""diversity: how varied the posts of datasets are.

It is a section of a recipe, in which each task lists the datasets that are measured.
"""

from collections.abc import Iterable
from typing import Any

from postgrad.config.errors import ConfigError, ConfigErrors, lookup
from postgrad.graph import split_rules
from postgrad.graph.protocol import NEW_POSTS, Files, RecipeVerb
from postgrad.graph.scale import kind_at_scale

DEFAULTS = {"sample": 1000, "clusters": 10, "perplexity": 30, "seed": 1}


class Diversity(RecipeVerb):
    """Measure how varied the posts of datasets are."""

    name = "diversity"
    naming = ("sets",)

    def resolve_section(
        self, graph: Any, section: dict[str, Any], faults: ConfigErrors
    ) -> dict[str, dict[str, Any]]:
        """Return the entry of each task with all its options, and with a `reason` if it is not run.

        `model` is the encoder that stands for `embed` at this scale. `sets` is a list of {dataset:
        id of a node}, with a `reason` for a dataset that is not made.
        """
        entries: dict[str, dict[str, Any]] = {}
        for alias, body in sorted(section.items()):
            where = f"{graph.where}: diversity.{alias}"
            with faults.collecting():
                lookup(graph.tasks, alias, f"{graph.where}: diversity", "task")
                lookup(graph.study.bases, body["embed"], f"{where}.embed", "base")
                kind = kind_at_scale(graph.study, body["embed"], f"{where}.embed")
                options = {key: body.get(key, default) for key, default in DEFAULTS.items()}
                model = graph.study.model_of(body["embed"])
                entries[alias] = {"embed": body["embed"], "model": model, "sets": [], **options}
                if kind != "encoder":
                    scale, base = graph.study.scale_name, body["embed"]
                    nothing = f"scale {scale} has no model in the place of {base}"
                    of_kind = f"embeddings need an encoder; {base} is of kind {kind} at this scale"
                    entries[alias]["reason"] = of_kind if kind else nothing
                for name in body["sets"]:
                    with faults.collecting():
                        entries[alias]["sets"] += measured_sets(graph, name, alias, f"{where}.sets")
        return entries

    def named_bases(self, graph: Any) -> set[str]:
        """Return the bases with which posts are embedded."""
        return {body["embed"] for body in graph.of_recipe[self.name].values()}

    def measured(self, graph: Any) -> list[tuple[str, list[str]]]:
        """Return each task with the ids of the datasets that are compared with its train posts."""
        return [
            (alias, [part["dataset"] for part in body["sets"] if "reason" not in part])
            for alias, body in sorted(graph.of_recipe[self.name].items())
            if "reason" not in body
        ]

    def spec(self, graph: Any) -> dict[str, Any]:
        """Return the entry of each task with its labels."""
        tasks = {}
        for alias, body in graph.of_recipe[self.name].items():
            labels = [label["name"] for label in graph.study.task(graph.tasks[alias])["labels"]]
            tasks[alias] = {**body, "labels": labels}
        return {"recipe": graph.recipe, "tasks": tasks}

    def nodes_by_role(self, graph: Any) -> dict[str, list[str]]:
        """Return the measured datasets of each task."""
        return {graph.tasks[alias]: ids for alias, ids in self.measured(graph)}

    def inputs(self, paths: Any, recipe: str, node: str, file: str, shard: str) -> dict[str, Files]:
        """Return for each task its train posts, the posts that are left out and the encoder.

        The datasets that are measured come under `data`.
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
        """Return the ids of the datasets that are measured."""
        return [id for _, ids in self.measured(graph) for id in ids]

    def report_files(self, paths: Any, graph: Any) -> dict[str, Files]:
        """Return the measurements of the recipe, if it asks for any."""
        files = [f"{paths.folder}/{graph.recipe}/diversity/diversity.json"]
        return {"diversity": files if graph.of_recipe[self.name] else []}


def measured_sets(graph: Any, name: str, alias: str, where: str) -> list[dict[str, Any]]:
    """Return the datasets of one name, each with a `reason` if it is not made.

    The list is empty for the train posts, with which every dataset is compared, named or not.
    """
    if "/" in name:
        split_rules.parse_split(graph, name, where)
        if name != f"{alias}/train":
            raise ConfigError(
                f"{where}: {name} is no dataset of {alias}; name {alias}/train, or nodes that make "
                "its posts."
            )
        return []
    if name in graph.broken:
        return []
    verb, _ = lookup(graph.raw, name, where, "node")
    if verb not in graph.verbs.verbs_that_make(NEW_POSTS):
        allowed = " or ".join(graph.verbs.verbs_that_make(NEW_POSTS))
        raise ConfigError(
            f"{where}: {name!r} is made by {verb}, which makes no posts; name a node made by "
            f"{allowed}."
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
