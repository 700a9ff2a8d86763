"""Calibrations on matrices small enough to check by eye, the command, and the node in a recipe's graph."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import yaml
from study_files import write_config
from tree import copy_of_tree, scored, snakemake

from postgrad.config.errors import Fault
from postgrad.evaluation.metrics import scores
from postgrad.graph import queries
from postgrad.predictors.calibration import applied, cuts, estimated_prior, first_best, fitted, moved, prior_adjusted
from postgrad.records.posts import write_posts
from postgrad.records.predictions import ABSTAIN, matrix, read_predictions, softmax, write_predictions
from postgrad.study import specs
from postgrad.study.study import Study

RNG = np.random.default_rng(1)
LOGITS = RNG.normal(scale=3, size=(50, 4))
TRAIN = np.array([1131, 160, 395, 114]) / 1800  # SMM4H-2024 Task 3
UNIFORM = np.full(4, 0.25)


# -- the class prior ---------------------------------------------------------------------------------


def test_lambda_0_is_the_identity():
    assert (prior_adjusted(LOGITS, TRAIN, UNIFORM, 0.0) == LOGITS).all()


@pytest.mark.parametrize("target", [UNIFORM, np.array([0.1, 0.2, 0.3, 0.4])])
@pytest.mark.parametrize("strength", [0.0, 0.3, 0.5, 1.0, 1.3])
def test_rebalancing_and_logit_adjustment_are_one(strength, target):
    probs = softmax(LOGITS)
    rebalanced = probs * target / TRAIN
    rebalanced /= rebalanced.sum(axis=1, keepdims=True)
    mixed = probs ** (1 - strength) * rebalanced**strength  # Tian et al. 2020
    mixed /= mixed.sum(axis=1, keepdims=True)
    path = softmax(LOGITS - strength * np.log(TRAIN) + strength * np.log(target))  # Menon et al. 2021
    found = softmax(prior_adjusted(LOGITS, TRAIN, target, strength))
    assert np.abs(found - mixed).max() < 1e-12 and np.abs(found - path).max() < 1e-12


def test_a_rare_class_wins_once_its_prior_is_taken_out():
    logits = np.log([[0.7, 0.3]])  # of 90 and 10 posts: the odds 7 : 3 become 7/9 : 3
    assert np.allclose(softmax(prior_adjusted(logits, [0.9, 0.1], [0.5, 0.5], 1.0)), [[7 / 34, 27 / 34]])


def test_a_class_without_training_posts_loses():
    turned = prior_adjusted(np.zeros((1, 3)), [0.5, 0.5, 0.0], [1 / 3] * 3, 0.5)
    assert np.isfinite(turned).all() and np.allclose(softmax(turned), [[0.5, 0.5, 0]])
    assert (prior_adjusted(np.zeros((1, 3)), [0.5, 0.5, 0.0], [1 / 3] * 3, 0.0) == 0).all()


def test_em_keeps_a_prior_that_fits():
    assert np.allclose(estimated_prior(np.array([[0.8, 0.2], [0.6, 0.4]]), [0.7, 0.3]), [0.7, 0.3])


def test_em_counts_posts_that_leave_no_doubt():
    probs = np.array([[1.0, 0.0]] + [[0.0, 1.0]] * 3)
    assert np.allclose(estimated_prior(probs, [0.9, 0.1]), [0.25, 0.75])


def test_em_finds_the_prior_of_a_shifted_sample():
    """Two normal classes one apart: posteriors under a half each, of a sample with one in ten positive."""
    y = RNG.random(20_000) < 0.1
    logit = RNG.normal(size=len(y)) * 2 + np.where(y, 2, -2)  # x ~ N(+-1, 1) has the log odds 2x
    probs = softmax(np.stack([np.zeros(len(y)), logit], axis=1))
    assert estimated_prior(probs, [0.5, 0.5])[1] == pytest.approx(y.mean(), abs=0.01)
    assert estimated_prior(probs, [0.5, 0.5])[1] < probs[:, 1].mean() - 0.05  # the mean posterior lags behind


def test_em_leaves_a_class_without_training_posts_at_zero():
    shares = estimated_prior(softmax(LOGITS), [0.5, 0.5, 0, 0])
    assert shares[2] == shares[3] == 0 and shares.sum() == pytest.approx(1)
    with pytest.raises(ValueError, match="name another split"):
        estimated_prior(np.zeros((0, 0)), [0.5, 0.5])


# -- thresholds --------------------------------------------------------------------------------------


def probabilities(*positive):
    return np.log(np.array([[1 - p, p] for p in positive]))


def test_cuts_lie_where_a_right_answer_stands_above_a_wrong_one():
    logits, gold = probabilities(0.1, 0.3, 0.4, 0.2), np.array([0, 1, 1, 0])
    odds = sorted(logits[:, 1] - logits[:, 0])
    assert cuts(logits, gold, [1]) == pytest.approx(
        [0.0, odds[3] + 1, (odds[1] + odds[2]) / 2, odds[0] - 1]  # .2 | .3 is the only turn; nearest to .5 first
    )


def test_the_best_cut_is_as_good_as_any():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        logits, gold = rng.normal(size=(30, 2)).round(1), rng.integers(0, 2, 30)
        margins = np.unique(logits[:, 1] - logits[:, 0])
        every = [*(margins[1:] + margins[:-1]) / 2, margins[0] - 1, margins[-1] + 1]
        for metric in ("f1", "macro_f1", "accuracy"):

            def score(cut, logits=logits, gold=gold, metric=metric):
                turned = moved(logits, [1], cut)
                found = scores(gold, turned.argmax(axis=1), softmax(turned), ["no", "yes"], [1], metric)
                return found["values"]["official"]

            assert score(first_best(cuts(logits, gold, [1]), score)[0]) == max(map(score, every))


def test_a_cut_moves_all_positive_classes():
    logits = np.array([[0.0, 2.0, 1.0], [0.0, 0.5, 0.6]])
    assert moved(logits, [1, 2], 1.0).argmax(axis=1).tolist() == [1, 0]
    assert moved(logits, [1, 2], 0.0).argmax(axis=1).tolist() == [1, 2]


# -- which of several --------------------------------------------------------------------------------


def test_the_first_of_equals_is_best():
    assert first_best(["a", "b", "c"], {"a": 1, "b": 2, "c": 2}.get) == ("b", [1, 2, 2])


def test_of_equal_lambdas_the_smallest_stands_and_of_equal_cuts_a_half():
    logits, gold = probabilities(0.1, 0.9), np.array([0, 1])
    spec = {"labels": ["no", "yes"], "positive": [1], "target": "uniform", "lambda": [1.0, 0.0, 0.5]}
    fit = fitted({**spec, "method": "prior"}, gold, logits, lambda fit: 1.0, counts=[3, 1])
    assert fit["lambda"] == 0.0 and [strength for strength, _ in fit["tried"]] == [0.0, 0.5, 1.0]
    fit = fitted({**spec, "method": "threshold"}, gold, logits, lambda fit: 1.0)
    assert fit["cut"] == 0.0 and fit["threshold"] == 0.5 and (applied(logits, fit) == logits).all()


def test_a_target_is_read_by_the_names_of_the_classes():
    spec = {"method": "prior", "labels": ["no", "yes"], "target": {"yes": 0.3, "no": 0.7}, "lambda": [1.0]}
    fit = fitted(spec, np.array([0]), LOGITS[:1, :2], lambda fit: 1.0, counts=[3, 1])
    assert fit["target"] == [0.7, 0.3] and fit["train"] == [0.75, 0.25]


# -- the command -------------------------------------------------------------------------------------

GOLD = [0, 0, 0, 0, 1, 1]
DEV = probabilities(0.1, 0.2, 0.1, 0.3, 0.4, 0.45)  # all are called no; from .35 on all would be right
SPEC = {
    "node": "fair", "of": ["plain"], "fit": "rain/dev", "labels": ["no", "yes"], "positive": [1], "metric": "f1"
}  # fmt: skip


def run(folder, labels=None, logits=DEV, gold=GOLD, **options):
    ids = [f"p{i}" for i in range(len(logits))]
    write_posts(pd.DataFrame({"post_id": ids, "text": "t", "label": pd.array(gold, dtype="Int64")}), folder / "dev")
    write_predictions(ids, logits, folder / "on", labels=labels)
    write_predictions(["a", "b", "c"], probabilities(0.36, 0.2, 0.5), folder / "of", labels=[0, 0, ABSTAIN])
    write_predictions([f"u{i}" for i in range(4)], probabilities(0.9, 0.9, 0.9, 0.1), folder / "pool")
    (folder / "model.json").write_text(json.dumps({"classes": {"no": 80, "yes": 20}}))
    command = [sys.executable, "workflow/scripts/calibrate.py", "--spec", json.dumps(SPEC | options)]
    files = {"predictions": "of", "gold": "dev", "on-gold": "on", "model": "model.json", "out": "o", "fit": "f.json"}
    if "/" in options.get("target", ""):
        files["pool"] = "pool"
    for key, name in files.items():
        command += [f"--{key}", folder / name]
    return subprocess.run(command, capture_output=True, text=True)


def fit_of(folder, **options):
    done = run(folder, **options)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "f.json").read_text())


def test_command_fits_a_threshold_and_leaves_abstentions(tmp_path):
    fit = fit_of(tmp_path, method="threshold")
    assert 0.3 < fit["threshold"] < 0.4 and fit["before"]["score"] == 0 and fit["after"]["score"] == 1
    assert {key: fit[key] for key in ("node", "of", "fit", "posts", "metric", "method", "pool")} == {
        "node": "fair", "of": ["plain"], "fit": "rain/dev", "posts": 6, "metric": "f1", "method": "threshold",
        "pool": None,
    }  # fmt: skip
    frame = read_predictions(tmp_path / "o")
    assert frame["post_id"].tolist() == ["a", "b", "c"] and frame["label"].tolist() == [1, 0, ABSTAIN]
    assert np.allclose(matrix(frame)[2], [0.5, 0.5])  # no answer: the logits stay
    assert (matrix(frame)[:2].argmax(axis=1) == [1, 0]).all()


def test_command_fits_a_temperature(tmp_path):
    fit = fit_of(tmp_path, method="temperature")
    assert fit["after"]["log loss"] < fit["before"]["log loss"] and fit["after"]["score"] == fit["before"]["score"]
    logits = matrix(read_predictions(tmp_path / "o"), "logits")
    assert np.allclose(logits[0] * fit["temperature"], probabilities(0.36)[0])


def test_command_exchanges_the_prior(tmp_path):
    fit = fit_of(tmp_path, method="prior", target="uniform", **{"lambda": [0, 0.4, 0.5, 1]})
    # yes where p / (1 - p) > 4^-lambda: at .4 from .365 on, at .5 from .333 on, at 1 from .2 on
    assert fit["lambda"] == 0.4 and fit["train"] == [0.8, 0.2] and fit["after"]["score"] == 1
    assert [strength for strength, _ in fit["tried"]] == [0, 0.4, 0.5, 1]
    assert read_predictions(tmp_path / "o")["label"].tolist() == [0, 0, ABSTAIN]


def test_command_estimates_the_prior_of_a_split(tmp_path):
    fit = fit_of(tmp_path, method="prior", target="rain/unlabeled", **{"lambda": [1]})
    assert fit["pool"] == 4 and fit["target"][1] > 0.7 and sum(fit["target"]) == pytest.approx(1)


def test_an_abstention_on_dev_is_not_fitted_on_and_counts_as_wrong(tmp_path):
    fit = fit_of(tmp_path, method="threshold", labels=[0, 0, 0, 0, 0, ABSTAIN])
    assert fit["after"]["score"] == pytest.approx(2 / 3)  # one of two found, none too many


def test_command_refuses_in_one_sentence_without_a_post(tmp_path):
    for options, fault in (
        ({"method": "threshold", "gold": [None] * 6}, "answers no gold post"),
        ({"method": "threshold", "labels": [ABSTAIN] * 6}, "answers no gold post"),
        ({"method": "temperature", "metric": "auc", "gold": [0] * 6}, "auc needs gold posts of every class"),
    ):
        done = run(tmp_path, **options)
        assert done.returncode == 1 and done.stderr.startswith("calibrate: ") and done.stderr.count("\n") == 1
        assert fault in done.stderr and not (tmp_path / "o").exists()


# -- the node in a graph -----------------------------------------------------------------------------

PRIOR = {"calibrate": "plain", "fit": "rain/dev", "method": "prior", "target": "uniform", "lambda": [0, 1.0]}


def graph_of(folder, task=None, **predictors):
    def recipe(content):
        content["predictors"].update(predictors)

    config = write_config(folder, recipe=recipe, task=task)
    study = Study({"study": "test", "check_data": False}, root=config)
    return study, study.graphs["small"]


def test_a_calibration_has_a_node_for_each_seed_of_its_predictor(tmp_path):
    study, graph = graph_of(tmp_path, fair=PRIOR)
    assert graph.ids["fair"] == ["fair@seed=1", "fair@seed=2"]
    assert graph.nodes["fair@seed=2"].members == ["plain@seed=2"] and graph.nodes["fair@seed=2"].task == "rain"
    assert json.loads(specs.node_spec(study, "small", "fair@seed=2")) == {
        "node": "fair@seed=2", "of": ["plain@seed=2"], "fit": "rain/dev", "method": "prior", "target": "uniform",
        "lambda": [0, 1], "labels": ["no", "yes"], "positive": [1], "metric": "f1",
    }  # fmt: skip


def test_methods_may_be_an_axis(tmp_path):
    body = {key: value for key, value in PRIOR.items() if key != "method"}
    _, graph = graph_of(tmp_path, fair={**body, "calibrate": "one", "each": {"method": ["prior", "threshold"]}})
    assert graph.ids["fair"] == ["fair@method=prior", "fair@method=threshold"]


def test_a_prior_among_the_methods_of_an_axis_needs_its_lambda(tmp_path):
    body = {"calibrate": "one", "fit": "rain/dev", "target": "uniform", "each": {"method": ["temperature", "prior"]}}
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
        content["predictors"]["jury"] = {"vote": ["sure", "plain"], "rule": "soft", "ties": "lowest"}
        content["datasets"]["agreed"]["teachers"] = ["sure", "two"]

    study = Study({"study": "test", "check_data": False}, root=write_config(tmp_path, recipe=recipe))
    rows = json.loads(specs.report_spec(study))["recipes"]["small"]["deviations"]
    found = [(row["node"], row["used"]) for row in rows if row["key"] == "fitted on"]
    pupils = ["again", "agreed", "expert", "jury", "sure", "together"]  # expert learns from what sure has labelled
    assert found == [(name, "rain/dev") for name in pupils]
    assert not study.graphs["small"].nodes["plain@seed=1"].fitted


def test_without_dev_a_calibration_is_not_run(tmp_path):
    _, graph = graph_of(tmp_path, task=lambda task: task["splits"].pop("dev"), fair={**PRIOR, "calibrate": "plain"})
    assert graph.not_run["fair"] == "rain has no split dev"


def test_votes_over_models_of_other_posts_have_no_one_prior(tmp_path):
    jury = {"vote": ["plain", "expert"], "rule": "soft", "ties": "lowest"}
    with pytest.raises(Fault, match="plain@seed=1 and expert@seed=1 learn from different posts"):
        graph_of(tmp_path / "a", jury=jury, fair={**PRIOR, "calibrate": "jury"})
    _, graph = graph_of(
        tmp_path / "b", jury=jury, cool={"calibrate": "jury", "fit": "rain/dev", "method": "temperature"}
    )
    assert graph.ids["cool"] == ["cool"]


def test_unlabelled_posts_of_a_test_set_must_be_owned_up_to(tmp_path):
    def with_test(task):
        task["splits"]["test"] = task["splits"]["dev"]

    body = {**PRIOR, "target": "rain/test", "transductive": True}
    _, graph = graph_of(tmp_path, task=with_test, fair=body)
    assert graph.nodes["fair@seed=1"].sources == ["rain/dev", "rain/test"] and graph.nodes["fair@seed=1"].transductive


@pytest.mark.parametrize(
    "change, fault",
    [
        (
            lambda task: (task.pop("positive"), task.update(metric="macro_f1")),
            "positive classes .*rain.yaml names none",
        ),
        (lambda task: task.update(positive=["no", "yes"]), "positive classes from others"),
        (lambda task: task.update(metric="auc"), "no threshold changes an AUC, the metric of .*rain.yaml"),
    ],
)
def test_a_threshold_needs_a_metric_that_it_moves(tmp_path, change, fault):
    cut = {"calibrate": "plain", "fit": "rain/dev", "method": "threshold"}
    with pytest.raises(Fault, match=f"predictors.fair.method: .*{fault}") as caught:
        graph_of(tmp_path, task=change, fair=cut)
    assert len(caught.value.sentences) == 1


# -- a run -------------------------------------------------------------------------------------------

LINEAR = {
    "title": "Linear models, calibrated and picked",
    "tasks": {"ages": "smm4h24-task6"},
    "defaults": {"finetune": {"seed": 1}},
    "models": {
        "plain": {
            "finetune": "linear",
            "data": ["ages/train"],
            "class_weights": "none",
            "each": {"c": {"large": 10.0, "small": 0.01}},
        }
    },
    "predictors": {
        "same": {"calibrate": "plain", "fit": "ages/dev", "method": "prior", "target": "uniform", "lambda": [0]},
        "jury": {"vote": ["plain"], "rule": "soft", "ties": "lowest"},
        "pooled": {**PRIOR, "calibrate": "jury", "fit": "ages/dev", "target": "ages/unlabeled", "lambda": [0, 1]},
        "best": {"pick": ["plain", "pooled"], "fit": "ages/dev"},
    },
    "score": {"same": ["ages/dev"], "best": ["ages/dev", "ages/test"]},
}
POSTS = {"train": 120, "dev": 60, "test": 40, "decoys": 10, "unlabeled": 60}
DEMO = {"title": "T", "recipes": ["linear"], "scale": "demo", "made": {"seed": 1, "posts": {"smm4h24-task6": POSTS}}}


def test_a_run_calibrates_picks_and_marks(tmp_path):
    tree = copy_of_tree(tmp_path)
    for name, content in (("recipes/linear", LINEAR), ("studies/demo", DEMO)):
        (tree / f"config/{name}.yaml").write_text(yaml.safe_dump(content))
    done = snakemake(tree)
    assert done.returncode == 0, done.stdout + done.stderr
    results = tree / "results/demo/linear"
    for point in ("plain@c=large", "plain@c=small"):  # lambda 0: the same record to the byte
        made = results / f"calibrate/{point.replace('plain', 'same')}/ages/dev.parquet"
        assert made.read_bytes() == (results / f"predict/{point}/ages/dev.parquet").read_bytes()
    fits = [json.loads(path.read_text()) for path in sorted((results / "calibrate/pooled/ages").glob("*.fit.json"))]
    assert len(fits) == 2 and fits[0] == fits[1]  # one fit, whatever it is applied to
    trained = json.loads((results / "finetune/plain@c=large/model.json").read_text())["classes"]
    assert np.allclose(fits[0]["train"], np.array([trained["no"], trained["yes"]]) / sum(trained.values()))
    picked = json.loads((results / "pick/best/ages/test.fit.json").read_text())
    assert picked["picked"] == max(picked["candidates"], key=lambda row: row["score"])["node"]
    assert {("best*", "ages/dev"), ("best", "ages/test"), ("same@c=large*", "ages/dev")} <= scored(tree)
    again = snakemake(tree, "-n")
    assert "Nothing to be done" in again.stdout + again.stderr
