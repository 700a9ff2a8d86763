"""review: predictions of one label, checked by a language model."""

from collections.abc import Iterable
from typing import Any

from postgrad.config.errors import ConfigError, lookup
from postgrad.graph.nodes import Node
from postgrad.graph.protocol import PREDICTOR, Files
from postgrad.graph.queries import label_names, predictors_behind_scores, scoring
from postgrad.graph.split_rules import GOLD, gold_to_fit_on
from postgrad.llm.templates import FIELD
from postgrad.records.names import HELD_OUT, SCORED
from postgrad.verbs.language_models import AskingVerb, prompt_file, read_prompt

ALWAYS = "always"  # the gate of a review that checks all predictions of its label
PROPOSED = "proposed"  # the label that the model names instead of the one that it rejects


class Review(AskingVerb):
    """Have a language model check the predictions of one label."""

    name, section, makes = "review", "predictors", (PREDICTOR,)
    names = {"review": PREDICTOR}
    readable = {"fit": GOLD}
    labels = {"check": (), "otherwise": (PROPOSED,)}
    expensive = learns_labels = True
    asks = "reviewer"
    fields = ("text", "label", "about", "labels", "examples")
    needed_fields = ("text",)

    def sources_and_fit_at_point(
        self, task: str | None, options: dict[str, Any], sources: list[str], fit: str | None
    ) -> tuple[list[str], str | None]:
        """Return train if examples are drawn from it, and the fit split if a gate is fitted."""
        return [f"{task}/train"] if options.get("shots") else [], None if options.get(
            "gate"
        ) == ALWAYS else fit

    def reason_not_held_out(self, node: Node) -> str | None:
        """Return why examples from train spoil held-out posts, or None if no examples are shown."""
        if not node.sources:
            return None
        return (
            "shows its model posts of train as examples, held-out ones among them; write shots: 0"
        )

    def check(self, graph: Any, node: Node, where: str) -> None:
        """Check the models, the prompt, the labels, the gate and the examples."""
        super().check(graph, node, where)
        if {"check", "otherwise", "gate", "shots"} <= node.options.keys():
            check_gate_and_examples(graph, node, where)

    def spec(self, graph: Any, node: Node) -> dict[str, Any]:
        """Return the options, the models, the prompt, the members and how the gate is fitted."""
        spec = super().spec(graph, node) | {"of": node.members, "fit": node.fit}
        spec |= {key: scoring(graph, node)[key] for key in ("metric", "positive")}
        if not node.fit:  # no gate, no test
            spec.pop("alpha", None)
        return spec

    def inputs(self, paths: Any, recipe: str, node: str, file: str, shard: str) -> dict[str, Files]:
        """Return the posts, the members' predictions, the examples, gold posts and models."""
        return {
            "train": paths.source_posts(recipe, node),
            "drop": paths.audit_drops(recipe, node),
            "gold": paths.fit_posts(recipe, node),
            "predictions": paths.member_predictions(recipe, node, file),
            "data": paths.predicted_posts(recipe, node, file),
            "models": paths.asked_models(recipe, node),
        }

    def reported_nodes(self, graph: Any) -> Iterable[str]:
        """Return the ids of the reviews behind the scores, in reading order."""
        return [node.id for node in predictors_behind_scores(graph) if node.verb == self.name]

    def report_files(self, paths: Any, graph: Any) -> dict[str, Files]:
        """Return what was fitted for each review behind the scores."""
        ids = self.reported_nodes(graph)
        return {
            "review": {
                (graph.recipe, id): paths.result(graph.recipe, id, f"/{SCORED}.fit.json")
                for id in ids
            }
        }


def check_gate_and_examples(graph: Any, node: Node, where: str) -> None:
    """Raise `ConfigError` if labels, gate or examples do not fit the task or the prompt."""
    names = label_names(graph, node)
    for key, others in RECORD.labels.items() if names else ():
        lookup(dict.fromkeys([*names, *others]), node.options[key], f"{where}.{key}", "label")
    if node.options["gate"] != ALWAYS:
        if not node.fit:
            gold = gold_to_fit_on(graph, node.members)
            raise ConfigError(
                f"{where}: a gate is fitted on gold posts; name {gold} under fit, or write gate: "
                "always."
            )
        if "alpha" not in node.options:
            raise ConfigError(
                f"{where}: a gate needs alpha, the significance level of its paired test; write "
                "alpha: 0.05, or gate: always."
            )
    prompt = read_prompt(graph, node, where)
    if (
        node.options["shots"]
        and prompt
        and "examples" not in FIELD.findall(prompt["system"] + prompt["user"])
    ):
        raise ConfigError(
            f"{where}.shots: {prompt_file(graph, node)} has no {{examples}}; write them there, or "
            "shots: 0."
        )
    if node.options["shots"] and node.fit == f"{node.task}/{HELD_OUT}":
        raise ConfigError(
            f"{where}.fit: {node.fit} holds the posts of train that the prompt shows; write shots: "
            "0."
        )


RECORD = Review()
