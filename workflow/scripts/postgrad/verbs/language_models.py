"""Nodes that ask language models.

Which ones at this scale, whether posts may go there, and what they are told.
"""

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

WRITING = ("endpoint", "causal", "stand-in")  # kinds of model that write
COMPUTING = (
    "threads",
    "attention",
    "precision",
)  # of a model in a folder: the scale's options of predict
# How an endpoint is reached decides no answer: no spec holds it.
REACHING = ("url", "key", "timeout", "tries", "limit")


class AskingVerb(NodeVerb):
    """A verb whose nodes ask language models.

    Attributes
    ----------
    asks : str
        The key under which a node names its models.
    fields : tuple of str
        What is filled in where a prompt has it in braces.
    needed_fields : tuple of str
        Those of them that the user's text has to hold.
    """

    asks: str
    fields: tuple[str, ...]
    needed_fields: tuple[str, ...]

    def asked_models(
        self, graph: Any, body: dict[str, Any], where: str
    ) -> tuple[dict[str, str], str | None]:
        """Bases that become one model are asked as one.

        Raises ConfigError for a name that is no base, and for none.
        """
        found: dict[str, str] = {}
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
                elif kind not in WRITING:
                    why = (
                        why
                        or f"{self.name} asks a model that writes; {base} is of kind {kind} at this scale"
                    )
                else:
                    found.setdefault(graph.study.model_of(base), base)
        faults.raise_any()
        return found, why

    def check(self, graph: Any, node: Node, where: str) -> None:
        """Raise ConfigError where posts may not go to the models of a node, or its prompt does not fit."""
        for model, base in node.asked.items():
            posts_leave(graph.study, model, graph.tasks[node.task], f"{where}.{self.asks}")
            described(graph, model, base)
        if prompt := prompt_of(graph, node, where):
            check_prompt(prompt, self, prompt_file(graph, node))

    def spec(self, graph: Any, node: Node) -> dict[str, Any]:
        labels = task_file(graph, node)["labels"]
        return super().spec(graph, node) | {
            "labels": [
                {key: label[key] for key in ("name", "about") if key in label} for label in labels
            ],
            "asked": [described(graph, *pair) for pair in node.asked.items()],
            "prompt": graph.study.prompt(node.options["prompt"], graph.where),
        }


def posts_leave(study: Any, base: str, task: str, where: str) -> None:
    """Raise ConfigError where posts of a task would go to an endpoint without the leave of its data
    agreement or the study.

    base: the model of bases.yaml that a node asks, where: the node's place. An address on this
    machine makes no difference, since it may be a tunnel.
    """
    if study.bases.get(base, {}).get("kind") != "endpoint":
        return
    finding = f"{where}: {base} is an endpoint, and"
    if not study.task(task).get("endpoints", False):
        raise ConfigError(
            f"{finding} no post of {task} goes to one; name another base, or, if the data agreement allows it, write "
            f"endpoints: true in {study.root}/tasks/{task}.yaml."
        )
    if study.endpoints is None:
        raise ConfigError(
            f"{finding} this study sends no posts to one; name another base, or write endpoints: {{requests: 1000, "
            f"tokens: 1000000}}, the most to spend, in {study.where}."
        )


def prompt_of(graph: Any, node: Node, where: str) -> dict[str, str] | None:
    """The prompt of a node, {system, user}.

    None where it is missing or cannot be read, which is told elsewhere.
    """
    name = node.options.get("prompt")
    return graph.study.prompt(name, f"{where}.prompt") if name else None


def prompt_file(graph: Any, node: Node) -> str:
    """The path of a node's prompt."""
    return f"{graph.study.root}/prompts/{node.options['prompt']}.yaml"


def check_prompt(prompt: dict[str, str], record: AskingVerb, file: str | Path) -> None:
    """Raise ConfigError for a field that the verb does not fill in, or that the user's text lacks."""
    for role in ("system", "user"):
        for field in FIELD.findall(prompt[role]):
            if field not in record.fields:
                raise ConfigError(
                    f"{file}: {role}: {record.name} fills in no {{{field}}}; {name_suggestion(field, record.fields)}"
                )
    for field in record.needed_fields:
        if field not in FIELD.findall(prompt["user"]):
            raise ConfigError(
                f"{file}: user: {{{field}}} is missing; write it where the model is to read it."
            )


def described(graph: Any, model: str, base: str) -> dict[str, Any]:
    """All of a model that decides its answers but the weights in its folder: what stands in a
    node's spec.

    Raises ConfigError where a model in a folder lacks an option of predict, by which it computes.
    """
    study = graph.study
    body = {key: value for key, value in study.bases[model].items() if key not in REACHING}
    if body["kind"] != "causal":
        return {"base": model, **body}
    given = {
        **predict_defaults(graph, base),
        **study.scale["bases"].get(base, {}).get("predict", {}),
    }
    if lacks := [key for key in COMPUTING if key not in given]:
        place = f"{study.root}/scales/{study.scale_name}.yaml: bases.{base}.predict"
        raise ConfigError(
            f"{place}: {model} is to write, and needs {', '.join(lacks)}; give it there."
        )
    return {"base": model, "kind": "causal", **{key: given[key] for key in COMPUTING}}


def threads(graph: Any, node: Node) -> int:
    """The most threads of a job that asks these models."""
    return max(described(graph, *pair).get("threads", 1) for pair in node.asked.items())


def reached(study: Any, node: Node) -> dict[str, Any]:
    """How the models of a node are reached and what each may cost; no part of any spec, so nothing
    reruns for it.

    {"answers": the folder of all their answers, "budget": {requests, tokens} or None, "bases":
    {model: its url, ...}}.
    """
    bases = {model: study.bases[model] for model in node.asked}
    means = {
        model: {key: body[key] for key in REACHING if key in body} for model, body in bases.items()
    }
    return {"answers": f"work/{study.name}/answers", "budget": study.endpoints, "bases": means}
