"""A run of linear models that are calibrated, picked and marked."""

import json

import numpy as np
import pandas as pd
import pytest
import yaml
from predicted import predicted
from tree import copy_of_tree, scored, snakemake

pytestmark = pytest.mark.slow

PRIOR = {
    "calibrate": "plain",
    "fit": "rain/dev",
    "method": "prior",
    "target": "uniform",
    "lambda": [0, 1.0],
}
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
        "same": {
            "calibrate": "plain",
            "fit": "ages/dev",
            "method": "prior",
            "target": "uniform",
            "lambda": [0],
        },
        "jury": {"vote": ["plain"], "rule": "soft", "ties": "lowest"},
        "pooled": {
            **PRIOR,
            "calibrate": "jury",
            "fit": "ages/dev",
            "target": "ages/unlabeled",
            "lambda": [0, 1],
        },
        "best": {"pick": ["plain", "pooled"], "fit": "ages/dev"},
    },
    "score": {"same": ["ages/dev"], "best": ["ages/dev", "ages/test"]},
}
POSTS = {"train": 120, "dev": 60, "test": 40, "decoys": 10, "unlabeled": 60}
DEMO = {
    "title": "T",
    "recipes": ["linear"],
    "scale": "demo",
    "made": {"seed": 1, "posts": {"smm4h24-task6": POSTS}},
}


def test_a_run_calibrates_picks_and_marks(tmp_path, forked_python):
    tree = copy_of_tree(tmp_path)
    for name, content in (("recipes/linear", LINEAR), ("studies/demo", DEMO)):
        (tree / f"config/{name}.yaml").write_text(yaml.safe_dump(content))
    done = snakemake(tree, python=forked_python)
    assert done.returncode == 0, done.stdout + done.stderr
    results = tree / "results/demo/linear"
    for point in ("plain@c=large", "plain@c=small"):  # lambda 0: the same record to the byte
        same, plain = (f"calibrate/{point.replace('plain', 'same')}", f"predict/{point}")
        one, other = (predicted(results / place, "ages/dev") for place in (same, plain))
        pd.testing.assert_frame_equal(one, other)
    fit = json.loads((results / "calibrate/pooled/scored.fit.json").read_text())
    assert fit["datasets"] == ["ages/dev", "ages/test"] and fit["pool"] > 0
    pool = predicted(results / "vote/jury", "ages/unlabeled", "teaching")
    assert len(pool) == fit["pool"], "the posts whose class shares are estimated are no scored ones"
    trained = json.loads((results / "finetune/plain@c=large/model.json").read_text())["classes"]
    assert np.allclose(
        fit["train"], np.array([trained["no"], trained["yes"]]) / sum(trained.values())
    )
    picked = json.loads((results / "pick/best/scored.fit.json").read_text())
    assert picked["picked"] == max(picked["candidates"], key=lambda row: row["score"])["node"]
    assert {("best*", "ages/dev"), ("best", "ages/test"), ("same@c=large*", "ages/dev")} <= scored(
        tree
    )
    again = snakemake(tree, "-n")
    assert "Nothing to be done" in again.stdout + again.stderr
