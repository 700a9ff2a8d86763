"""From a name of a recipe to its nodes, in three steps: what it names, whether it can be run, its
nodes.

None of the steps mentions a verb; what differs from verb to verb is asked of its record.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from postgrad.config.errors import ConfigError, ConfigErrors, lookup
from postgrad.config.yaml_files import as_list
from postgrad.graph import node_checks, split_rules
from postgrad.graph.axes import points_of
from postgrad.graph.nodes import Node
from postgrad.graph.options import (
    faithful_values,
    missing,
    read,
    references,
    resolve_options,
    unread,
)
from postgrad.graph.protocol import NodeVerb, Point
from postgrad.graph.requests import refuse_base
from postgrad.records.names import FOLD, HELD_OUT


@dataclass
class Draft:
    """A name of a recipe as its file writes it.

    What it names, and the values that its options may take.
    """

    name: str
    verb: str
    record: NodeVerb
    body: dict[str, Any]
    where: str
    sources: list[str]  # splits and names of nodes: the posts that it reads
    fit: str | None
    members: list[str]
    base: str | None  # a base or the name of a model
    names: list[str]  # of all nodes that it names, its base among them
    root: str | None = None  # the base at the bottom
    kind: str | None = None
    task: str | None = None
    asked: dict[str, str] = field(default_factory=dict)
    lacking: str | None = (
        None  # the first reason why it is not run that was found while its names were read
    )
    options: dict[str, Any] = field(
        default_factory=dict
    )  # those that are the same at each of its points
    each: dict[str, Any] = field(default_factory=dict)
    values: dict[str, list[Any]] = field(
        default_factory=dict
    )  # option -> list of the values that it may take


def made_nodes(graph: Any, name: str) -> list[Node]:
    """The nodes of a name.

    None where it is not run, which `graph.not_run` then says. Raises ConfigError.
    """
    draft = read_names(graph, name)
    reason = reason_not_to_run(graph, draft)
    points = points_of(
        graph, draft.record, draft.each, draft.names, draft.body.get("over"), draft.where
    )
    if reason:
        graph.not_run[name] = reason
        return []
    check_options(graph, draft)
    return nodes_at(graph, draft, points)


# -- first step: names and options ----------------------------------------------------------------


def read_names(graph: Any, name: str) -> Draft:
    """What a node names, each name looked up and resolved, and its options.

    Raises ConfigError with all that is wrong.
    """
    verb, body = graph.raw[name]
    record, where = graph.verbs.nodes[verb], graph.places[name]
    faults = ConfigErrors()
    fit = record.fit_split(graph, body)
    reads = [(record.data_key, source) for source in as_list(body.get(record.data_key, []))]
    reads += [("fit", fit)] if fit else []
    reads += [("target", body["target"])] if "/" in body.get("target", "") else []
    is_gold = (
        record.section == "predictors"
    )  # teachers are audited on `fit`; no post of it is among the sources
    draft = Draft(
        name=name,
        verb=verb,
        record=record,
        body=body,
        where=where,
        sources=[source for key, source in reads if key != "fit" or is_gold],
        fit=fit,
        members=as_list(body.get(record.members_key, [])),
        base=body[verb] if record.section == "models" else None,
        names=[named for _, named in named_nodes(record, body)],
    )
    if draft.base:
        draft.names += [draft.base] if draft.base in graph.raw else []
        with faults.collecting():
            draft.root, draft.kind = graph.root(name)
            if draft.base in graph.raw:
                graph.resolve(draft.base)
    without_model = None
    with faults.collecting():
        draft.asked, without_model = record.asked_models(graph, body, where)
    for key, named in named_nodes(record, body):
        with faults.collecting():
            look_up_node(graph, record.names[key], named, f"{where}.{key}")
    for key, source in reads:
        with faults.collecting():
            draft.lacking = draft.lacking or split_rules.split(
                graph, record, key, body, source, where
            )
    if record.section == "models" and not draft.sources:
        faults.append(f"{where}: {verb} needs posts; name splits or datasets under data.")
    if record.needs_fit and not fit:
        ids = [id for member in draft.members for id in graph.ids.get(member, [])]
        gold = split_rules.gold_to_fit_on(graph, ids)
        faults.append(f"{where}: {verb} needs gold posts; name {gold} under fit.")
    faults.raise_any()
    draft.lacking = draft.lacking or without_model
    draft.options, draft.each = resolve_options(graph, name, verb, body, draft.root, draft.kind)
    draft.values = {key: [value] for key, value in draft.options.items()}
    draft.values |= {
        key: list(few.values()) if isinstance(few, dict) else few for key, few in draft.each.items()
    }
    if verb != "pretrain":  # it learns no labels
        draft.task = task_of(
            graph, [*draft.sources, *as_list(fit or []), *named_folds(body), *draft.members], where
        )
    return draft


def named_nodes(record: NodeVerb, body: dict[str, Any]) -> list[tuple[str, str]]:
    """(key, name) of every other node that a node names, its base left out."""
    keys = [key for key in record.names if key in body and key in references(record.name)]
    return [(key, name) for key in keys for name in as_list(body[key]) if "/" not in name]


def named_folds(body: dict[str, Any]) -> list[str]:
    return as_list(body.get("folds", []))


def look_up_node(graph: Any, what: str | None, name: str, where: str) -> None:
    """Resolve a name that stands under a key.

    Raises ConfigError where it is no node, or none that may stand there.
    """
    if name not in graph.broken:
        allowed = graph.verbs.making(what)
        refuse_base(graph, name, allowed, where)
        verb, _ = lookup(graph.raw, name, where, "node")
        if not allowed:
            raise ConfigError(f"{where}: {name!r} is made by {verb}; name a split.")
        if verb not in allowed:
            raise ConfigError(
                f"{where}: {name!r} is made by {verb}; name a node made by {' or '.join(allowed)}."
            )
    graph.resolve(name)


def task_of(graph: Any, names: list[str], where: str) -> str | None:
    """The one task of splits and nodes. Raises ConfigError where they are of several."""
    tasks = {name.partition("/")[0] for name in names if "/" in name}
    for name in (name for name in names if "/" not in name):
        tasks |= {graph.nodes[id].task for id in graph.resolve(name)}
    if len(tasks) > 1:
        raise ConfigError(
            f"{where}: the posts of one node carry labels of one task; found {', '.join(sorted(tasks))}."
        )
    return next(iter(tasks), None)


# -- second step: validation ----------------------------------------------------------------------


def reason_not_to_run(graph: Any, draft: Draft) -> str | None:
    """Why a node whose file is sound is not run in this study, or None.

    Raises ConfigError where its options do not fit.
    """
    reason = draft.record.reason_of_values(graph, draft.body, draft.values, draft.fit, draft.where)
    return (
        draft.lacking
        or reason
        or split_rules.no_dev(graph, draft.task, draft.values)
        or other_labels(graph, draft)
        or no_model(graph, draft)
        or draft.record.reason_not_to_run(graph, draft.body, draft.kind, draft.root)
        or next(
            (f"needs {name}, which is not run" for name in draft.names if name in graph.not_run),
            None,
        )
    )


def other_labels(graph: Any, draft: Draft) -> str | None:
    """Why a node is not run that names labels which the study's task in its place has not, or None.

    Where no study has put another task there, the check of the verb raises ConfigError instead.
    """
    bound = graph.study.bind.get(graph.recipe, {}).get(draft.task)
    names = {label["name"] for label in graph.study.task(bound)["labels"]} if bound else set()
    for value in draft.values.get("class_weights", []) if names else []:
        if isinstance(value, dict) and value.keys() != names:
            return f"its class_weights are of other labels than those of {bound}"
    for key, others in draft.record.labels.items() if names else ():
        for label in (label for value in draft.values.get(key, []) for label in as_list(value)):
            if label not in {*names, *others}:
                return f"{bound} has no label {label}, which stands under {key}"
    return None


def no_model(graph: Any, draft: Draft) -> str | None:
    """Why a node has no model at this scale that could be trained, or None."""
    if draft.root and draft.kind is None:
        return f"scale {graph.study.scale_name} has no model in the place of {draft.root}"
    if draft.record.section == "models" and draft.kind in ("endpoint", "stand-in"):
        return f"{draft.verb} needs weights; {draft.root} is of kind {draft.kind} at this scale"
    return None


def check_options(graph: Any, draft: Draft) -> None:
    """Raise ConfigError for an option that nothing reads, and note those that are given nowhere."""
    faithful = faithful_values(graph, draft.verb, draft.body, draft.root)
    unread(draft.verb, draft.kind, draft.body, draft.values, faithful, draft.where)
    if lacks := missing(draft.verb, draft.kind, draft.values):
        graph.lacking.setdefault((draft.verb, lacks), []).append(draft.name)


# -- third step: nodes ----------------------------------------------------------------------------


def nodes_at(graph: Any, draft: Draft, points: list[Point]) -> list[Node]:
    """A node at each point. Raises ConfigError where one of them could not do what it says."""
    made = []
    for axes, own, bound in draft.record.split_points(points, draft.options):
        node = node_at(graph, draft, axes, {**draft.options, **own}, bound)
        node_checks.check(graph, node, draft.where)
        draft.record.check(graph, node, draft.where)
        made.append(node)
    return made


def node_at(
    graph: Any,
    draft: Draft,
    axes: dict[str, Any],
    options: dict[str, Any],
    bound: dict[str, list[str]],
) -> Node:
    """The node at one point.

    options: all of them there; bound: the ids of the nodes that it stands on, by name.
    """
    record, body, task = draft.record, draft.body, draft.task
    below = [graph.nodes[id] for ids in bound.values() for id in ids]
    sources, fit = record.read_at(task, options, draft.sources, draft.fit)
    chosen_on = [fit] if fit and record.is_fitted(body, options) else []
    chosen_on += [f"{task}/dev"] if options.get("epoch") == "best" else []
    learnt = [source for source in sources if "/" in source] if record.learns_labels else []
    known = read(draft.verb, draft.kind, {key: [value] for key, value in options.items()})
    base = draft.base and (
        bound[draft.base][0] if draft.base in graph.raw else graph.study.model_of(draft.root)
    )
    stood_in = any(graph.study.bases[model]["kind"] == "stand-in" for model in draft.asked)
    node = Node(
        recipe=graph.recipe,
        name=draft.name,
        verb=draft.verb,
        axes=axes,
        options={key: value for key, value in options.items() if key in known},
        sources=[source if "/" in source else bound[source][0] for source in sources],
        base=base,
        members=[id for member in draft.members for id in bound[member]],
        budget=bound[body["budget"]][0] if "budget" in body else None,
        fit=fit,
        asked=draft.asked,
        part=record.part(graph, body, options, axes, bound),
        target=body.get("target"),
        kind=draft.kind,
        task=task,
        transductive=body.get("transductive", False) or any(other.transductive for other in below),
        stand_in=stood_in or any(other.stand_in for other in below),
        fitted=tuple(sorted({*chosen_on, *(split for other in below for split in other.fitted)})),
        learnt=tuple(sorted({*learnt, *(split for other in below for split in other.learnt)})),
        folds=folds_under(graph, record, task, below),
    )
    if split_rules.seen_before(graph, node, below):
        node = replace(node, fitted=tuple(sorted({*node.fitted, f"{task}/{HELD_OUT}"})))
    return node


def folds_under(
    graph: Any, record: NodeVerb, task: str | None, below: list[Node]
) -> tuple[str, ...]:
    """Ids of the datasets in folds under a node, those of its own task.

    Post_ids are unique within a corpus.
    """
    parts = (
        below if record.section == "predictors" else [node for node in below if FOLD in node.axes]
    )
    folding = graph.verbs.making("folds")
    found = {id for node in parts for id in ([node.id] if node.verb in folding else node.folds)}
    return tuple(sorted(id for id in found if task in (None, graph.nodes[id].task)))
