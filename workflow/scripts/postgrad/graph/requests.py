"""What a recipe asks for under score, compare and diversity, held against its nodes."""

from postgrad.config.errors import Fault, lookup
from postgrad.config.yaml_files import as_list
from postgrad.graph import split_rules
from postgrad.graph.nodes import PREDICTORS, ROLES
from postgrad.graph.scale import kind_at_scale
from postgrad.records.names import HELD_OUT, SPLITS

MEASURING = {"sample": 1000, "clusters": 10, "perplexity": 30, "seed": 1}  # where a recipe is silent


def targets(graph, raw, faults):
    """score: predictor name -> datasets; compare: chain name -> {chain, controls, sets}.

    Splits that a task lacks drop out.
    """
    score, chains = {}, {}
    for name, body in sorted(raw.get("compare", {}).items()):
        where = f"{graph.where}: compare.{name}"
        chain, controls = body["chain"], body.get("controls", {})
        if isinstance(controls, list):  # a list stands in the place of the chain's last node
            controls = dict.fromkeys(controls, chain[-1])
        for replaced in controls.values():
            with faults.gathered():
                lookup(dict.fromkeys(chain[1:]), replaced, f"{where}.controls", "later node of the chain")
        sets = _scored_sets(graph, body["sets"], f"{where}.sets", faults)
        chains[name] = {"chain": chain, "controls": controls, "sets": sets}
        for key, node in [("chain", node) for node in chain] + [("controls", node) for node in controls]:
            _ask(graph, score, node, sets, f"{where}.{key}", faults)
    for node, sets in sorted(raw.get("score", {}).items()):
        where = f"{graph.where}: score.{node}"
        _ask(graph, score, node, _scored_sets(graph, as_list(sets), where, faults), where, faults)
    return score, chains


def refuse_base(graph, name, wanted, where):
    """Raise Fault for the name of a base where a node is wanted. wanted: the verbs that may make the node."""
    if name in graph.raw or name not in graph.study.bases:
        return
    if "finetune" in wanted:
        raise Fault(
            f"{where}: {name!r} is a base, and bases do not predict; fine-tune it in a node, and name that node."
        )
    raise Fault(f"{where}: {name!r} is a base, and bases hold no posts; name a split or a dataset.")


def _scored_sets(graph, sets, where, faults):
    kept = []
    for name in sets:
        with faults.gathered():
            kept += [name] if split_rules.scored_split(graph, name, where) else []
    return kept


def _ask(graph, score, name, sets, where, faults):
    with faults.gathered():
        if name in graph.broken:
            return
        refuse_base(graph, name, PREDICTORS, where)
        verb, _ = lookup(graph.raw, name, where, "node")
        if verb not in PREDICTORS:
            predictors = " or ".join(PREDICTORS)
            raise Fault(f"{where}: {name!r} is made by {verb} and gives no predictions; name a {predictors}.")
        for alias in {dataset.partition("/")[0] for dataset in sets}:
            for id in graph.ids[name][:1]:
                if graph.nodes[id].task != alias:
                    raise Fault(f"{where}: {name!r} predicts {graph.nodes[id].task}, not {alias}.")
        for id in graph.ids[name][:1]:
            for dataset in sets:
                split_rules.untouched(graph, graph.nodes[id], dataset, where)
        asked = {*score.get(name, []), *sets}
        score[name] = sorted(asked, key=lambda dataset: (*SPLITS, HELD_OUT).index(dataset.partition("/")[2]))


def measured(graph, raw, faults):
    """diversity: task -> {embed, model, sets, sample, clusters, perplexity, seed}, with a `reason` where it is not run.

    sets: [{dataset: id of a node}], with a `reason` where that is not run. model: the encoder in the place of `embed`.
    """
    found = {}
    for alias, body in sorted(raw.get("diversity", {}).items()):
        where = f"{graph.where}: diversity.{alias}"
        with faults.gathered():
            lookup(graph.tasks, alias, f"{graph.where}: diversity", "task")
            lookup(graph.study.bases, body["embed"], f"{where}.embed", "base")
            kind = kind_at_scale(graph.study, body["embed"], f"{where}.embed")
            options = {key: body.get(key, silent) for key, silent in MEASURING.items()}
            found[alias] = {"embed": body["embed"], "model": graph.study.model_of(body["embed"]), "sets": [], **options}
            if kind != "encoder":
                scale, base = graph.study.scale_name, body["embed"]
                nothing = f"scale {scale} has no model in the place of {base}"
                of_kind = f"embeddings need an encoder; {base} is of kind {kind} at this scale"
                found[alias]["reason"] = of_kind if kind else nothing
            for name in body["sets"]:
                with faults.gathered():
                    found[alias]["sets"] += _measured_sets(graph, name, alias, f"{where}.sets")
    return found


def _measured_sets(graph, name, alias, where):
    """The datasets of a name; none for the train posts, which all are held against, named or not."""
    if "/" in name:
        split_rules.split_of(graph, name, where)
        if name != f"{alias}/train":
            raise Fault(f"{where}: {name} is no dataset of {alias}; name {alias}/train, or nodes that make its posts.")
        return []
    if name in graph.broken:
        return []
    verb, _ = lookup(graph.raw, name, where, "node")
    if verb not in ROLES["diversity"]:
        allowed = " or ".join(ROLES["diversity"])
        raise Fault(f"{where}: {name!r} is made by {verb}, which makes no posts; name a node made by {allowed}.")
    for id in graph.ids[name][:1]:
        if graph.nodes[id].task != alias:
            raise Fault(f"{where}: {name!r} holds posts of {graph.nodes[id].task}, not {alias}.")
    reason = {"reason": f"not run: {graph.not_run[name]}"} if name in graph.not_run else {}
    return [{"dataset": name, **reason}] if reason else [{"dataset": id} for id in graph.ids[name]]
