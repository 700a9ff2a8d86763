"""The rules of all verbs, as the graph asks for them."""

from postgrad.graph.protocol import VerbRules
from postgrad.verbs import checks, language_models


def check_node(graph, node, where):
    """Raise Fault where a resolved node would make nothing, or may not ask its language models."""
    checks.node(graph, node, where)
    language_models.check(graph, node, where)


RULES = VerbRules(
    asked_models=language_models.models,
    labelled=checks.labelled,
    calibrates=checks.calibrates,
    other_labels=checks.other_labels,
    reason_not_to_run=checks.reason_not_to_run,
    read_by_review=language_models.read_by_review,
    stood_in=language_models.stood_in,
    check_node=check_node,
    missing_to_predict=checks.missing_to_predict,
)
