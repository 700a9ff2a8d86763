"""synthesize: posts that language models write after examples from train."""

from collections.abc import Iterable
from typing import Any

from postgrad.config.errors import ConfigError
from postgrad.graph.nodes import Node
from postgrad.graph.protocol import DATASET, NEW_POSTS, Files
from postgrad.graph.queries import task_file
from postgrad.llm.templates import FIELD
from postgrad.verbs.classes import check_classes, class_codes
from postgrad.verbs.language_models import AskingVerb, prompt_file, read_prompt


class Synthesize(AskingVerb):
    """Have language models write posts after examples from train."""

    name, section, makes = "synthesize", "datasets", (DATASET, NEW_POSTS)
    names = {"synthesize": None}
    readable = {"synthesize": ("train",)}
    labels = {"classes": ()}
    expensive = learns_labels = True
    asks = "writers"
    fields = ("posts", "number", "label", "about", "labels", "own", "other", "attributes")
    needed_fields = ("number",)

    def check(self, graph: Any, node: Node, where: str) -> None:
        """Check the labels, the number of calls, the models and the prompt."""
        check_classes(graph, node, where)
        check_writing(graph, node, where)
        super().check(graph, node, where)
        prompt = read_prompt(graph, node, where)
        if (
            node.options.get("attributes")
            and prompt
            and "attributes" not in FIELD.findall(prompt["user"])
        ):
            file = prompt_file(graph, node)
            raise ConfigError(
                f"{where}.attributes: {file} shows none; write {{attributes}} there, or name "
                "another prompt."
            )

    def spec(self, graph: Any, node: Node) -> dict[str, Any]:
        """Return the options, the models, the prompt, the codes of `classes` and the platform."""
        platform = {"platform": task_file(graph, node)["platform"]}
        return super().spec(graph, node) | class_codes(graph, node) | platform

    def inputs(self, paths: Any, recipe: str, node: str, file: str, shard: str) -> dict[str, Files]:
        """Return the examples, the lists of posts that are left out, the corpus and the models.

        The corpus is read so that no post is written that copies one of it, or one of another task
        on which a model that stands on this task is scored. The pool is not part of it, because no
        label of it is learnt.
        """
        corpus = paths.corpus(recipe, node) | paths.beside(paths.node_task(recipe, node))
        corpus.pop("unlabeled")
        return {
            "data": paths.source_posts(recipe, node),
            "drop": paths.drops(recipe, node),
            "corpus": corpus,
            "models": paths.asked_models(recipe, node),
        }

    def reported_nodes(self, graph: Any) -> Iterable[str]:
        """Return the ids of the datasets of written posts."""
        return sorted(node.id for node in graph.nodes.values() if node.verb == self.name)

    def report_files(self, paths: Any, graph: Any) -> dict[str, Files]:
        """Return the counts of each dataset of written posts."""
        ids = self.reported_nodes(graph)
        return {
            "written": {(graph.recipe, id): paths.result(graph.recipe, id, ".json") for id in ids}
        }


def check_writing(graph: Any, node: Node, where: str) -> None:
    """Raise `ConfigError` if a node cannot get its posts, or if they lack what its task needs."""
    name, options, task = graph.tasks[node.task], node.options, task_file(graph, node)
    parts = [task["splits"].get("train") or {}, task.get("divide", {})]
    if any("keyword" in part.get("columns", {}) for part in parts):
        raise ConfigError(
            f"{where}: the posts of {name} have a keyword each, and a written post has none; "
            "choose another task."
        )
    given = {"calls", "per_call", "count"} <= options.keys()
    calls, posts, count = (options[key] if given else 0 for key in ("calls", "per_call", "count"))
    if calls * posts * len(node.asked) < count:
        raise ConfigError(
            f"{where}.calls: {calls} calls of {posts} posts to each of {len(node.asked)} writers "
            f"cannot give {count}; write more calls, or a smaller count."
        )
    local = [model for model in node.asked if graph.study.bases[model]["kind"] == "causal"]
    if local and options.get("temperature"):
        raise ConfigError(
            f"{where}.temperature: {local[0]} is a model in a folder, which always writes the most "
            "probable word; write temperature: 0, or name an endpoint."
        )


RECORD = Synthesize()
