"""The order of keys in YAML says nothing: no spec, no input and no line of the report may hang on
it.

The order of lists does count: chains, data, teachers, classes and the recipes of a study.
"""

import random
from copy import deepcopy

import pytest
import yaml
from study_files import BASES, RECIPE, SCALE, STUDY, TASK
from tree import ROOT

from postgrad.graph import queries
from postgrad.study import specs
from postgrad.study.paths import Paths, option_words
from postgrad.study.study import Study
from postgrad.verbs.registry import VERBS


def small():
    """The small study with all that could tell the order of keys.

    Two tasks, two axes, two chains, a bound task.
    """
    recipe, task = deepcopy(RECIPE), deepcopy(TASK)
    recipe["tasks"]["snow"] = "snow"
    recipe["models"]["expert"]["each"] = {
        "lr": {"low": 1.0e-5, "high": 2.0e-5},
        "seed": [1, 2],
        "batch": [4, 8],
    }
    recipe["models"]["floor"] = {"finetune": "linear", "data": ["rain/train"]}
    recipe["models"]["snow-plain"] = {"finetune": "big", "data": ["snow/train"]}
    recipe["models"]["digits"] = {"finetune": "linear", "data": ["rain/train"], "answers": "digits"}
    recipe["models"]["after-digits"] = {"finetune": "digits", "data": ["rain/train"]}
    recipe["datasets"]["drawn"] = {
        **recipe["datasets"]["agreed"],
        "keep": "random",
        "budget": "agreed",
    }
    recipe["predictors"]["all-of-them"] = {
        "vote": ["expert", "plain"],
        "rule": "soft",
        "ties": "lowest",
    }
    recipe["predictors"]["all-of-them"]["weights"] = {"plain": 2, "expert": 1}
    recipe["predictors"]["fair"] = {
        "calibrate": "expert",
        "fit": "rain/dev",
        "method": "prior",
        "target": {"no": 0.7, "yes": 0.3},
        "lambda": [1.0],
    }
    recipe["datasets"]["pooled"] = {"fold": ["rain/train", "rain/dev"], "k": 3, "seed": 42}
    recipe["models"]["folded"] = {"finetune": "big", "data": ["pooled", "filled"]}
    recipe["predictors"]["mean"] = {
        "vote": ["folded"],
        "over": ["fold"],
        "rule": "soft",
        "ties": "lowest",
    }
    recipe["predictors"]["best"] = {"pick": ["plain", "fair", "one"], "fit": "rain/dev"}
    recipe["compare"]["rain"]["controls"] = {"again": "expert", "one": "expert"}
    recipe["compare"]["dev"] = {"chain": ["plain", "again"], "sets": ["rain/dev"]}
    recipe["compare"]["train"] = {"chain": ["plain", "expert"], "sets": ["rain/train"]}
    recipe["score"] = {
        "all-of-them": ["rain/dev"],
        "floor": ["rain/dev", "rain/train"],
        "snow-plain": ["snow/dev"],
    }
    scale = deepcopy(SCALE)
    scale["bases"]["linear"] = {"finetune": {"c": 1.0, "ngrams": [1, 2]}}
    return {
        "recipes/small.yaml": recipe,
        "studies/test.yaml": {**STUDY, "bind": {"small": {"snow": "sleet", "rain": "hail"}}},
        "scales/here.yaml": scale,
        **{f"tasks/{name}.yaml": deepcopy(task) for name in ("rain", "snow", "sleet", "hail")},
        "bases.yaml": deepcopy(BASES),
    }


def real():
    """The files of config/, and none of its own choice of a study."""
    files = sorted((ROOT / "config").rglob("*.yaml"))
    return {
        str(file.relative_to(ROOT / "config")): yaml.safe_load(file.read_text()) for file in files
    }


STUDIES = {
    "small": (small, {"study": "test"}),
    "small, faithful": (small, {"study": "test", "mode": "faithful"}),
    **{
        study: (real, {"study": study, "seeds": 3})
        for study in sorted(file.stem for file in (ROOT / "config/studies").glob("*.yaml"))
    },
}


def mixed(value, lot):
    """The same value with the keys of every mapping in another order.

    Without a lot, in the opposite one.
    """
    if isinstance(value, dict):
        keys = list(reversed(value)) if lot is None else lot.sample(list(value), len(value))
        return {key: mixed(value[key], lot) for key in keys}
    return [mixed(item, lot) for item in value] if isinstance(value, list) else value


def described(folder, files, config):
    """All that the rules ask of a study.

    {what: value}, with lists where order shows in a result.
    """
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    study = Study({**config, "check_data": False}, root=folder)
    found = {
        "report_spec": specs.report_spec(study),
        "report_files": option_words(Paths(study).report_files("")),
        "tasks": study.tasks(),
        "made_files": study.made_files(),
        "demo_spec": specs.demo_spec(study),
    }
    for task in study.tasks():
        found["raw_files", task] = study.raw_files(task)
        found["clean_spec", task] = specs.clean_spec(study, task)
    for model in study.bases:
        found["base_spec", model] = specs.base_spec(study, model)
    for recipe, graph in study.graphs.items():
        found["score_spec", recipe] = specs.score_spec(study, recipe)
        found["compare_spec", recipe] = specs.compare_spec(study, recipe)
        for verb in VERBS.of_recipe:
            found["recipe_spec", verb, recipe] = specs.recipe_spec(study, recipe, verb)
            found["recipe_reads", verb, recipe] = specs.recipe_reads(study, recipe, verb)
        for id, file in sorted(queries.predicted_datasets(graph)):
            spec = specs.predict_spec if graph.nodes[id].verb == "finetune" else specs.node_spec
            found["file_spec", recipe, id, file] = spec(study, recipe, id, file)
        found["inputs of score", recipe] = [
            (node.id, dataset) for node, dataset in queries.scored_nodes(graph)
        ]
        for node in graph.nodes.values():
            found["node_spec", recipe, node.id] = specs.node_spec(study, recipe, node.id)
            found["inputs", recipe, node.id] = (
                node.sources,
                node.base,
                node.members,
                node.budget,
                node.folds,
            )
    return found


@pytest.mark.parametrize("name", STUDIES)
def test_nothing_depends_on_the_order_of_keys(tmp_path, name):
    files, config = STUDIES[name]
    one = described(tmp_path / "one", files(), config)
    for lot in (None, random.Random(1), random.Random(2), random.Random(3)):
        other = described(tmp_path / "other", mixed(files(), lot), config)
        assert one.keys() == other.keys()
        assert [what for what in one if one[what] != other[what]] == []
