"""The requests of a recipe, under `score` and `compare`, checked against its nodes."""

from typing import Any

from postgrad.config.errors import ConfigError, ConfigErrors, lookup
from postgrad.config.yaml_files import as_list
from postgrad.graph import split_rules
from postgrad.graph.protocol import PREDICTOR
from postgrad.records.names import HELD_OUT, SPLITS


def resolve_requests(
    graph: Any, raw: dict[str, Any], faults: ConfigErrors
) -> tuple[dict[str, list[str]], dict[str, dict[str, Any]]]:
    """Check what a recipe asks for under `score` and `compare`.

    Parameters
    ----------
    graph
        The graph, whose nodes are resolved.
    raw
        The recipe.
    faults
        Gathers the errors.

    Returns
    -------
    score
        The datasets on which each predictor is scored. Splits that a task does not have are left
        out.
    chains
        The chain, the controls and the sets of each comparison.
    """
    score: dict[str, list[str]] = {}
    chains: dict[str, dict[str, Any]] = {}
    for name, body in sorted(raw.get("compare", {}).items()):
        where = f"{graph.where}: compare.{name}"
        chain, controls = body["chain"], body.get("controls", {})
        if isinstance(controls, list):  # a list stands in the place of the chain's last node
            controls = dict.fromkeys(controls, chain[-1])
        for replaced in controls.values():
            with faults.collecting():
                lookup(
                    dict.fromkeys(chain[1:]),
                    replaced,
                    f"{where}.controls",
                    "later node of the chain",
                )
        sets = _existing_splits(graph, body["sets"], f"{where}.sets", faults)
        chains[name] = {"chain": chain, "controls": controls, "sets": sets}
        for key, node in [("chain", node) for node in chain] + [
            ("controls", node) for node in controls
        ]:
            _request_predictions(graph, score, node, sets, f"{where}.{key}", faults)
    for node, sets in sorted(raw.get("score", {}).items()):
        where = f"{graph.where}: score.{node}"
        _request_predictions(
            graph, score, node, _existing_splits(graph, as_list(sets), where, faults), where, faults
        )
    return score, chains


def refuse_base(graph: Any, name: str, wanted: tuple[str, ...], where: str) -> None:
    """Raise `ConfigError` if a name is that of a base where a node is wanted.

    Parameters
    ----------
    graph
        The graph.
    name
        The name.
    wanted
        The verbs that may make the node.
    where
        The place in the recipe, for the message.
    """
    if name in graph.raw or name not in graph.study.bases:
        return
    if "finetune" in wanted:
        raise ConfigError(
            f"{where}: {name!r} is a base, and bases do not predict; fine-tune it in a node, and "
            "name that node."
        )
    raise ConfigError(
        f"{where}: {name!r} is a base, and bases hold no posts; name a split or a dataset."
    )


def _existing_splits(graph: Any, sets: list[str], where: str, faults: ConfigErrors) -> list[str]:
    """Return the sets whose split the task has, and gather the errors of the others."""
    kept: list[str] = []
    for name in sets:
        with faults.collecting():
            kept += [name] if split_rules.is_scorable(graph, name, where) else []
    return kept


def _request_predictions(
    graph: Any,
    score: dict[str, list[str]],
    name: str,
    sets: list[str],
    where: str,
    faults: ConfigErrors,
) -> None:
    """Add a request for a predictor's scores on some sets, or gather why it cannot be met."""
    with faults.collecting():
        if name in graph.broken:
            return
        refuse_base(graph, name, graph.verbs.verbs_that_make(PREDICTOR), where)
        verb, _ = lookup(graph.raw, name, where, "node")
        if verb not in graph.verbs.verbs_that_make(PREDICTOR):
            predictors = " or ".join(graph.verbs.verbs_that_make(PREDICTOR))
            raise ConfigError(
                f"{where}: {name!r} is made by {verb} and gives no predictions; name a "
                f"{predictors}."
            )
        for alias in {dataset.partition("/")[0] for dataset in sets}:
            for id in graph.ids[name][:1]:
                if graph.nodes[id].task != alias:
                    raise ConfigError(
                        f"{where}: {name!r} predicts {graph.nodes[id].task}, not {alias}."
                    )
        for id in graph.ids[name][:1]:
            for dataset in sets:
                split_rules.check_not_trained_on(graph, graph.nodes[id], dataset, where)
        asked = {*score.get(name, []), *sets}
        score[name] = sorted(
            asked, key=lambda dataset: (*SPLITS, HELD_OUT).index(dataset.partition("/")[2])
        )
