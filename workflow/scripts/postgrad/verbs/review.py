"""review: predictions of one label checked by a language model."""

from collections.abc import Iterable
from typing import Any

from postgrad.config.errors import ConfigError, lookup
from postgrad.graph.nodes import Node
from postgrad.graph.protocol import PREDICTOR, Files
from postgrad.graph.queries import label_names, predictors_behind_scores, scoring
from postgrad.graph.split_rules import GOLD, gold_to_fit_on
from postgrad.llm.templates import FIELD
from postgrad.records.names import HELD_OUT, SCORED
from postgrad.verbs.language_models import AskingVerb, prompt_file, prompt_of

ALWAYS = "always"  # the gate of a review that checks every prediction of its label
PROPOSED = "proposed"  # the label that the model names in the place of the one it rejects


class Review(AskingVerb):
    name, section, makes = "review", "predictors", (PREDICTOR,)
    names = {"review": PREDICTOR}
    readable = {"fit": GOLD}
    labels = {"check": (), "otherwise": (PROPOSED,)}
    expensive = learns_labels = True
    asks = "reviewer"
    fields = ("text", "label", "about", "labels", "examples")
    needed_fields = ("text",)

    def read_at(
        self, task: str | None, options: dict[str, Any], sources: list[str], fit: str | None
    ) -> tuple[list[str], str | None]:
        """(the split from which examples are drawn, the one on which the gate is fitted)."""
        return [f"{task}/train"] if options.get("shots") else [], None if options.get(
            "gate"
        ) == ALWAYS else fit

    def reason_not_held_out(self, node: Node) -> str | None:
        if not node.sources:
            return None
        return (
            "shows its model posts of train as examples, held-out ones among them; write shots: 0"
        )

    def check(self, graph: Any, node: Node, where: str) -> None:
        super().check(graph, node, where)
        if {"check", "otherwise", "gate", "shots"} <= node.options.keys():
            check_gate_and_examples(graph, node, where)

    def spec(self, graph: Any, node: Node) -> dict[str, Any]:
        spec = super().spec(graph, node) | {"of": node.members, "fit": node.fit}
        spec |= {key: scoring(graph, node)[key] for key in ("metric", "positive")}
        if not node.fit:  # no gate, no test
            spec.pop("alpha", None)
        return spec

    def inputs(self, paths: Any, recipe: str, node: str, file: str, shard: str) -> dict[str, Files]:
        return {
            "train": paths.source_posts(recipe, node),
            "drop": paths.audit_drops(recipe, node),
            "gold": paths.fit_posts(recipe, node),
            "predictions": paths.member_predictions(recipe, node, file),
            "data": paths.predicted_posts(recipe, node, file),
            "models": paths.asked_models(recipe, node),
        }

    def reported_nodes(self, graph: Any) -> Iterable[str]:
        """Ids of the reviews behind the scores, in reading order."""
        return [node.id for node in predictors_behind_scores(graph) if node.verb == self.name]

    def report_files(self, paths: Any, graph: Any) -> dict[str, Files]:
        ids = self.reported_nodes(graph)
        return {
            "review": {
                (graph.recipe, id): paths.result(graph.recipe, id, f"/{SCORED}.fit.json")
                for id in ids
            }
        }


def check_gate_and_examples(graph: Any, node: Node, where: str) -> None:
    """Raise ConfigError where labels, gate and examples do not fit the task, its posts and the prompt."""
    names = label_names(graph, node)
    for key, others in RECORD.labels.items() if names else ():
        lookup(dict.fromkeys([*names, *others]), node.options[key], f"{where}.{key}", "label")
    if node.options["gate"] != ALWAYS:
        if not node.fit:
            gold = gold_to_fit_on(graph, node.members)
            raise ConfigError(
                f"{where}: a gate is fitted on gold posts; name {gold} under fit, or write gate: always."
            )
        if "alpha" not in node.options:
            raise ConfigError(
                f"{where}: a gate opens where a paired test shows a gain; write alpha: 0.05, or gate: always."
            )
    prompt = prompt_of(graph, node, where)
    if (
        node.options["shots"]
        and prompt
        and "examples" not in FIELD.findall(prompt["system"] + prompt["user"])
    ):
        raise ConfigError(
            f"{where}.shots: {prompt_file(graph, node)} has no {{examples}}; write them there, or shots: 0."
        )
    if node.options["shots"] and node.fit == f"{node.task}/{HELD_OUT}":
        raise ConfigError(
            f"{where}.fit: {node.fit} holds the posts of train that the prompt shows; write shots: 0."
        )


RECORD = Review()
