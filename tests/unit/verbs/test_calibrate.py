"""A node of the verb calibrate in a graph: its axes, its spec, its marks, and what is refused."""

import json

import pytest
from study_files import write_config

from postgrad.config.errors import Fault
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
        "node": "fair@seed=2", "of": ["plain@seed=2"], "fit": "rain/dev", "method": "prior", "target": "uniform",
        "lambda": [0, 1], "labels": ["no", "yes"], "positive": [1], "metric": "f1",
    }  # fmt: skip


def test_methods_may_be_an_axis(tmp_path):
    body = {key: value for key, value in PRIOR.items() if key != "method"}
    _, graph = graph_of(
        tmp_path, fair={**body, "calibrate": "one", "each": {"method": ["prior", "threshold"]}}
    )
    assert graph.ids["fair"] == ["fair@method=prior", "fair@method=threshold"]


def test_a_prior_among_the_methods_of_an_axis_needs_its_lambda(tmp_path):
    body = {
        "calibrate": "one",
        "fit": "rain/dev",
        "target": "uniform",
        "each": {"method": ["temperature", "prior"]},
    }
    with pytest.raises(Fault, match="predictors.fair: calibrate needs lambda"):
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
    with pytest.raises(Fault, match="plain@seed=1 and expert@seed=1 learn from different posts"):
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
            "positive classes .*rain.yaml names none",
        ),
        (lambda task: task.update(positive=["no", "yes"]), "positive classes from others"),
        (
            lambda task: task.update(metric="auc"),
            "no threshold changes an AUC, the metric of .*rain.yaml",
        ),
    ],
)
def test_a_threshold_needs_a_metric_that_it_moves(tmp_path, change, fault):
    cut = {"calibrate": "plain", "fit": "rain/dev", "method": "threshold"}
    with pytest.raises(Fault, match=f"predictors.fair.method: .*{fault}") as caught:
        graph_of(tmp_path, task=change, fair=cut)
    assert len(caught.value.sentences) == 1
