"""Nodes that ask language models: which models, whether posts may go there, and the prompt."""

from pathlib import Path
from typing import Any

from postgrad.config.errors import ConfigError, ConfigErrors, lookup, name_suggestion
from postgrad.config.yaml_files import as_list
from postgrad.graph.nodes import Node
from postgrad.graph.options import predict_defaults
from postgrad.graph.protocol import NodeVerb
from postgrad.graph.queries import task_file
from postgrad.graph.scale import kind_at_scale
from postgrad.llm.templates import FIELD

WRITING_KINDS = ("endpoint", "causal", "stand-in")  # kinds of model that write text
# Options of predict, from the scale, by which a model in a folder computes.
COMPUTING_OPTIONS = ("threads", "attention", "precision")
# How an endpoint is reached does not change its answers, so no spec has these keys.
ACCESS_KEYS = ("url", "key", "timeout", "tries", "limit")


class AskingVerb(NodeVerb):
    """A verb whose nodes ask language models.

    Attributes
    ----------
    asks : str
        The key under which a node names its models.
    fields : tuple of str
        The fields that are filled in where a prompt has them in braces.
    needed_fields : tuple of str
        The fields that the user's text must have.
    """

    asks: str
    fields: tuple[str, ...]
    needed_fields: tuple[str, ...]

    def asked_models(
        self, graph: Any, body: dict[str, Any], where: str
    ) -> tuple[dict[str, str], str | None]:
        """Return the models that a node asks, and why the node is not run, or None.

        Bases for which one model stands are asked once. Raise `ConfigError` if a name is no base,
        or if there is none.
        """
        models: dict[str, str] = {}
        faults, why = ConfigErrors(), None
        if self.asks not in body:
            raise ConfigError(
                f"{where}: {self.name} asks a language model; name a base under {self.asks}."
            )
        for base in as_list(body[self.asks]):
            with faults.collecting():
                lookup(graph.study.bases, base, f"{where}.{self.asks}", "base")
                kind = kind_at_scale(graph.study, base, f"{where}.{self.asks}")
                if kind is None:
                    why = (
                        why or f"scale {graph.study.scale_name} has no model in the place of {base}"
                    )
                elif kind not in WRITING_KINDS:
                    why = (
                        why
                        or f"{self.name} asks a model that writes; {base} is of kind {kind} "
                        "at this scale"
                    )
                else:
                    models.setdefault(graph.study.model_of(base), base)
        faults.raise_any()
        return models, why

    def check(self, graph: Any, node: Node, where: str) -> None:
        """Raise `ConfigError` if posts may not go to a node's models or its prompt does not fit."""
        for model, base in node.asked.items():
            check_posts_may_leave(
                graph.study, model, graph.tasks[node.task], f"{where}.{self.asks}"
            )
            model_description(graph, model, base)
        if prompt := read_prompt(graph, node, where):
            check_prompt(prompt, self, prompt_file(graph, node))

    def spec(self, graph: Any, node: Node) -> dict[str, Any]:
        """Return the options, the labels, what identifies each model, and the prompt."""
        labels = task_file(graph, node)["labels"]
        return super().spec(graph, node) | {
            "labels": [
                {key: label[key] for key in ("name", "about") if key in label} for label in labels
            ],
            "asked": [model_description(graph, *pair) for pair in node.asked.items()],
            "prompt": graph.study.prompt(node.options["prompt"], graph.where),
        }


def check_posts_may_leave(study: Any, base: str, task: str, where: str) -> None:
    """Raise `ConfigError` if posts of a task would go to an endpoint without permission.

    Both the task file, for the data agreement, and the study have to allow it. An address on this
    machine makes no difference, because it may be a tunnel.

    Parameters
    ----------
    study
        The study.
    base
        The model of bases.yaml that a node asks.
    task
        The task.
    where
        The node's place in the recipe, for the message.
    """
    if study.bases.get(base, {}).get("kind") != "endpoint":
        return
    finding = f"{where}: {base} is an endpoint, and"
    if not study.task(task).get("endpoints", False):
        raise ConfigError(
            f"{finding} no post of {task} goes to one; name another base, or, if the data "
            f"agreement allows it, write endpoints: true in {study.root}/tasks/{task}.yaml."
        )
    if study.endpoints is None:
        raise ConfigError(
            f"{finding} this study sends no posts to one; name another base, or write endpoints: "
            f"{{requests: 1000, tokens: 1000000}}, the most to spend, in {study.where}."
        )


def read_prompt(graph: Any, node: Node, where: str) -> dict[str, str] | None:
    """Return the system and the user text of a node's prompt.

    Return None if it is missing or cannot be read, which is reported elsewhere.
    """
    name = node.options.get("prompt")
    return graph.study.prompt(name, f"{where}.prompt") if name else None


def prompt_file(graph: Any, node: Node) -> str:
    """Return the path of a node's prompt."""
    return f"{graph.study.root}/prompts/{node.options['prompt']}.yaml"


def check_prompt(prompt: dict[str, str], record: AskingVerb, file: str | Path) -> None:
    """Raise `ConfigError` if a prompt has an unknown field, or lacks one that it needs."""
    for role in ("system", "user"):
        for field in FIELD.findall(prompt[role]):
            if field not in record.fields:
                raise ConfigError(
                    f"{file}: {role}: {record.name} fills in no {{{field}}}; "
                    f"{name_suggestion(field, record.fields)}"
                )
    for field in record.needed_fields:
        if field not in FIELD.findall(prompt["user"]):
            raise ConfigError(
                f"{file}: user: {{{field}}} is missing; write it where the model is to read it."
            )


def model_description(graph: Any, model: str, base: str) -> dict[str, Any]:
    """Return all of a model that decides its answers, except the weights in its folder.

    This is part of a node's spec. Raise `ConfigError` if a model in a folder lacks an option of
    predict that it needs to compute.
    """
    study = graph.study
    body = {key: value for key, value in study.bases[model].items() if key not in ACCESS_KEYS}
    if body["kind"] != "causal":
        return {"base": model, **body}
    options = {
        **predict_defaults(graph, base),
        **study.scale["bases"].get(base, {}).get("predict", {}),
    }
    if lacks := [key for key in COMPUTING_OPTIONS if key not in options]:
        place = f"{study.root}/scales/{study.scale_name}.yaml: bases.{base}.predict"
        raise ConfigError(
            f"{place}: {model} is to write, and needs {', '.join(lacks)}; give it there."
        )
    return {"base": model, "kind": "causal", **{key: options[key] for key in COMPUTING_OPTIONS}}


def thread_count(graph: Any, node: Node) -> int:
    """Return the largest number of threads that one of a node's models uses."""
    return max(model_description(graph, *pair).get("threads", 1) for pair in node.asked.items())


def endpoint_access(study: Any, node: Node) -> dict[str, Any]:
    """Return how the models of a node are reached and what they may cost.

    This is no part of any spec, so nothing is run again when it changes.

    Returns
    -------
    dict
        `answers` is the folder of all their answers, `budget` the limits of requests and tokens or
        None, and `bases` has the address and the limits of each model.
    """
    bases = {model: study.bases[model] for model in node.asked}
    means = {
        model: {key: body[key] for key in ACCESS_KEYS if key in body}
        for model, body in bases.items()
    }
    return {"answers": f"work/{study.name}/answers", "budget": study.endpoints, "bases": means}
