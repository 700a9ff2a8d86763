"""Resolve a name of a recipe to its nodes in three steps.

The steps are names and options, validation, and nodes. None of them mentions a verb: what differs
from verb to verb is asked of the verb's record.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from postgrad.config.errors import ConfigError, ConfigErrors, lookup
from postgrad.config.yaml_files import as_list
from postgrad.graph import node_checks, split_rules
from postgrad.graph.axes import node_points
from postgrad.graph.nodes import Node
from postgrad.graph.options import (
    faithful_values,
    missing_options,
    options_in_use,
    reference_schemas,
    refuse_unread_options,
    resolve_options,
)
from postgrad.graph.protocol import NodeVerb, Point
from postgrad.graph.requests import refuse_base
from postgrad.records.names import FOLD, HELD_OUT


@dataclass
class Draft:
    """A node while it is resolved: what it names, and the values that its options may take."""

    name: str
    verb: str
    record: NodeVerb
    body: dict[str, Any]
    where: str
    # The posts that it reads: splits and names of nodes.
    sources: list[str]
    fit: str | None
    members: list[str]
    # A base, or the name of a model.
    base: str | None
    # All nodes that it names, its base included.
    names: list[str]
    # The base from which it descends, and its kind.
    root: str | None = None
    kind: str | None = None
    task: str | None = None
    asked: dict[str, str] = field(default_factory=dict)
    # The first reason not to run it that was found while its names were read.
    lacking: str | None = None
    # Options that are the same at each point, those that vary, and all values of each.
    options: dict[str, Any] = field(default_factory=dict)
    each: dict[str, Any] = field(default_factory=dict)
    values: dict[str, list[Any]] = field(default_factory=dict)


def resolve_nodes(graph: Any, name: str) -> list[Node]:
    """Return the nodes of a name.

    The list is empty if the name is not run; `graph.not_run` then has the reason. Raise
    `ConfigError` if the recipe has an error there.
    """
    draft = read_names(graph, name)
    reason = reason_not_to_run(graph, draft)
    points = node_points(
        graph, draft.record, draft.each, draft.names, draft.body.get("over"), draft.where
    )
    if reason:
        graph.not_run[name] = reason
        return []
    check_options(graph, draft)
    return build_nodes(graph, draft, points)


# -- first step: names and options ----------------------------------------------------------------


def read_names(graph: Any, name: str) -> Draft:
    """Return the draft of a node: every name looked up and resolved, and its options.

    Raise `ConfigError` with all errors that were found.
    """
    verb, body = graph.raw[name]
    record, where = graph.verbs.nodes[verb], graph.places[name]
    faults = ConfigErrors()
    fit = record.fit_split(graph, body)
    reads = [(record.data_key, source) for source in as_list(body.get(record.data_key, []))]
    reads += [("fit", fit)] if fit else []
    reads += [("target", body["target"])] if "/" in body.get("target", "") else []
    # Teachers are audited on `fit`, but no post of it is among the sources of their dataset.
    is_gold = record.section == "predictors"
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
            draft.root, draft.kind = graph.base_and_kind(name)
            if draft.base in graph.raw:
                graph.resolve_name(draft.base)
    without_model = None
    with faults.collecting():
        draft.asked, without_model = record.asked_models(graph, body, where)
    for key, named in named_nodes(record, body):
        with faults.collecting():
            look_up_node(graph, record.names[key], named, f"{where}.{key}")
    for key, source in reads:
        with faults.collecting():
            draft.lacking = draft.lacking or split_rules.reason_without_split(
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
        key: list(axis.values()) if isinstance(axis, dict) else axis
        for key, axis in draft.each.items()
    }
    if verb != "pretrain":  # it learns no labels
        draft.task = common_task(
            graph, [*draft.sources, *as_list(fit or []), *named_folds(body), *draft.members], where
        )
    return draft


def named_nodes(record: NodeVerb, body: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the key and the name of every other node that a node names, except its base."""
    keys = [key for key in record.names if key in body and key in reference_schemas(record.name)]
    return [(key, name) for key in keys for name in as_list(body[key]) if "/" not in name]


def named_folds(body: dict[str, Any]) -> list[str]:
    """Return the datasets in folds that a node names under `folds`."""
    return as_list(body.get("folds", []))


def look_up_node(graph: Any, what: str | None, name: str, where: str) -> None:
    """Resolve a name that is written under a key.

    Raise `ConfigError` if it is no node, or none that may be named there.
    """
    if name not in graph.broken:
        allowed = graph.verbs.verbs_that_make(what)
        refuse_base(graph, name, allowed, where)
        verb, _ = lookup(graph.raw, name, where, "node")
        if not allowed:
            raise ConfigError(f"{where}: {name!r} is made by {verb}; name a split.")
        if verb not in allowed:
            raise ConfigError(
                f"{where}: {name!r} is made by {verb}; name a node made by {' or '.join(allowed)}."
            )
    graph.resolve_name(name)


def common_task(graph: Any, names: list[str], where: str) -> str | None:
    """Return the one task to which splits and nodes belong, or None if they have none.

    Raise `ConfigError` if they belong to several.
    """
    tasks = {name.partition("/")[0] for name in names if "/" in name}
    for name in (name for name in names if "/" not in name):
        tasks |= {graph.nodes[id].task for id in graph.resolve_name(name)}
    if len(tasks) > 1:
        raise ConfigError(
            f"{where}: the posts of one node carry labels of one task; found "
            f"{', '.join(sorted(tasks))}."
        )
    return next(iter(tasks), None)


# -- second step: validation ----------------------------------------------------------------------


def reason_not_to_run(graph: Any, draft: Draft) -> str | None:
    """Return why a node without an error is not run in this study, or None.

    Raise `ConfigError` if its options do not fit together.
    """
    reason = draft.record.reason_from_values(
        graph, draft.body, draft.values, draft.fit, draft.where
    )
    return (
        draft.lacking
        or reason
        or split_rules.reason_without_dev(graph, draft.task, draft.values)
        or reason_of_labels(graph, draft)
        or reason_without_model(graph, draft)
        or draft.record.reason_not_to_run(graph, draft.body, draft.kind, draft.root)
        or next(
            (f"needs {name}, which is not run" for name in draft.names if name in graph.not_run),
            None,
        )
    )


def reason_of_labels(graph: Any, draft: Draft) -> str | None:
    """Return why a node that names labels is not run with the study's task, or None.

    This happens if the study put another task, with other labels, in the place of the recipe's. If
    it did not, the check of the verb raises `ConfigError` instead.
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


def reason_without_model(graph: Any, draft: Draft) -> str | None:
    """Return why a node has no model at this scale that can be trained, or None."""
    if draft.root and draft.kind is None:
        return f"scale {graph.study.scale_name} has no model in the place of {draft.root}"
    if draft.record.section == "models" and draft.kind in ("endpoint", "stand-in"):
        return f"{draft.verb} needs weights; {draft.root} is of kind {draft.kind} at this scale"
    return None


def check_options(graph: Any, draft: Draft) -> None:
    """Raise `ConfigError` for an option that nothing reads, and record those that have no value."""
    faithful = faithful_values(graph, draft.verb, draft.body, draft.root)
    refuse_unread_options(draft.verb, draft.kind, draft.body, draft.values, faithful, draft.where)
    if lacks := missing_options(draft.verb, draft.kind, draft.values):
        graph.lacking.setdefault((draft.verb, lacks), []).append(draft.name)


# -- third step: nodes ----------------------------------------------------------------------------


def build_nodes(graph: Any, draft: Draft, points: list[Point]) -> list[Node]:
    """Return the node at each point.

    Raise `ConfigError` if one of them cannot do what the recipe says.
    """
    nodes = []
    for axes, own, bound in draft.record.split_points(points, draft.options):
        node = build_node(graph, draft, axes, {**draft.options, **own}, bound)
        node_checks.check_node(graph, node, draft.where)
        draft.record.check(graph, node, draft.where)
        nodes.append(node)
    return nodes


def build_node(
    graph: Any,
    draft: Draft,
    axes: dict[str, Any],
    options: dict[str, Any],
    bound: dict[str, list[str]],
) -> Node:
    """Return the node at one point.

    Parameters
    ----------
    graph
        The graph.
    draft
        The draft of the node.
    axes
        The axes of the point.
    options
        All options at the point.
    bound
        The ids of the nodes that it stands on, by name.
    """
    record, body, task = draft.record, draft.body, draft.task
    below = [graph.nodes[id] for ids in bound.values() for id in ids]
    sources, fit = record.sources_and_fit_at_point(task, options, draft.sources, draft.fit)
    chosen_on = [fit] if fit and record.is_fitted(body, options) else []
    chosen_on += [f"{task}/dev"] if options.get("epoch") == "best" else []
    learnt = [source for source in sources if "/" in source] if record.learns_labels else []
    known = options_in_use(draft.verb, draft.kind, {key: [value] for key, value in options.items()})
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
        pool_part=record.pool_part(graph, body, options, axes, bound),
        target=body.get("target"),
        kind=draft.kind,
        task=task,
        transductive=body.get("transductive", False) or any(other.transductive for other in below),
        stand_in=stood_in or any(other.stand_in for other in below),
        fitted=tuple(sorted({*chosen_on, *(split for other in below for split in other.fitted)})),
        learnt=tuple(sorted({*learnt, *(split for other in below for split in other.learnt)})),
        folds=folds_under(graph, record, task, below),
    )
    if split_rules.has_learnt_held_out(graph, node, below):
        node = replace(node, fitted=tuple(sorted({*node.fitted, f"{task}/{HELD_OUT}"})))
    return node


def folds_under(
    graph: Any, record: NodeVerb, task: str | None, below: list[Node]
) -> tuple[str, ...]:
    """Return the ids of the datasets in folds under a node.

    Only those of the node's own task count, because ids of posts are unique within a corpus only.
    """
    parts = (
        below if record.section == "predictors" else [node for node in below if FOLD in node.axes]
    )
    folding = graph.verbs.verbs_that_make("folds")
    folds = {id for node in parts for id in ([node.id] if node.verb in folding else node.folds)}
    return tuple(sorted(id for id in folds if task in (None, graph.nodes[id].task)))
