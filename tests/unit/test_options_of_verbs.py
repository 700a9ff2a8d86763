"""The options of each script.

A frozen dataclass that holds what the schema and the spec of its verb say.
"""

import ast
import dataclasses
import importlib
import json

import pytest
from tree import ROOT

from postgrad.config.schemas import read_schema
from postgrad.graph.queries import predicted_datasets, scored_nodes
from postgrad.records.options import read_options
from postgrad.study import specs
from postgrad.study.study import Study
from postgrad.verbs.registry import VERBS

SCRIPTS = {
    path.stem: ast.parse(path.read_text())
    for path in sorted((ROOT / "workflow/scripts").glob("*.py"))
}


def names(tree):
    """The names of the dataclasses that a script hands to `read_options`."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    called = [
        call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "read_options"
    ]
    return sorted({call.args[0].id for call in called})


READING = [verb for verb, tree in SCRIPTS.items() if names(tree)]


# What the spec of a verb holds in addition to the options of its schema. A verb that is not listed
# adds the name of the node alone.
ADDED = {
    "augment": {"node", "near_duplicates"},
    "fold": {"node", "fold", "classes"},
    "synthesize": {"node", "asked", "labels", "platform"},
    "pretrain": {"node", "kind"},
    "finetune": {"node", "kind", "labels", "prompt", "metric", "positive"},
    "predict": {"node", "kind", "labels", "prompt", "datasets"},
    "label": {"node", "teachers", "fit", "classes", "part"},
    "vote": {"node", "datasets", "weights"},
    "calibrate": {"node", "of", "fit", "labels", "positive", "metric", "datasets", "target"},
    "pick": {"node", "of", "fit", "labels", "positive", "metric", "datasets"},
    "review": {"node", "of", "fit", "labels", "positive", "metric", "datasets", "asked"},
}
ADDED = {verb: ADDED.get(verb, {"node"}) for verb in READING if verb in read_schema("verbs")}


def classes(verb):
    script = importlib.import_module(verb)
    return [getattr(script, name) for name in names(SCRIPTS[verb])]


@pytest.mark.parametrize("verb", READING)
def test_a_script_reads_its_spec_into_frozen_dataclasses_of_the_library(verb):
    found = classes(verb)
    assert found
    for kind in found:
        assert dataclasses.is_dataclass(kind) and kind.__dataclass_params__.frozen
        assert kind.__module__.startswith("postgrad.")
    reads = [
        ast.unparse(node)
        for node in ast.walk(SCRIPTS[verb])
        if isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith("spec")
    ]
    assert reads == [], "a script reads its spec by read_options alone"


@pytest.mark.parametrize("verb", ADDED)
def test_fields_are_the_options_of_the_schema_and_what_the_spec_adds(verb):
    fields = {
        field.name.rstrip("_") for kind in classes(verb) for field in dataclasses.fields(kind)
    }
    assert fields == set(read_schema("verbs")[verb]["options"]) | ADDED[verb]


@pytest.mark.parametrize("verb", ADDED)
def test_a_default_of_the_code_is_that_of_the_schema(verb):
    """Where the schema states a default, each dataclass with that option has it, or needs it."""
    stated = {
        key: body["default"]
        for key, body in read_schema("verbs")[verb]["options"].items()
        if "default" in body
    }
    for kind in classes(verb):
        for field in dataclasses.fields(kind):
            has_default = field.default is not dataclasses.MISSING
            if has_default and field.name.rstrip("_") in stated:
                option = field.name.rstrip("_")
                assert field.default == stated[option], f"{kind.__name__}.{option}"


def test_defaults_are_compared_at_all():
    stated = [
        (verb, key)
        for verb in ADDED
        for key, body in read_schema("verbs")[verb]["options"].items()
        if "default" in body
    ]
    fields = {
        (verb, field.name.rstrip("_"))
        for verb in ADDED
        for kind in classes(verb)
        for field in dataclasses.fields(kind)
        if field.default is not dataclasses.MISSING
    }
    assert len(fields.intersection(stated)) >= 5


def read(verb, text):
    """The options of a spec, read by the one dataclass of its verb that holds it."""
    found, faults = [], []
    for kind in classes(verb):
        try:
            found.append(read_options(kind, json.loads(text)))
        except ValueError as fault:
            faults.append(str(fault))
    assert len(found) == 1, (verb, faults)
    return found[0]


@pytest.mark.parametrize(
    "name", sorted(path.stem for path in (ROOT / "config/studies").glob("*.yaml"))
)
def test_every_spec_of_the_studies_is_read(name):
    settings = {"study": name, "check_data": False}
    study, seen = Study(settings, root=ROOT / "config"), set()
    for recipe in study.recipes:
        graph = study.graph(recipe)
        for node in graph.nodes.values():
            if node.verb in ADDED and node.verb not in VERBS.sections["predictors"]:
                options = read(node.verb, specs.node_spec(study, recipe, node.id))
                assert options.node == node.id
                seen.add(node.verb)
        for (id, file), datasets in predicted_datasets(graph).items():
            is_model = graph.nodes[id].verb == "finetune"
            verb, spec = (
                ("predict", specs.predict_spec)
                if is_model
                else (graph.nodes[id].verb, specs.node_spec)
            )
            options = read(verb, spec(study, recipe, id, file))
            assert options.node == id and options.datasets == datasets
            seen.add(verb)
        pairs = read("score", specs.score_spec(study, recipe)).pairs
        assert [(pair.predictor, pair.dataset) for pair in pairs] == [
            (node.id, name) for node, name in scored_nodes(graph)
        ]
        assert (
            read("compare", specs.compare_spec(study, recipe)).chains.keys() == graph.compare.keys()
        )
        for task in study.graph(recipe).tasks.values():
            assert read("clean", specs.clean_spec(study, task)).task == task
            assert read("audit", specs.audit_spec(study, task)).task == task
        for verb in VERBS.of_recipe:
            assert read(verb, specs.recipe_spec(study, recipe, verb)).recipe == recipe
    for model, body in study.bases.items():
        if body["kind"] in ("linear", "encoder", "causal"):
            assert read("base", specs.base_spec(study, model)).model == model
    if study.made:
        assert read("demo", specs.demo_spec(study)).posts == study.made["posts"]
    assert {"finetune", "predict"} <= seen
