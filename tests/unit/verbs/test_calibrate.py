"""A node of the verb calibrate in a graph: its axes, its spec, its marks, and what is refused."""

import json

import pytest
from study_files import write_config

from postgrad.config.errors import ConfigError
from postgrad.graph import queries
from postgrad.study import specs
from postgrad.study.study import Study

PRIOR = {
    "calibrate": "plain",
    "fit": "rain/dev",
    "method": "prior",
    "target": "uniform",
    "lambda": [0, 1.0],
}


def graph_of(folder, task=None, **predictors):
    def recipe(content):
        content["predictors"].update(predictors)

    config = write_config(folder, recipe=recipe, task=task)
    study = Study({"study": "test", "check_data": False}, root=config)
    return study, study.graphs["small"]


def test_a_calibration_has_a_node_for_each_seed_of_its_predictor(tmp_path):
    study, graph = graph_of(tmp_path, fair=PRIOR)
    assert graph.ids["fair"] == ["fair@seed=1", "fair@seed=2"]
    assert (
        graph.nodes["fair@seed=2"].members == ["plain@seed=2"]
        and graph.nodes["fair@seed=2"].task == "rain"
    )
    assert json.loads(specs.node_spec(study, "small", "fair@seed=2")) == {
        "node": "fair@seed=2",
        "of": ["plain@seed=2"],
        "fit": "rain/dev",
        "method": "prior",
        "target": "uniform",
        "lambda": [0, 1],
        "labels": ["no", "yes"],
        "positive": [1],
        "metric": "f1",
    }


def test_methods_may_be_an_axis(tmp_path):
    body = {key: value for key, value in PRIOR.items() if key != "method"}
    _, graph = graph_of(
        tmp_path, fair={**body, "calibrate": "one", "each": {"method": ["prior", "threshold"]}}
    )
    assert graph.ids["fair"] == ["fair@method=prior", "fair@method=threshold"]


def range_of(first, last, step):
    return {**PRIOR, "lambda": {"from": first, "to": last, "step": step}}


@pytest.mark.parametrize(
    ("first", "last", "step", "numbers"),
    [
        (
            0,
            1.5,
            0.1,
            [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5],
        ),
        (0.7, 1.0, 0.1, [0.7, 0.8, 0.9, 1.0]),
        (0, 1, 0.3, [0, 0.3, 0.6, 0.9]),
        (1, 1, 0.5, [1]),
    ],
)
def test_a_range_of_lambda_is_the_list_of_its_numbers(tmp_path, first, last, step, numbers):
    """The same floats, so that a spec has the same bytes in either form."""
    study, graph = graph_of(tmp_path / "range", fair=range_of(first, last, step))
    listed, _ = graph_of(tmp_path / "list", fair={**PRIOR, "lambda": numbers})
    assert graph.nodes["fair@seed=1"].options["lambda"] == numbers
    specs_of = [specs.node_spec(one, "small", "fair@seed=1") for one in (study, listed)]
    assert specs_of[0] == specs_of[1]


def test_ranges_of_lambda_may_be_an_axis(tmp_path):
    ranges = {"few": {"from": 0, "to": 1, "step": 0.5}, "one": [1.0]}
    body = {key: value for key, value in PRIOR.items() if key != "lambda"}
    body |= {"calibrate": "one", "each": {"lambda": ranges}}
    _, graph = graph_of(tmp_path, fair=body)
    found = {id: graph.nodes[id].options["lambda"] for id in graph.ids["fair"]}
    assert found == {"fair@lambda=few": [0, 0.5, 1.0], "fair@lambda=one": [1.0]}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (range_of(0, 1, 0), r"fair.lambda.step: expected at least 0.001, found 0. The distance"),
        (range_of(0, 1, -0.1), r"fair.lambda.step: expected at least 0.001, found -0.1."),
        (range_of(1, 0, 0.1), r"fair.lambda: the range is empty; write a `to` that is at least"),
        ({**PRIOR, "lambda": {"from": 0, "to": 1}}, r"fair.lambda: the key 'step' is missing"),
        (
            {**PRIOR, "lambda": {"form": 0, "to": 1, "step": 1}},
            r"no key 'form'; did you mean 'from'",
        ),
    ],
)
def test_a_range_that_has_no_numbers_is_refused(tmp_path, body, told):
    with pytest.raises(ConfigError, match=told):
        graph_of(tmp_path, fair=body)


def test_a_prior_among_the_methods_of_an_axis_needs_its_lambda(tmp_path):
    body = {
        "calibrate": "one",
        "fit": "rain/dev",
        "target": "uniform",
        "each": {"method": ["temperature", "prior"]},
    }
    with pytest.raises(ConfigError, match="predictors.fair: calibrate needs lambda"):
        graph_of(tmp_path, fair=body)


def test_a_vote_may_be_calibrated_and_a_calibration_voted_on_and_teach(tmp_path):
    _, graph = graph_of(
        tmp_path,
        fair={**PRIOR, "calibrate": "jury"},
        jury={"vote": ["plain"], "rule": "soft", "ties": "lowest"},
        both={"vote": ["fair", "one"], "rule": "soft", "ties": "lowest"},
    )
    assert queries.models_under(graph, "fair") == ["plain@seed=1", "plain@seed=2"]
    assert graph.nodes["both"].members == ["fair", "one"]


def test_what_stands_on_a_fit_is_marked(tmp_path):
    def recipe(content):
        content["predictors"]["sure"] = {**PRIOR, "calibrate": "one"}
        content["predictors"]["jury"] = {
            "vote": ["sure", "plain"],
            "rule": "soft",
            "ties": "lowest",
        }
        content["datasets"]["agreed"]["teachers"] = ["sure", "two"]

    study = Study(
        {"study": "test", "check_data": False}, root=write_config(tmp_path, recipe=recipe)
    )
    marks = json.loads(specs.report_spec(study))["recipes"]["small"]["marks"]
    pupils = [
        "again",
        "agreed",
        "expert",
        "jury",
        "sure",
        "together",
    ]  # expert learns from what sure has labelled
    assert marks["fitted"] == {name: ["rain/dev"] for name in pupils}
    assert not study.graphs["small"].nodes["plain@seed=1"].fitted


def test_without_dev_a_calibration_is_not_run(tmp_path):
    _, graph = graph_of(
        tmp_path, task=lambda task: task["splits"].pop("dev"), fair={**PRIOR, "calibrate": "plain"}
    )
    assert graph.not_run["fair"] == "rain has no split dev"


def test_votes_over_models_of_other_posts_have_no_one_prior(tmp_path):
    jury = {"vote": ["plain", "expert"], "rule": "soft", "ties": "lowest"}
    with pytest.raises(
        ConfigError, match="plain@seed=1 and expert@seed=1 learn from different posts"
    ):
        graph_of(tmp_path / "a", jury=jury, fair={**PRIOR, "calibrate": "jury"})
    _, graph = graph_of(
        tmp_path / "b",
        jury=jury,
        cool={"calibrate": "jury", "fit": "rain/dev", "method": "temperature"},
    )
    assert graph.ids["cool"] == ["cool"]


def test_unlabelled_posts_of_a_test_set_must_be_owned_up_to(tmp_path):
    def with_test(task):
        task["splits"]["test"] = task["splits"]["dev"]

    body = {**PRIOR, "target": "rain/test", "transductive": True}
    _, graph = graph_of(tmp_path, task=with_test, fair=body)
    assert (
        graph.nodes["fair@seed=1"].sources == ["rain/dev", "rain/test"]
        and graph.nodes["fair@seed=1"].transductive
    )


@pytest.mark.parametrize(
    "change, fault",
    [
        (
            lambda task: (task.pop("positive"), task.update(metric="macro_f1")),
            "positive from other classes.*rain.yaml names none",
        ),
        (lambda task: task.update(positive=["no", "yes"]), "separates positive from other classes"),
        (
            lambda task: task.update(metric="auc"),
            "no threshold changes an AUC, the metric of .*rain.yaml",
        ),
    ],
)
def test_a_threshold_needs_a_metric_that_it_moves(tmp_path, change, fault):
    cut = {"calibrate": "plain", "fit": "rain/dev", "method": "threshold"}
    with pytest.raises(ConfigError, match=f"predictors.fair.method: .*{fault}") as caught:
        graph_of(tmp_path, task=change, fair=cut)
    assert len(caught.value.sentences) == 1
