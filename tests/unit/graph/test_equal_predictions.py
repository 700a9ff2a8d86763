"""Predictors that must give equal predictions because they are one model at this scale."""

import json

import pytest
from study_files import write_config

from postgrad.graph.equal_predictions import equality_sentences, prediction_key
from postgrad.study import specs
from postgrad.study.study import Study

SOFT = {"rule": "soft", "ties": "lowest"}


def small_study(folder, change, scale=None):
    """The small study with a second base, `other`, for which the same tiny model stands."""

    def recipe(content):
        content["models"]["twin"] = {"finetune": "other", "data": ["rain/train"]}
        change(content)

    def two_bases(content):
        content["bases"]["other"] = dict(content["bases"]["big"])
        if scale:
            scale(content)

    def bases(content):
        content["other"] = {"kind": "causal", "hub": "other/model", "revision": "1" * 40}

    config = write_config(folder, recipe=recipe, scale=two_bases, bases=bases)
    return Study({"study": "test", "check_data": False}, root=config)


def sentences(folder, change, scale=None, most=None):
    return equality_sentences(small_study(folder, change, scale).graphs["small"], most)


def jury(*members, **keys):
    return lambda content: content["predictors"].update(
        jury={"vote": list(members), **SOFT, **keys}
    )


def test_two_members_of_a_vote_that_are_one_model(tmp_path):
    assert sentences(tmp_path / "a", jury("plain", "twin")) == [
        "jury: plain and twin give equal predictions at this scale (tiny)"
    ]
    # one sentence also where the vote is made for each seed
    assert sentences(tmp_path / "b", jury("plain", "twin", over=[])) == [
        "jury: plain and twin give equal predictions at this scale (tiny)"
    ]


def test_a_sentence_names_as_many_members_as_wished(tmp_path):
    def three(content):
        content["models"]["third"] = dict(content["models"]["twin"])
        jury("plain", "twin", "third")(content)

    assert sentences(tmp_path, three, most=2) == [
        "jury: plain, twin and 1 more give equal predictions at this scale (tiny)"
    ]


@pytest.mark.parametrize(
    "own",
    [
        {"lr": 0.5},
        {"each": {"seed": [7, 8]}},
        {"data": ["rain/train", "filled"]},
        {"finetune": "reader"},
        {"max_length": 32},
    ],
)
def test_another_option_seed_dataset_or_base_makes_another_model(tmp_path, own):
    def change(content):
        content["models"]["twin"] |= own
        jury("plain", "twin")(content)

    assert sentences(tmp_path, change) == []


def test_another_length_in_prediction_makes_other_predictions_and_another_batch_does_not(tmp_path):
    def predicting(**options):
        return lambda content: content["bases"]["other"].update(predict=options)

    vote = jury("plain", "twin")
    assert sentences(tmp_path / "a", vote, predicting(max_length=16)) == []
    assert len(sentences(tmp_path / "b", vote, predicting(batch_tokens=16, pool=9))) == 1


def test_two_candidates_of_a_pick(tmp_path):
    def change(content):
        content["predictors"]["best"] = {"pick": ["plain", "twin"], "fit": "rain/dev"}

    assert sentences(tmp_path, change) == [
        "best: plain and twin give equal predictions at this scale (tiny)"
    ]


def test_seeds_of_a_linear_model_are_one_model(tmp_path):
    def change(content):
        content["models"]["lines"] = {"finetune": "linear", "data": ["rain/train"]}
        jury("lines")(content)

    assert sentences(tmp_path, change, most=2) == [
        "jury: lines@seed=1 and lines@seed=2 give equal predictions at this scale (linear)"
    ]


def test_equal_members_make_votes_and_calibrated_predictors_equal(tmp_path):
    cool = {"method": "temperature", "fit": "rain/dev"}

    def change(content):
        content["predictors"] |= {
            "one-vote": {"vote": ["plain", "expert"], **SOFT},
            "two-vote": {"vote": ["twin", "expert"], **SOFT},
            "one-cool": {"calibrate": "one-vote", **cool},
            "two-cool": {"calibrate": "two-vote", **cool},
        }
        content["compare"]["cooled"] = {"chain": ["one-cool", "two-cool"], "sets": ["rain/test"]}

    told = "chain cooled: one-cool and two-cool give equal predictions at this scale (tiny)"
    assert sentences(tmp_path / "a", change) == [told]

    def weighed(content):
        change(content)
        content["predictors"]["two-vote"]["weights"] = {"twin": 1, "expert": 2}

    assert sentences(tmp_path / "b", weighed) == []


def test_neighbouring_steps_of_a_chain_and_a_control_beside_the_step_before_it(tmp_path):
    def change(content):
        chain = content["compare"]["rain"]
        chain |= {"chain": ["plain", "twin", "expert"], "controls": {"again": "expert"}}

    told = "chain rain: plain and twin give equal predictions at this scale (tiny)"
    assert sentences(tmp_path / "a", change) == [told]

    def apart(content):
        content["compare"]["rain"] |= {"chain": ["plain", "expert", "twin"], "controls": {}}

    assert sentences(tmp_path / "b", apart) == []

    def control(content):
        content["compare"]["rain"] |= {"chain": ["plain", "expert"], "controls": ["twin"]}

    assert sentences(tmp_path / "c", control) == [told]


def test_a_model_that_stands_on_equal_models_is_equal(tmp_path):
    def change(content):
        content["models"]["later"] = {"finetune": "twin", "data": ["rain/train"]}
        content["models"]["again"]["finetune"] = "plain"
        jury("later", "again")(content)

    graph = small_study(tmp_path, change).graphs["small"]
    later, again = (prediction_key(graph, f"{name}@seed=2") for name in ("later", "again"))
    assert later == again != prediction_key(graph, "again@seed=1")
    assert len(equality_sentences(graph)) == 1


def test_the_report_lists_the_sentences_with_all_names(tmp_path):
    study = small_study(tmp_path, jury("plain", "twin"))
    body = json.loads(specs.report_spec(study))["recipes"]["small"]
    assert body["equal"] == equality_sentences(study.graphs["small"]) != []
