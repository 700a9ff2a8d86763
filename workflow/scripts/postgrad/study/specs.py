"""Specs of all jobs of a study, and the names of what they read.

A spec is one sorted JSON string of all that decides a job's result, except its inputs and its code.
What a job reads is another such string, of nodes and splits by role. It is not part of the spec,
because the spec is part of the key under which finished results are kept: there, the content of the
inputs counts, and not their names.
"""

import json
import os
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from postgrad.config.yaml_files import as_list
from postgrad.graph.equal_predictions import equality_sentences
from postgrad.graph.graph import Graph
from postgrad.graph.nodes import Node
from postgrad.graph.queries import (
    floor_nodes,
    override_sentences,
    predicted_datasets,
    restarting_models,
    scored_nodes,
    scoring,
)
from postgrad.study.study import Study
from postgrad.verbs.registry import VERBS

# What a task file says to people and to models; the other keys decide how its files are read.
_NOT_READING = (
    "prompt",
    "metric",
    "positive",
    "title",
    "source",
    "endpoints",
    "near_duplicates",
)


def demo_spec(study: Study) -> str:
    """Return the spec of the job that makes up posts."""
    return canonical_json(study.made)


def clean_spec(study: Study, task: str) -> str:
    """Return the spec of a task's clean posts."""
    body = {key: value for key, value in study.task(task).items() if key not in _NOT_READING}
    body["labels"] = [
        {key: label[key] for key in ("name", "value") if key in label} for label in body["labels"]
    ]
    if study.made is None:
        # Snakemake looks at a file's content only where its time is new, which an archive may have
        # set back.
        body["bytes"] = {
            file: os.path.getsize(file) for file in study.raw_files(task) if os.path.isfile(file)
        }
    if study.most_train is not None:
        body["most_train"] = study.most_train
    return canonical_json({"task": task, "source": study.task(task).get("source"), **body})


def audit_spec(study: Study, task: str) -> str:
    """Return the spec of a task's audit."""
    policy = study.task(task).get("near_duplicates", "drop")
    beside = study.scored_beside(task)
    return canonical_json(
        {"task": task, "near_duplicates": policy} | ({"beside": beside} if beside else {})
    )


def base_spec(study: Study, model: str) -> str:
    """Return the spec of a base."""
    return canonical_json({"model": model, **study.bases[model]})


def node_spec(study: Study, recipe: str, id: str, file: str | None = None) -> str:
    """Return the spec of a dataset, a model, or one file of a predictor that is no model."""
    graph = study.graph(recipe)
    node = graph.nodes[id]
    datasets = {"datasets": predicted_datasets(graph)[id, file]} if file else {}
    return canonical_json(VERBS.nodes[node.verb].spec(graph, node) | datasets)


def predict_spec(study: Study, recipe: str, id: str, file: str) -> str:
    """Return the spec of one file of a model's predictions."""
    graph = study.graph(recipe)
    record: Any = VERBS["predict"]
    return canonical_json(record.spec(graph, graph.nodes[id], predicted_datasets(graph)[id, file]))


def score_spec(study: Study, recipe: str, only: Collection[tuple[str, str]] | None = None) -> str:
    """Return the scored pairs of predictor and dataset, in the order of the rule's inputs.

    Parameters
    ----------
    study, recipe
        The recipe.
    only
        The pairs to which the scores are limited. Default: all pairs.
    """
    graph = study.graph(recipe)
    pairs = []
    for node, dataset in scored_nodes(graph):
        if only is not None and (node.id, dataset) not in only:
            continue
        named = {"predictor": node.id, "node": node.name, "axes": _axes(node), "dataset": dataset}
        pairs.append({**named, "task": graph.tasks[node.task], **scoring(graph, node)})
    return canonical_json({"recipe": recipe, "pairs": pairs})


def _axes(node: Node) -> dict[str, str]:
    """Return the axes of a node as its id shows them: {axis: value as text}."""
    return {key: str(value) for key, value in sorted(node.axes.items())}


def compare_spec(study: Study, recipe: str) -> str:
    """Return the spec of a recipe's comparisons."""
    chains = study.graph(recipe).compare
    return canonical_json({"recipe": recipe, "chains": chains, "margin": study.margin})


def recipe_spec(study: Study, recipe: str, verb: str) -> str:
    """Return the spec of a verb that has one job for each recipe."""
    return canonical_json(VERBS.of_recipe[verb].spec(study.graph(recipe)))


def report_spec(
    study: Study,
    names: Iterable[str] | None = None,
    page: str | None = None,
    so_far: dict[str, Any] | None = None,
) -> str:
    """Return what a report says in addition to the scores.

    These are titles, floors, nodes that were not run, deviations, marks and readings. `overrides`
    are sentences on nodes whose own value overrides that of their scale, and `equal` are sentences
    on predictors that are equal at this scale. `nodes` has the name and axes of every node with
    axes whose id is in a file that the report reads.

    Parameters
    ----------
    study
        The study.
    names
        The recipes of the report. Default: those that the study asks for.
    page
        The path of the report, which scores.txt names. Default: that of the study's own report.
    so_far
        What is missing, if the study has not finished, as `SoFar.summary` returns it.
    """
    recipes = {}
    for name in names or study.recipes:
        graph = study.graph(name)
        recipes[name] = {
            "title": graph.title,
            "tasks": graph.tasks,
            "floors": floor_nodes(graph),
            "not_run": [
                {"node": node, "reason": reason} for node, reason in sorted(graph.not_run.items())
            ],
            "deviations": _study_deviations(study, graph)
            + sorted(graph.deviations, key=lambda row: (row["node"], row["key"])),
            "overrides": override_sentences(graph),
            "equal": equality_sentences(graph),
            "marks": _marks(graph),
            "nodes": _reported_nodes(graph),
            "readings": graph.readings,
            "costly": _costly_nodes(graph),
        }
    return canonical_json(
        {
            "study": study.name,
            "title": study.title,
            "scale": study.scale_name,
            "margin": study.margin,
            "mode": study.mode,
            "posts": study.data,
            "made_up": bool(study.made),
            "page": page or f"results/{study.name}/report.html",
            "recipes": recipes,
            "so_far": so_far,
        }
    )


def _study_deviations(study: Study, graph: Graph) -> list[dict[str, Any]]:
    """Return deviations that concern whole bases and tasks.

    These are another model for a base at this scale, and other or fewer posts for a task.
    """
    deviations = []
    roots = {
        graph.base_and_kind(name)[0]
        for name, (verb, _) in graph.raw.items()
        if verb in ("pretrain", "finetune")
    }
    asking = [(VERBS.nodes[verb].asks, body) for verb, body in graph.raw.values()]
    roots |= {base for key, body in asking if key for base in as_list(body.get(key, []))}
    roots |= {base for record in VERBS.of_recipe.values() for base in record.named_bases(graph)}
    for base in sorted(roots):
        if study.model_of(base) != base:
            deviations.append(
                {"node": "", "key": base, "paper": base, "used": study.model_of(base)}
            )
    why = f"scale {study.scale_name}"
    deviations = [{**row, "why": why} for row in deviations]
    for alias, task in sorted(study.bind.get(graph.recipe, {}).items()):
        if alias in graph.tasks:
            row = {"node": "", "key": alias, "paper": graph.paper_tasks[alias], "used": task}
            deviations.append({**row, "why": "study"})
    if study.most_train is not None:
        used = f"at most {study.most_train} of each task"
        deviations.append(
            {"node": "", "key": "train posts", "paper": "all", "used": used, "why": "study"}
        )
    return deviations


def _marks(graph: Graph) -> dict[str, Any]:
    """Return the names of the marked nodes, by mark, and the splits of `fitted`, by name.

    A node is `transductive` if its result depends on the texts of a test set. It is a `stand_in` if
    its result depends on what a rule answered instead of a language model. It is `fitted` on the
    splits with whose gold labels it, or a node that it depends on, was fitted or chosen.
    """
    marks = {
        mark: sorted({node.name for node in graph.nodes.values() if getattr(node, mark)})
        for mark in ("transductive", "stand_in")
    }
    fitted: dict[str, list[str]] = {}
    for node in graph.nodes.values():
        if node.fitted:
            fitted[node.name] = sorted({*fitted.get(node.name, []), *node.fitted})
    return {**marks, "fitted": fitted}


def _reported_nodes(graph: Graph) -> dict[str, dict[str, Any]]:
    """Return name and axes, by id, of nodes with axes whose ids are in the files of a report."""
    ids = [
        *restarting_models(graph),
        *(id for record in VERBS.values() for id in record.reported_nodes(graph)),
    ]
    nodes = {id: graph.nodes[id] for id in ids}
    return {
        id: {"name": node.name, "axes": _axes(node)}
        for id, node in sorted(nodes.items())
        if node.axes
    }


def _costly_nodes(graph: Graph) -> dict[str, list[str]]:
    """Return the ids of the nodes whose jobs leave a record of their cost, by verb."""
    found: dict[str, list[str]] = {}
    for node in graph.nodes.values():
        if node.verb in VERBS.verbs_with_trait("expensive"):
            found.setdefault(node.verb, []).append(node.id)
    models = sorted({id for id, _ in predicted_datasets(graph) if id in found.get("finetune", [])})
    return {verb: sorted(ids) for verb, ids in found.items()} | {"predict": models}


def node_reads(study: Study, recipe: str, id: str, file: str | None = None) -> str:
    """Return what the job of a node reads, by role.

    A split is written with the task to which the study binds it: smm4h24-task6/train.

    Parameters
    ----------
    study, recipe, id
        The node.
    file
        The file of predictions that the job writes, if any.
    """
    graph = study.graph(recipe)
    node = graph.nodes[id]

    def named(source: str) -> str:
        alias, split = os.path.split(source)
        return f"{graph.tasks[alias]}/{split}" if alias else _with_verbs(graph, [source])[0]

    posts = [named(dataset) for dataset in predicted_datasets(graph)[id, file]] if file else []
    reads = {"posts": posts, "folds": _with_verbs(graph, node.folds)}
    if node.verb != "finetune" or not file:  # to predict, a model reads the posts and itself
        reads["data"] = [named(source) for source in node.sources]
        reads["base"] = _with_verbs(graph, [node.base]) if node.base else []
        reads["members"] = _with_verbs(graph, node.members)
        reads["budget"] = _with_verbs(graph, [node.budget]) if node.budget else []
        reads["fit"] = [named(node.fit)] if node.fit else []
        reads["models"] = [model for model in node.asked if study.bases[model]["kind"] == "causal"]
        reads["task"] = [graph.tasks[node.task]] if node.task else []
        reads |= VERBS.nodes[node.verb].nodes_by_role(graph, node)
    return _reads(reads)


def score_reads(study: Study, recipe: str) -> str:
    """Return the predictors whose predictions are scored; the spec names the datasets."""
    graph = study.graph(recipe)
    ids = list(dict.fromkeys(node.id for node, _ in scored_nodes(graph)))
    folds = [fold for id in ids for fold in graph.nodes[id].folds]
    return _reads(
        {"predictors": _with_verbs(graph, ids), "folds": _with_verbs(graph, dict.fromkeys(folds))}
    )


def recipe_reads(study: Study, recipe: str, verb: str) -> str:
    """Return what the job of a verb that has one job for each recipe reads, by role."""
    graph = study.graph(recipe)
    roles = VERBS.of_recipe[verb].nodes_by_role(graph)
    return _reads({role: _with_verbs(graph, ids) for role, ids in roles.items()})


def _with_verbs(graph: Graph, ids: Iterable[str]) -> list[str]:
    """Return nodes as a dry run names them, with their verbs: label agreed. A base has no verb."""
    return [f"{graph.nodes[id].verb} {id}" if id in graph.nodes else id for id in ids]


def _reads(roles: Mapping[str, list[str]]) -> str:
    """Return roles as a JSON string, whose only key distinguishes it from a spec.

    A role in which nothing is read is left out.
    """
    return canonical_json({"reads": {role: names for role, names in roles.items() if names}})


def canonical_json(value: Any) -> str:
    """Return one JSON string for each value, whatever the order of its keys.

    A whole number is written as 8, also if it was given as 8.0.

    Examples
    --------
    >>> canonical_json({"b": 8.0, "a": 0.5})
    '{"a":0.5,"b":8}'
    """
    return json.dumps(_whole(value), sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _whole(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
