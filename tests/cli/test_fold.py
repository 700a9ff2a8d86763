"""The command fold, its node in a graph, and a run in which no model reads its held-out posts."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import yaml
from jobs import job_graph, planned
from predicted import predicted
from study_files import write_config
from tree import ROOT, copy_of_tree, scored, snakemake

from postgrad.corpus.duplicates import GROUPS
from postgrad.graph import queries
from postgrad.records.parquet_files import write_table
from postgrad.records.posts import read_posts, read_posts_without_dropped, write_posts
from postgrad.records.predictions import prediction_matrix
from postgrad.study import specs
from postgrad.study.study import Study

# -- the command
# -------------------------------------------------------------------------------------


def corpus(folder):
    """Posts: 16 of train, 8 of dev, and a pool.

    u0 of the pool copies a post of train, u1 has the author of another one, and u2 is unrelated.
    """
    train = pd.DataFrame(
        {"post_id": [f"t{i}" for i in range(16)], "text": "x", "label": [i % 2 for i in range(16)]}
    )
    dev = pd.DataFrame(
        {"post_id": [f"d{i}" for i in range(8)], "text": "x", "label": [i % 2 for i in range(8)]}
    )
    pool = pd.DataFrame({"post_id": ["u0", "u1", "u2"], "text": "x", "label": None})
    train["author"], pool["author"] = [None] * 15 + ["k"], [None, "k", None]
    for name, frame in (("train", train), ("dev", dev), ("unlabeled", pool)):
        write_posts(frame, folder / f"{name}.parquet")
    rows = [
        (id, split, id)
        for split, frame in (("train", train), ("dev", dev), ("unlabeled", pool))
        for id in frame["post_id"]
    ]
    groups = pd.DataFrame(rows, columns=GROUPS.names)
    groups.loc[groups["post_id"].isin(["t0", "d0", "u0"]), "group"] = "same"
    write_table(groups, folder / "groups.parquet", GROUPS)
    write_table(
        pd.DataFrame({"post_id": ["t1"], "split": "train", "reason": "duplicate"}),
        folder / "drop.parquet",
        GROUPS,
    )


def fold(folder, number, k=4):
    spec = {
        "node": f"pooled@fold={number}",
        "fold": number,
        "k": k,
        "seed": 42,
        "classes": ["no", "yes"],
    }
    splits = [folder / f"{split}.parquet" for split in ("train", "dev", "unlabeled")]
    out, drop = folder / f"{number}.parquet", folder / f"{number}.drop.parquet"
    command = [
        sys.executable,
        "workflow/scripts/fold.py",
        "--spec",
        json.dumps(spec),
        "--data",
        *splits[:2],
    ]
    command += [
        "--drop",
        folder / "drop.parquet",
        "--corpus",
        *splits,
        "--groups",
        folder / "groups.parquet",
    ]
    done = subprocess.run(
        [*command, "--out", out, "--out-drop", drop], cwd=ROOT, capture_output=True, text=True
    )
    return done, out, drop


def test_every_pooled_post_is_held_out_once_and_what_belongs_with_it_is_left_out(tmp_path):
    corpus(tmp_path)
    held, beside = [], []
    for number in range(1, 5):
        done, out, drop = fold(tmp_path, number)
        assert done.returncode == 0, done.stderr
        posts, dropped = read_posts(out), set(pd.read_parquet(drop)["post_id"])
        assert posts["post_id"].tolist() == [f"t{i}" for i in range(16) if i != 1] + [
            f"d{i}" for i in range(8)
        ]
        held.append(set(posts["post_id"][posts["held_out"]]))
        beside.append(dropped - held[-1])
        assert held[-1] <= dropped
        trained = read_posts_without_dropped([out], [drop])
        assert set(trained["post_id"]) == set(posts["post_id"]) - held[-1] and set(
            trained["label"]
        ) == {0, 1}
    assert sum(map(len, held)) == len(set.union(*held)) == 23 and {len(fold) for fold in held} <= {
        5,
        6,
    }
    assert [{"t0", "d0"} <= fold for fold in held] == [bool({"t0", "d0"} & fold) for fold in held]
    assert ["u0" in some for some in beside] == ["t0" in fold for fold in held]
    assert ["u1" in some for some in beside] == ["t15" in fold for fold in held]
    assert not any("u2" in some for some in beside)


def test_a_post_made_from_a_held_out_one_is_left_out(tmp_path):
    corpus(tmp_path)
    _, _, drop = fold(tmp_path, 1)
    dropped = pd.read_parquet(drop)["post_id"].tolist()
    made = pd.DataFrame(
        {"post_id": ["1", "2"], "text": "x", "label": 0, "parent": [dropped[0], "u2"]}
    )
    write_posts(made, tmp_path / "made.parquet")
    assert read_posts_without_dropped([tmp_path / "made.parquet"], [drop])["post_id"].tolist() == [
        "2"
    ]


def test_too_many_folds_end_in_a_sentence(tmp_path):
    corpus(tmp_path)
    done, out, _ = fold(tmp_path, 1, k=12)
    assert (
        done.returncode == 1 and done.stderr.startswith("fold: ") and done.stderr.count("\n") == 1
    )
    assert "12 folds need 12 separate posts of class 'no'" in done.stderr and not out.exists()


# -- the graph
# ---------------------------------------------------------------------------------------

POOLED = {"fold": ["rain/train", "rain/dev"], "k": 5, "seed": 42}
MEAN = {"vote": ["member"], "over": ["fold"], "rule": "soft", "ties": "lowest"}


def study_in(folder, config=None, **nodes):
    """The small study with folds, the mean over them, and these further nodes."""

    def recipe(content):
        content["datasets"]["pooled"] = dict(POOLED)
        content["models"]["member"] = {"finetune": "big", "data": ["pooled"]}
        content["predictors"]["mean"] = dict(MEAN)
        for name, (section, body) in nodes.items():
            content[section][name] = body
        content["score"] = {"mean": ["rain/held-out"]}

    return Study(
        {"study": "test", "check_data": False, **(config or {})},
        root=write_config(folder, recipe=recipe),
    )


def test_what_reads_folds_is_made_for_each_and_a_vote_takes_all_of_them(tmp_path):
    study = study_in(tmp_path)
    graph = study.graphs["small"]
    assert graph.ids["pooled"] == [f"pooled@fold={i}" for i in range(1, 6)]
    assert graph.ids["mean"] == ["mean@seed=1", "mean@seed=2"]
    assert graph.nodes["member@fold=3@seed=1"].sources == ["pooled@fold=3"]
    assert graph.nodes["mean@seed=1"].members == [f"member@fold={i}@seed=1" for i in range(1, 6)]
    assert json.loads(specs.node_spec(study, "small", "pooled@fold=3")) == {
        "node": "pooled@fold=3", "fold": 3, "k": 5, "seed": 42, "classes": ["no", "yes"]
    }  # fmt: skip
    assert ("mean@seed=2", "rain/held-out") in [
        (node.id, dataset) for node, dataset in queries.scored_nodes(graph)
    ]


def test_a_study_caps_folds_and_says_so(tmp_path):
    graph = study_in(tmp_path, {"folds": 2}).graphs["small"]
    assert graph.nodes["mean@seed=1"].members == ["member@fold=1@seed=1", "member@fold=2@seed=1"]
    assert graph.nodes["pooled@fold=2"].options["k"] == 2
    row = {"node": "pooled", "key": "k", "paper": 5, "used": 2, "why": "study"}
    assert row in graph.deviations
    assert row not in study_in(tmp_path / "7", {"folds": 7}).graphs["small"].deviations


def test_what_is_made_from_folds_stays_in_them(tmp_path):
    graph = study_in(
        tmp_path,
        shuffled=("datasets", {"augment": "pooled", "method": "shuffle", "copies": 1}),
        more=("models", {"finetune": "big", "data": ["pooled", "shuffled", "filled"]}),
    ).graphs["small"]
    assert graph.nodes["shuffled@fold=2"].folds == ("pooled@fold=2",)
    assert graph.nodes["more@fold=2@seed=1"].sources == [
        "pooled@fold=2",
        "shuffled@fold=2",
        "filled",
    ]
    assert graph.nodes["more@fold=2@seed=1"].folds == ("pooled@fold=2",)
    assert not graph.nodes["more@fold=2@seed=1"].fitted and not graph.nodes["filled"].folds


def test_teachers_in_folds_label_for_their_own_fold(tmp_path):
    """Neither they nor what learns from their labels has read the posts of the fold, and a label
    leaves them out.
    """
    graph = study_in(
        tmp_path,
        half=("datasets", {"fold": ["rain/train"], "k": 2, "seed": 1}),
        left=("models", {"finetune": "big", "data": ["half"], "seed": 1}),
        right=("models", {"finetune": "linear", "data": ["half"], "seed": 1}),
        taught=(
            "datasets",
            {"label": "rain/unlabeled", "teachers": ["left", "right"], "keep": "agreement"},
        ),
        pupil=("models", {"finetune": "big", "data": ["half", "taught"], "seed": 1}),
    ).graphs["small"]
    assert graph.nodes["taught@fold=2"].members == ["left@fold=2", "right@fold=2"]
    assert (
        graph.nodes["taught@fold=2"].folds == ("half@fold=2",) == graph.nodes["pupil@fold=2"].folds
    )
    assert graph.nodes["pupil@fold=2"].sources == ["half@fold=2", "taught@fold=2"]
    assert not graph.nodes["pupil@fold=2"].fitted


@pytest.mark.parametrize("under", [{"finetune": "plain", "data": ["pooled"]},
                                   {"finetune": "big", "data": ["pooled", "agreed"]}])  # fmt: skip
def test_held_out_scores_that_a_base_or_a_teacher_has_seen_are_marked(tmp_path, under):
    """plain and agreed's teachers learn from all of train, which each fold holds a part of out."""
    graph = study_in(
        tmp_path, later=("models", under), mean=("predictors", {**MEAN, "vote": ["later"]})
    ).graphs["small"]
    assert (
        graph.nodes["later@fold=1@seed=1"].fitted
        == ("rain/held-out",)
        == graph.nodes["mean@seed=1"].fitted
    )
    assert not study_in(tmp_path / "clean").graphs["small"].nodes["mean@seed=1"].fitted


def test_calibrations_and_picks_are_fitted_on_held_out_posts(tmp_path):
    fair = {
        "calibrate": "mean",
        "fit": "rain/held-out",
        "method": "prior",
        "target": "uniform",
        "lambda": [0, 1],
    }
    best = {"pick": ["mean", "fair"], "fit": "rain/held-out"}
    graph = study_in(tmp_path, fair=("predictors", fair), best=("predictors", best)).graphs["small"]
    assert graph.nodes["fair@seed=1"].sources == ["rain/held-out"]
    assert graph.nodes["best"].fitted == ("rain/held-out",)


# -- a run
# -------------------------------------------------------------------------------------------

FOLDED = {
    "title": "A linear model in folds",
    "tasks": {"ages": "smm4h24-task6"},
    "defaults": {
        "finetune": {"seed": 1},
        "fold": {"k": 5},
        "augment": {"seed": 1, "split": "protected"},
    },
    "datasets": {
        "pooled": {"fold": ["ages/train", "ages/dev"], "seed": 42},
        "other": {"fold": ["ages/train", "ages/dev"], "k": 2, "seed": 24},
        "doubled": {"augment": "ages/train", "method": "duplicate", "copies": 1},
    },
    "models": {
        "one": {"finetune": "linear", "data": ["pooled", "doubled"]},
        "two": {"finetune": "linear", "data": ["other"]},
    },
    "predictors": {
        "one-mean": {"vote": ["one"], "over": ["fold"], "rule": "soft", "ties": "lowest"},
        "two-mean": {"vote": ["two"], "over": ["fold"], "rule": "soft", "ties": "lowest"},
        "jury": {"vote": ["one-mean", "two-mean"], "rule": "majority", "ties": "probability"},
        "heavy": {
            "vote": ["one-mean", "two-mean"],
            "weights": {"two-mean": 1, "one-mean": 3},
            "rule": "soft",
            "ties": "lowest",
        },
        "cut": {"calibrate": "jury", "fit": "ages/held-out", "method": "threshold"},
    },
    "score": {
        "one-mean": ["ages/held-out", "ages/test"],
        "heavy": "ages/test",
        "cut": ["ages/held-out", "ages/test"],
    },
}
POSTS = {"train": 120, "dev": 60, "test": 40, "decoys": 10, "unlabeled": 30}
DEMO = {
    "title": "T",
    "recipes": ["folded"],
    "scale": "demo",
    "made": {"seed": 1, "posts": {"smm4h24-task6": POSTS}},
}


@pytest.mark.slow
def test_a_run_in_folds(tmp_path, forked_python):
    tree = copy_of_tree(tmp_path)
    for name, content in (("recipes/folded", FOLDED), ("studies/demo", DEMO)):
        (tree / f"config/{name}.yaml").write_text(yaml.safe_dump(content))
    assert planned(tree) == set(job_graph(Study({"study": "demo"}, root=tree / "config")))
    done = snakemake(tree, python=forked_python)
    assert done.returncode == 0, done.stdout + done.stderr
    results = tree / "results/demo/folded"
    clean, audit = (
        tree / "results/demo/clean/smm4h24-task6",
        tree / "results/demo/audit/smm4h24-task6",
    )
    group = pd.read_parquet(audit / "groups.parquet").set_index("post_id")["group"]
    posts = read_posts_without_dropped(
        [clean / "train.parquet", clean / "dev.parquet"], [audit / "drop.parquet"]
    )
    held = {}
    for number in range(1, 6):
        file = results / f"fold/pooled@fold={number}.parquet"
        folded = read_posts(file)
        held[number] = folded["post_id"][folded["held_out"]]
        trained = read_posts_without_dropped(
            [file, results / "augment/doubled.parquet"], [file.with_suffix(".drop.parquet")]
        )
        model = json.loads((results / f"finetune/one@fold={number}/model.json").read_text())
        assert (
            model["rows"] == len(trained) > len(posts)
        )  # the copies of what is held out are left out with it
        assert not set(group[held[number]]) & set(
            group[trained["parent"].fillna(trained["post_id"])]
        )
        frame = predicted(results / f"predict/one@fold={number}", "ages/held-out")
        assert frame["post_id"].tolist() == held[number].tolist()
    whole = predicted(results / "vote/one-mean", "ages/held-out")
    assert whole["post_id"].tolist() == posts["post_id"].tolist()
    for number in held:  # each post as the one model predicts it that has not seen it
        mine = whole.set_index("post_id").loc[held[number]].reset_index()
        own = predicted(results / f"predict/one@fold={number}", "ages/held-out")
        assert np.allclose(prediction_matrix(mine), prediction_matrix(own))
    every = [
        prediction_matrix(predicted(results / f"predict/one@fold={i}", "ages/test"))
        for i in range(1, 6)
    ]
    assert np.allclose(
        prediction_matrix(predicted(results / "vote/one-mean", "ages/test")), np.mean(every, axis=0)
    )
    votes = (
        predicted(results / f"vote/{name}", "ages/test")
        for name in ("one-mean", "two-mean", "heavy")
    )
    one, two, heavy = map(prediction_matrix, votes)
    assert np.allclose(heavy, (3 * one + two) / 4) and not np.allclose(heavy, (one + 3 * two) / 4)
    fit = json.loads((results / "calibrate/cut/scored.fit.json").read_text())
    assert fit["fit"] == "ages/held-out" and fit["posts"] == len(posts)
    entries = json.loads((results / "score/score.json").read_text())["entries"]
    assert {(e["predictor"], e["dataset"]): e["n"] for e in entries}[
        "one-mean", "ages/held-out"
    ] == len(posts)
    assert {
        ("cut*", "ages/held-out"),
        ("cut", "ages/test"),
        ("one-mean", "ages/held-out"),
    } <= scored(tree)
    lines = (tree / "results/demo/scores.txt").read_text().splitlines()
    assert [line.split()[0] for line in lines if line.endswith("  floor")] == [
        "one-mean"
    ] * 2  # held-out and test
    again = snakemake(tree, "-n")
    assert "Nothing to be done" in again.stdout + again.stderr
