"""What a recipe asks for under score and compare, held against its nodes."""

from typing import Any

from postgrad.config.errors import ConfigError, ConfigErrors, lookup
from postgrad.config.yaml_files import as_list
from postgrad.graph import split_rules
from postgrad.graph.protocol import PREDICTOR
from postgrad.records.names import HELD_OUT, SPLITS


def targets(
    graph: Any, raw: dict[str, Any], faults: ConfigErrors
) -> tuple[dict[str, list[str]], dict[str, dict[str, Any]]]:
    """score: predictor name -> datasets; compare: chain name -> {chain, controls, sets}.

    Splits that a task lacks drop out.
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
        sets = _scored_sets(graph, body["sets"], f"{where}.sets", faults)
        chains[name] = {"chain": chain, "controls": controls, "sets": sets}
        for key, node in [("chain", node) for node in chain] + [
            ("controls", node) for node in controls
        ]:
            _ask(graph, score, node, sets, f"{where}.{key}", faults)
    for node, sets in sorted(raw.get("score", {}).items()):
        where = f"{graph.where}: score.{node}"
        _ask(graph, score, node, _scored_sets(graph, as_list(sets), where, faults), where, faults)
    return score, chains


def refuse_base(graph: Any, name: str, wanted: tuple[str, ...], where: str) -> None:
    """Raise ConfigError for the name of a base where a node is wanted.

    wanted: the verbs that may make the node.
    """
    if name in graph.raw or name not in graph.study.bases:
        return
    if "finetune" in wanted:
        raise ConfigError(
            f"{where}: {name!r} is a base, and bases do not predict; fine-tune it in a node, and name that node."
        )
    raise ConfigError(
        f"{where}: {name!r} is a base, and bases hold no posts; name a split or a dataset."
    )


def _scored_sets(graph: Any, sets: list[str], where: str, faults: ConfigErrors) -> list[str]:
    kept: list[str] = []
    for name in sets:
        with faults.collecting():
            kept += [name] if split_rules.scored_split(graph, name, where) else []
    return kept


def _ask(
    graph: Any,
    score: dict[str, list[str]],
    name: str,
    sets: list[str],
    where: str,
    faults: ConfigErrors,
) -> None:
    with faults.collecting():
        if name in graph.broken:
            return
        refuse_base(graph, name, graph.verbs.making(PREDICTOR), where)
        verb, _ = lookup(graph.raw, name, where, "node")
        if verb not in graph.verbs.making(PREDICTOR):
            predictors = " or ".join(graph.verbs.making(PREDICTOR))
            raise ConfigError(
                f"{where}: {name!r} is made by {verb} and gives no predictions; name a {predictors}."
            )
        for alias in {dataset.partition("/")[0] for dataset in sets}:
            for id in graph.ids[name][:1]:
                if graph.nodes[id].task != alias:
                    raise ConfigError(
                        f"{where}: {name!r} predicts {graph.nodes[id].task}, not {alias}."
                    )
        for id in graph.ids[name][:1]:
            for dataset in sets:
                split_rules.untouched(graph, graph.nodes[id], dataset, where)
        asked = {*score.get(name, []), *sets}
        score[name] = sorted(
            asked, key=lambda dataset: (*SPLITS, HELD_OUT).index(dataset.partition("/")[2])
        )
