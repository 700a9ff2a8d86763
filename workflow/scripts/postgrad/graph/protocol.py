"""What the graph asks of the verbs, so that resolving a graph mentions no rule of a single verb."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class VerbRules:
    """The functions by which the verbs decide about a node. `graph` is the Graph that is being resolved.

    A check returns None and raises `Fault` with place, finding and remedy; a function whose name begins with
    `reason` or says why returns a sentence, or None where the node is run.
    """

    asked_models: Callable  # (graph, verb, body, where) -> ({model: base that the node names}, why it is not run)
    labelled: Callable  # (graph, body, values, fit, where) -> why a label node is not run
    calibrates: Callable  # (body, values) -> whether a label node hangs on temperatures
    other_labels: Callable  # (graph, task, values) -> why a node is not run whose labels the task has not
    reason_not_to_run: Callable  # (graph, verb, body, kind, root) -> why the node has no place at this scale
    read_by_review: Callable  # (task, values, fit) -> (splits that a review reads, the split it is fitted on)
    stood_in: Callable  # (study, asked) -> whether a rule answers in the place of one of these models
    check_node: Callable  # (graph, node, where) -> None; a resolved node is whole and may read what it reads
    missing_to_predict: Callable  # (graph) -> (name, options of predict that are given nowhere) of each model
