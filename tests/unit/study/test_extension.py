"""A study that extends another, and what the command line says over a study."""

import json
import re

import pytest
import yaml
from snakemake.cli import parse_config
from study_files import RECIPE, STUDY, TASK, write_config

from postgrad.config.errors import ConfigError
from postgrad.study import specs
from postgrad.study.extension import key_place, merge_files
from postgrad.study.study import Study

BOUND = {**STUDY, "bind": {"small": {"rain": "hail"}}, "shards": 4}


def study_in(folder, config=None, studies=None, scales=None, recipes=None):
    """A study of the small configuration; studies, scales, recipes: more files by their names."""
    root = write_config(folder)
    more = {
        "studies": studies,
        "scales": scales,
        "recipes": recipes,
        "tasks": dict.fromkeys(("hail", "snow", "smm4h24-task6"), TASK),
    }
    for kind, files in more.items():
        for name, content in (files or {}).items():
            (root / kind / f"{name}.yaml").write_text(yaml.safe_dump(content))
    return Study({"study": "test", "check_data": False, **(config or {})}, root=root)


def sentences(folder, config=None, **files):
    with pytest.raises(ConfigError) as caught:
        study_in(folder, config, **files)
    return caught.value.sentences


# -- extends ---------------------------------------------------------------------------------------


def test_mappings_are_merged_at_all_depths_and_all_else_is_replaced():
    own = {"extends": "a", "recipes": ["y"], "bind": {"y": {"p": 1}, "x": {"q": 5}}, "folds": 2}
    below = {"title": "A", "recipes": ["x", "z"], "bind": {"x": {"p": 3, "q": 4}}, "folds": 9}
    assert merge_files([("b", own), ("a", below)]) == {
        "title": "A", "recipes": ["y"], "bind": {"x": {"p": 3, "q": 5}, "y": {"p": 1}}, "folds": 2
    }  # fmt: skip
    assert merge_files([("b", {"bind": {}}), ("a", {"bind": {"x": {"p": 3}}})]) == {
        "bind": {"x": {"p": 3}}
    }


def test_a_place_is_the_nearest_file_that_has_the_keys():
    files = [
        ("c", {"bind": {"x": {}}}),
        ("b", {"bind": {"x": {"p": 1}}}),
        ("a", {"scale": "s", "bind": {}}),
    ]
    assert [
        key_place(files, keys) for keys in (["scale"], ["bind", "x"], ["bind", "x", "p"], ["train"])
    ] == ["a", "c", "b", "c"]
    assert key_place(files, ["scale", "s"]) == "c"  # below a value there is no key


def test_a_study_has_the_keys_of_the_others_and_its_own_over_them(tmp_path):
    small = {"extends": "wide", "title": "Small", "seeds": 1, "bind": {"small": {"rain": "snow"}}}
    smaller = {"extends": "small", "shards": 1}
    study = study_in(
        tmp_path, {"study": "smaller"}, studies={"wide": BOUND, "small": small, "smaller": smaller}
    )
    assert (study.name, study.title, study.scale_name, study.recipes) == (
        "smaller",
        "Small",
        "here",
        ["small"],
    )
    assert (study.seeds, study.shards, study.bind) == (1, 1, {"small": {"rain": "snow"}})
    assert study.graphs["small"].ids["plain"] == ["plain@seed=1"]
    assert study.graphs["small"].tasks == {"rain": "snow"}


def test_an_extending_study_is_the_one_written_out(tmp_path):
    """Every spec but the report's, which has title and name."""
    written = {**BOUND, "title": "B", "seeds": 1}
    config = {"study": "b"}
    short = study_in(
        tmp_path / "a",
        config,
        studies={"a": BOUND, "b": {"extends": "a", "title": "B", "seeds": 1}},
    )
    whole = study_in(tmp_path / "b", config, studies={"b": written})
    assert specs.report_spec(short) == specs.report_spec(whole)
    assert specs.score_spec(short, "small") == specs.score_spec(whole, "small")
    for id in whole.graphs["small"].nodes:
        assert specs.node_spec(short, "small", id) == specs.node_spec(whole, "small", id)


def test_a_study_that_makes_up_posts_hands_them_on(tmp_path):
    made = {key: value for key, value in STUDY.items() if key != "data"}
    made["bind"] = {"small": {"rain": "smm4h24-task6"}}
    made["made"] = {"seed": 1, "posts": {"smm4h24-task6": {"train": 10, "dev": 5}}}
    more = {"extends": "made", "made": {"posts": {"smm4h24-task6": {"train": 30}}}}
    study = study_in(tmp_path, {"study": "more"}, studies={"made": made, "more": more})
    assert study.made == {"seed": 1, "posts": {"smm4h24-task6": {"train": 30, "dev": 5}}}
    assert study.data == "work/more/posts"


CYCLE = {"a": {"extends": "b"}, "b": {"extends": "c"}, "c": {"extends": "a"}, "d": {"extends": "c"}}


@pytest.mark.parametrize("name", ["a", "b", "c", "d"])
def test_a_cycle_is_one_sentence_wherever_it_is_entered(tmp_path, name):
    (sentence,) = sentences(tmp_path, {"study": name}, studies=CYCLE)
    assert sentence.endswith(
        "/studies/a.yaml: extends: a -> b -> c -> a is a cycle; let one of them extend no other."
    )


FAULTS = {
    "itself": ({"extends": "b"}, "studies/b.yaml: extends: b -> b is a cycle"),
    "nobody": (
        {"extends": "tets"},
        "studies/b.yaml: extends: there is no file .*tets.yaml; did you mean 'test'?",
    ),
    "a list": ({"extends": ["test"]}, "studies/b.yaml: extends: expected text, found a list of 1"),
    "a path": ({"extends": "../test"}, "studies/b.yaml: extends: '../test' does not fit"),
    "a key of its own": (
        {"extends": "test", "sedes": 1},
        "studies/b.yaml: there is no key 'sedes'; .* 'seeds'",
    ),
    "too little": ({"extends": "half"}, "studies/b.yaml: the key 'scale' is missing; add it."),
    "a key below": ({"extends": "sick"}, "studies/sick.yaml: seeds: expected at least 1, found 0"),
    "a scale below": (
        {"extends": "lost"},
        "studies/lost.yaml: scale: there is no file .*heer.yaml; .* 'here'",
    ),
    "a recipe below": (
        {"extends": "odd"},
        "studies/odd.yaml: recipes: there is no file .*smal.yaml; .* 'small'",
    ),
    "a binding below": (
        {"extends": "bound", "seeds": 1},
        "studies/bound.yaml: bind: there is no recipe 'smal'",
    ),
    "a task below": (
        {"extends": "tied", "bind": {"small": {}}},
        "studies/tied.yaml: bind.small.rain: there is no file .*hial.yaml; .* 'hail'",
    ),
    "a name of a task below": (
        {"extends": "tied", "bind": {"small": {"rain": "hail", "rian": "hail"}}},
        "studies/b.yaml: bind.small: there is no task of the recipe 'rian'",
    ),
    "posts both made and read": (
        {"extends": "made"},
        "studies/made.yaml: data: b makes up its own posts",
    ),
}
BELOW = {
    "half": {"title": "Half", "recipes": ["small"]},
    "sick": {**STUDY, "seeds": 0},
    "lost": {**STUDY, "scale": "heer"},
    "odd": {**STUDY, "recipes": ["smal"]},
    "tied": {**STUDY, "bind": {"small": {"rain": "hial"}}},
    "bound": {**STUDY, "bind": {"smal": {}}},
    "made": {
        **STUDY,
        "bind": {"small": {"rain": "smm4h24-task6"}},
        "made": {"seed": 1, "posts": {"smm4h24-task6": {}}},
    },
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_names_the_file_that_has_it(tmp_path, name):
    content, words = FAULTS[name]
    found = sentences(tmp_path, {"study": "b"}, studies={**BELOW, "b": content})
    assert len(found) == 1 and re.search(words, found[0]), found


def test_a_study_that_is_only_extended_need_not_be_whole(tmp_path):
    own = {"extends": "half", "scale": "here", "data": "posts"}
    assert study_in(tmp_path, {"study": "b"}, studies={**BELOW, "b": own}).title == "Half"


# -- on the command line ---------------------------------------------------------------------------

OTHER = {"bases": {"linear": {}, "big": {"model": "tiny", "finetune": {"lr": 2.0e-3, "epochs": 5}}}}


def said(*words):
    """What Snakemake makes of the words behind --config."""
    return parse_config(list(words))


LISTED = ("[two,small]", "two,small", "[two, small]", "two, small")


@pytest.mark.parametrize("words", [f"recipes={told}" for told in LISTED])
def test_recipes_on_the_command_line_stand_over_those_of_the_study(tmp_path, words):
    study = study_in(tmp_path, said(words), recipes={"two": RECIPE})
    assert study.recipes == ["two", "small"] == list(study.graphs)


@pytest.mark.parametrize("words", ["recipes=two", "recipes=[two]"])
def test_one_recipe_on_the_command_line(tmp_path, words):
    assert study_in(tmp_path, said(words), recipes={"two": RECIPE}).recipes == ["two"]


def test_a_scale_on_the_command_line_stands_over_that_of_the_study(tmp_path):
    """The specs of what the scale decides change, and the report says which scale it is.

    The rest stays.
    """
    study = study_in(tmp_path / "a", said("scale=other"), scales={"other": OTHER})
    before = study_in(tmp_path / "b")
    assert (study.name, study.scale_name) == ("test", "other")
    one, two = (
        json.loads(specs.node_spec(made, "small", "plain@seed=1")) for made in (before, study)
    )
    assert {key for key in one if one[key] != two[key]} == {"lr", "epochs"} and two["epochs"] == 5
    assert specs.node_spec(study, "small", "filled") == specs.node_spec(before, "small", "filled")
    assert specs.clean_spec(study, "rain") == specs.clean_spec(before, "rain")
    assert json.loads(specs.report_spec(study))["scale"] == "other"


@pytest.mark.parametrize(
    "words, sentence",
    [
        (
            "scale=heer",
            "config.yaml or --config: scale: there is no file .*heer.yaml; did you mean 'here'?",
        ),
        ("scale=[here]", "config.yaml or --config: scale: expected text, found a list of 1"),
        (
            "scale=../here",
            "config.yaml or --config: scale: '../here' does not fit. The name of a file in "
            "config/scales",
        ),
        (
            "recipes=small,smal",
            "config.yaml or --config: recipes: there is no file .*smal.yaml; did you mean 'small'?",
        ),
        (
            "recipes=small,small",
            "config.yaml or --config: recipes: 'small' occurs twice; keep one.",
        ),
        (
            "recipes=small,",
            "config.yaml or --config: recipes.1: '' does not fit. The name of a file in config",
        ),
        (
            "recipes=[]",
            "config.yaml or --config: recipes: expected at least 1 values, found an empty list",
        ),
        ("recipes=3", "config.yaml or --config: recipes: expected a list or text, found 3"),
        ("recipes=$(touch spoilt)", "config.yaml or --config: recipes.0: .* does not fit"),
    ],
)
def test_a_fault_of_the_command_line_names_it(tmp_path, words, sentence):
    found = sentences(tmp_path, said(words))
    assert len(found) == 1 and re.search(sentence, found[0]), found


def test_a_scale_without_a_base_of_the_recipe_is_told(tmp_path):
    bases = {"linear": {}}
    found = sentences(tmp_path, said("scale=other"), scales={"other": {"bases": bases}})
    assert found and all(
        "scales/other.yaml: bases does not name 'big'; add it there" in each for each in found
    )
