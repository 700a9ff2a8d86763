"""Picks: the best of several on gold posts, by the command, and the node in a recipe's graph."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from study_files import write_config

from postgrad.config.errors import ConfigError
from postgrad.records.posts import write_posts
from postgrad.records.predictions import (
    ABSTAIN,
    dataset_predictions,
    prediction_rows,
    read_predictions,
    write_predictions,
)
from postgrad.study import specs
from postgrad.study.study import Study

SPEC = {
    "node": "best",
    "of": ["a", "b", "c"],
    "fit": "rain/dev",
    "labels": ["no", "yes"],
    "positive": [1],
    "metric": "f1",
}
SETS = ["rain/test", "snow/test"]


def run(folder, answers, gold=(0, 1, 1)):
    """The command on candidates that answer dev with `answers`, a list of labels each."""
    ids = [f"p{i}" for i in range(len(gold))]
    write_posts(
        pd.DataFrame({"post_id": ids, "text": "t", "label": pd.array(gold, dtype="Int64")}),
        folder / "dev",
    )
    spec = json.dumps(SPEC | {"datasets": SETS})
    command = [sys.executable, "workflow/scripts/pick.py", "--spec", spec, "--gold", folder / "dev"]
    for place, labels in enumerate(answers):
        command += ["--predictions", SPEC["of"][place], folder / f"of{place}"]
        said = prediction_rows(
            ["t"], [[place, 0.5]], labels=[ABSTAIN], answers=[f"candidate {place}"]
        )
        rows = {"rain/dev": prediction_rows(ids, np.eye(2)[labels]), **dict.fromkeys(SETS, said)}
        write_predictions(rows, command[-1])
    command += ["--out", folder / "out", "--fit", folder / "fit.json"]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.parametrize(
    "answers, picked",
    [
        ([[0, 0, 1], [0, 1, 1], [1, 1, 1]], 1),
        ([[0, 0, 0], [0, 0, 1], [0, 1, 0]], 1),  # two are equal: the first
        ([[0, 1, 1], [0, 1, 1], [0, 1, 1]], 0),
    ],
)
def test_command_takes_the_first_of_the_best_as_it_is(tmp_path, answers, picked):
    done = run(tmp_path, answers)
    assert done.returncode == 0, done.stderr
    found, whole = read_predictions(tmp_path / "out"), read_predictions(tmp_path / f"of{picked}")
    pd.testing.assert_frame_equal(
        found, whole[whole["dataset"] != "rain/dev"].reset_index(drop=True)
    )
    assert [dataset_predictions(found, dataset)["answer"].tolist() for dataset in SETS] == [
        [f"candidate {picked}"]
    ] * 2
    fit = json.loads((tmp_path / "fit.json").read_text())
    assert fit["picked"] == SPEC["of"][picked] and fit["posts"] == 3 and fit["fit"] == "rain/dev"
    assert [row["node"] for row in fit["candidates"]] == SPEC["of"]
    assert max(row["score"] for row in fit["candidates"]) == fit["candidates"][picked]["score"]


def test_command_refuses_a_split_without_labels(tmp_path):
    done = run(tmp_path, [[0, 0, 1]] * 3, gold=(None, None, None))
    assert (
        done.returncode == 1 and done.stderr.startswith("pick: ") and done.stderr.count("\n") == 1
    )
    assert "no gold labels to choose on" in done.stderr and not (tmp_path / "out").exists()


def graph_of(folder, **changes):
    config = write_config(folder, **changes)
    study = Study({"study": "test", "check_data": False}, root=config)
    return study, study.graphs["small"]


def test_a_pick_over_one_axis_leaves_the_others(tmp_path):
    def recipe(content):
        content["models"]["plain"]["each"] = {"lr": {"high": 1.0e-4, "low": 1.0e-6, "mid": 1.0e-5}}
        content["predictors"]["best"] = {"pick": ["plain"], "fit": "rain/dev", "over": ["lr"]}

    study, graph = graph_of(tmp_path, recipe=recipe)
    assert graph.ids["best"] == ["best@seed=1", "best@seed=2"]
    members = ["plain@lr=high@seed=2", "plain@lr=low@seed=2", "plain@lr=mid@seed=2"]
    assert graph.nodes["best@seed=2"].members == members
    spec = json.loads(specs.node_spec(study, "small", "best@seed=2"))
    assert spec == SPEC | {"node": "best@seed=2", "of": members}
    assert graph.nodes["best@seed=2"].fitted == ("rain/dev",)


def test_candidates_stand_in_the_order_of_the_recipe(tmp_path):
    def recipe(content):
        content["predictors"]["best"] = {"pick": ["two", "plain", "one"], "fit": "rain/dev"}

    _, graph = graph_of(tmp_path, recipe=recipe)
    assert graph.nodes["best"].members == ["two", "plain@seed=1", "plain@seed=2", "one"]


def test_candidates_of_two_tasks_are_refused(tmp_path):
    def recipe(content):
        content["tasks"]["snow"] = "rain"
        content["models"]["snowy"] = {"finetune": "big", "data": ["snow/train"]}
        content["predictors"]["best"] = {"pick": ["plain", "snowy"], "fit": "rain/dev"}

    with pytest.raises(
        ConfigError, match="predictors.best: the posts of one node .* one task; found rain, snow"
    ):
        graph_of(tmp_path, recipe=recipe)
