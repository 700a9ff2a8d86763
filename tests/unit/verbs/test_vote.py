"""A vote in a graph: the axes that it reduces or none, and the weights of its members."""

import json

import pytest
from study_files import write_config

from postgrad.study import specs
from postgrad.study.study import Study

JURY = {"vote": ["plain", "expert"], "rule": "soft", "ties": "lowest"}


def study_in(folder, predictors, models=None, more=None):
    """The small study with these predictors and further models.

    Of its own, plain and expert have the axis seed.
    """

    def recipe(content):
        content["predictors"] = predictors
        content["models"] |= models or {}
        content.pop("compare")
        content["score"] = {name: ["rain/dev"] for name in predictors}
        if more:
            more(content)

    return Study(
        {"study": "test", "check_data": False}, root=write_config(folder / "config", recipe=recipe)
    )


def members(study):
    """{id: members} of the predictors."""
    return {
        id: node.members
        for id, node in study.graphs["small"].nodes.items()
        if node.verb in ("vote", "pick")
    }


def spec(study, id):
    return json.loads(specs.node_spec(study, "small", id))


def test_over_no_axis_there_is_a_vote_for_each_seed(tmp_path):
    study = study_in(tmp_path, {"pair": {**JURY, "over": []}, "jury": JURY})
    assert members(study) == {
        "pair@seed=1": ["plain@seed=1", "expert@seed=1"],
        "pair@seed=2": ["plain@seed=2", "expert@seed=2"],
        "jury": ["plain@seed=1", "plain@seed=2", "expert@seed=1", "expert@seed=2"],
    }
    assert spec(study, "pair@seed=2") == {"node": "pair@seed=2", "rule": "soft", "ties": "lowest"}
    pairs = json.loads(specs.score_spec(study, "small"))["pairs"]
    assert [pair["axes"] for pair in pairs if pair["node"] == "pair"] == [
        {"seed": "1"},
        {"seed": "2"},
    ]


def test_over_no_axis_there_is_a_vote_for_each_point_of_several_axes(tmp_path):
    wide = {
        name: {
            "finetune": "big",
            "data": ["rain/train"],
            "each": {"lr": [0.1, 0.2], "seed": [1, 2]},
        }
        for name in "ab"
    }
    study = study_in(tmp_path, {"pair": {**JURY, "vote": ["a", "b"], "over": []}}, wide)
    assert (
        members(study)["pair@lr=0.2@seed=1"] == ["a@lr=0.2@seed=1", "b@lr=0.2@seed=1"]
        and len(members(study)) == 4
    )


@pytest.mark.parametrize("order", [["plain", "one"], ["one", "plain"]])
def test_a_member_without_the_axis_votes_at_each_of_its_values(tmp_path, order):
    study = study_in(tmp_path, {"pair": {**JURY, "vote": order, "over": []}})
    found = {id: sorted(ids) for id, ids in members(study).items()}
    assert found == {f"pair@seed={seed}": ["one", f"plain@seed={seed}"] for seed in (1, 2)}


def test_members_are_joined_on_equal_values(tmp_path):
    """Of seeds 1 and 2, and 2 and 3, both have the second alone."""
    late = {"late": {"finetune": "big", "data": ["rain/train"], "each": {"seed": [2, 3]}}}
    study = study_in(tmp_path, {"pair": {**JURY, "vote": ["plain", "late"], "over": []}}, late)
    assert members(study) == {"pair@seed=2": ["plain@seed=2", "late@seed=2"]}


def test_the_axes_that_are_not_named_stay(tmp_path):
    """A member that lacks the axis that stays votes at each of its values, too."""
    wide = {
        "wide": {
            "finetune": "big",
            "data": ["rain/train"],
            "each": {"lr": [0.1, 0.2], "seed": [1, 2]},
        }
    }
    study = study_in(
        tmp_path, {"jury": {**JURY, "vote": ["wide", "plain"], "over": ["seed"]}}, wide
    )
    plain = ["plain@seed=1", "plain@seed=2"]
    assert members(study) == {
        f"jury@lr={lr}": [f"wide@lr={lr}@seed=1", f"wide@lr={lr}@seed=2", *plain]
        for lr in (0.1, 0.2)
    }


def test_a_pick_over_no_axis_chooses_at_each_seed(tmp_path):
    study = study_in(
        tmp_path, {"best": {"pick": ["plain", "expert"], "fit": "rain/dev", "over": []}}
    )
    assert members(study) == {
        f"best@seed={seed}": [f"plain@seed={seed}", f"expert@seed={seed}"] for seed in (1, 2)
    }


def test_weights_stand_in_the_order_of_the_members(tmp_path):
    """Whatever their order in the file.

    A member that is made for two seeds has its weight twice.
    """
    weighted = {
        **JURY,
        "vote": ["plain", "one", "expert"],
        "weights": {"expert": 0.5, "plain": 2, "one": 3},
    }
    study = study_in(tmp_path, {"jury": weighted, "pair": {**weighted, "over": []}})
    assert spec(study, "jury") == {
        "node": "jury",
        "rule": "soft",
        "ties": "lowest",
        "weights": [2, 2, 3, 0.5, 0.5],
    }
    assert spec(study, "pair@seed=1")["weights"] == [2, 3, 0.5]
    assert study.graphs["small"].nodes["pair@seed=1"].members == [
        "plain@seed=1",
        "one",
        "expert@seed=1",
    ]


def test_weights_name_the_members_of_each_task(tmp_path):
    def twice(content):
        content.update(tasks={"rain": "rain", "snow": "rain"}, datasets={}, score={})
        content["for"] = {"task": ["rain", "snow"]}
        content["models"] = {
            name: {"finetune": "big", "data": ["task/train"], "seed": 1} for name in ("a", "b")
        }

    study = study_in(
        tmp_path, {"jury": {**JURY, "vote": ["a", "b"], "weights": {"b": 3, "a": 1}}}, more=twice
    )
    for task in ("rain", "snow"):
        assert members(study)[f"{task}-jury"] == [f"{task}-a", f"{task}-b"]
        assert spec(study, f"{task}-jury")["weights"] == [1, 3]
