"""A small study run for real, with nearly every verb: what each job read, and that a second run
gives the same bytes.

The posts are made here, so that each count can be worked out by hand. The folder of posts has a
space in its name.
"""

import csv
import json
import random
import shlex
import shutil
import subprocess
from collections import Counter

import numpy as np
import pandas as pd
import pytest
import yaml
from predicted import predicted as read_predicted
from sklearn.metrics import f1_score
from study_files import write_config
from tree import copy_of_tree, result_bytes, scored, snakemake

from postgrad.records.posts import read_posts
from postgrad.records.predictions import prediction_matrix
from postgrad.verbs.registry import VERBS

SIZES = {"train": 48, "dev": 24, "test": 18, "unlabeled": 30}
REPEATED = {
    "train": 3,
    "unlabeled": 2,
}  # so many posts repeat one of the test set, and audit leaves them out
WORDS = [
    first + last
    for first in ("ka", "lo", "mi", "nu", "pe", "ra", "so")
    for last in ("bel", "dor", "fin", "gam", "lun")
]
COLUMNS = {"id": "id", "text": "text", "label": "label"}
SPLITS = {
    split: {"file": f"rain/{split}.csv", "columns": COLUMNS} for split in ("train", "dev", "test")
}
SPLITS["unlabeled"] = {"file": "rain/unlabeled.csv", "columns": {"id": "id", "text": "text"}}
WRITTEN = {
    "synthesize": "rain/train",
    "writers": ["deputy"],
    "prompt": "write",
    "classes": ["yes"],
    "count": 4,
    "per_call": 2,
    "calls": 6,
    "shots": {"own": 3, "other": 1},
    "temperature": 0.0,
    "seed": 1,
}
CHECKED = {
    "review": "expert",
    "reviewer": "deputy",
    "fit": "rain/dev",
    "prompt": "check",
    "otherwise": "proposed",
    "shots": 1,
    "gate": "always",
    "alpha": 0.05,
    "seed": 1,
    "check": "yes",
}
HAS_REVIEW = "review" in VERBS
PROMPTS = {
    "write": {
        "system": "You write.",
        "user": "{labels} Write {posts} of {label}, numbered 1 to {number}:\n\n{other}\n\n{own}",
    },
    "check": {"system": "You check.", "user": "Is it {label}? {labels}\n\n{examples}\n\n{text}"},
}


def text(split, i):
    """The i-th post of a split.

    Two parts, so that it can be shuffled. One mood in five contradicts the label.
    """
    words, glad = random.Random(f"{split}-{i}").sample(WORDS, 12), (i % 3 == 0) != (i % 5 == 4)
    mood = "so very glad" if glad else "not at all happy"
    return f"{' '.join(words[:6])}, {' '.join(words[6:])} made me {mood}"


def write_split(folder, split):
    with (folder / f"{split}.csv").open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["id", "text", "label"])
        for i in range(SIZES[split]):
            words = text("test", 3 * i) if i < REPEATED.get(split, 0) else text(split, i)
            lines.writerow([f"{split}-{i}", words, "" if split == "unlabeled" else int(i % 3 == 0)])


def recipe(content):
    seeds = {"seed": [1, 2]}
    content["defaults"]["finetune"] |= {"lr": 3.0e-3, "each": seeds}
    content["defaults"]["pretrain"] |= {"lr": 3.0e-3, "epochs": 1}
    content["datasets"] = {
        "filled": {"augment": "rain/train", "method": "shuffle", "fill": "largest"},
        "even": {"resample": "rain/train", "to": "largest", "seed": 1},
        "written": WRITTEN,
        "pooled": {"fold": ["rain/train", "rain/dev"], "k": 2, "seed": 5},
        "agreed": {"label": "rain/unlabeled", "teachers": ["one", "two"], "keep": "agreement"},
    }
    train = ["rain/train"]
    content["models"] = {
        "one": {"finetune": "linear", "data": [*train, "filled"], "seed": 1},
        "two": {"finetune": "linear", "data": [*train, "written"], "seed": 1, "ngrams": [1, 1]},
        "plain": {"finetune": "linear", "data": ["even"], "each": {**seeds, "c": [0.1, 10.0]}},
        "member": {"finetune": "linear", "data": ["pooled"], "seed": 1},
        "reader": {"pretrain": "big", "data": ["rain/unlabeled"]},
        "expert": {
            "finetune": "reader",
            "data": [*train, "agreed"],
            "seed": 1,
            "class_weights": "balanced",
        },
        "small": {"finetune": "little", "data": train, "seed": 1, "epoch": "best"},
    }
    soft = {"rule": "soft", "ties": "lowest"}
    content["predictors"] = {
        "jury": {"vote": ["plain"], "over": ["seed"], **soft},
        "mean": {"vote": ["member"], "over": ["fold"], **soft},
        "best": {"pick": ["jury", "one"], "fit": "rain/dev"},
        "cut": {"calibrate": "best", "fit": "rain/dev", "method": "threshold"},
    }
    content["score"] = {"mean": ["rain/held-out"], "small": ["rain/test"]}
    if HAS_REVIEW:
        content["predictors"]["checked"] = CHECKED
        content["score"]["checked"] = ["rain/test"]
    content["compare"] = {
        "rain": {"chain": ["one", "cut"], "controls": ["expert"], "sets": ["rain/test"]},
    }


def bases(content):
    content["deputy"] = {"kind": "stand-in"}
    content["little"] = {"kind": "encoder", "make": content["tiny"]["make"] | {"seed": 2}}


def fresh_study(folder):
    """A copy of the tree with the small study, of which nothing has run yet."""
    tree = copy_of_tree(folder)
    shutil.rmtree(tree / "config")
    write_config(
        tree / "config",
        recipe=recipe,
        bases=bases,
        task=lambda task: task.update(splits=SPLITS),
        study=lambda study: study.update(data="raw posts"),
        scale=lambda scale: scale["bases"].update(little={}, deputy={}),
    )
    (tree / "config/config.yaml").write_text("study: test\n")
    for name, prompt in PROMPTS.items():
        (tree / f"config/prompts/{name}.yaml").write_text(yaml.safe_dump(prompt))
    (tree / "raw posts/rain").mkdir(parents=True)
    for split in SIZES:
        write_split(tree / "raw posts/rain", split)
    return tree


def run(tree, python=None):
    done = snakemake(tree, python=python)
    assert done.returncode == 0, done.stdout + done.stderr
    return tree


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return run(fresh_study(tmp_path_factory.mktemp("small") / "tree"))


@pytest.fixture(scope="module")
def small(tree):
    """The folder of the recipe's results."""
    return tree / "results/test/small"


def rows_of(small, node):
    return json.loads((small / f"finetune/{node}/model.json").read_text())["rows"]


def label_counts(path):
    return {int(label): count for label, count in Counter(read_posts(path)["label"]).items()}


def predicted(small, node, dataset="rain/test", file="scored"):
    """The predictions of a node, indexed by post_id."""
    return read_predicted(small / node, dataset, file).set_index("post_id")


# Of the 48 posts of train, 16 are of class yes; audit leaves out train-0, which is one of these,
# train-1 and train-2.
NO, YES = 30, 15


def test_audit_leaves_out_what_repeats_a_post_of_the_test_set(small):
    dropped = pd.read_parquet(small.parent / "audit/rain/drop.parquet")
    assert sorted(dropped["post_id"]) == [
        "train-0",
        "train-1",
        "train-2",
        "unlabeled-0",
        "unlabeled-1",
    ]
    assert {
        split: len(read_posts(small.parent / f"clean/rain/{split}.parquet")) for split in SIZES
    } == SIZES


def test_each_dataset_has_the_counts_that_its_node_asks_for(small):
    assert label_counts(small / "augment/filled.parquet") == {1: NO - YES}
    assert label_counts(small / "resample/even.parquet") == {0: NO, 1: NO}
    assert label_counts(small / "synthesize/written.parquet") == {1: 4}
    parents = read_posts(small / "augment/filled.parquet")["parent"]
    assert not {"train-0", "train-1", "train-2"} & set(parents) and parents.nunique() == YES


def test_each_model_learns_from_its_datasets_without_what_audit_leaves_out(small):
    agreed = len(read_posts(small / "label/agreed.parquet"))
    assert 0 < agreed <= SIZES["unlabeled"] - 2
    assert rows_of(small, "one") == NO + YES + (NO - YES)
    assert rows_of(small, "two") == NO + YES + 4
    assert {rows_of(small, f"plain@c={c}@seed={seed}") for c in (0.1, 10.0) for seed in (1, 2)} == {
        2 * NO
    }
    assert rows_of(small, "expert") == NO + YES + agreed
    assert (
        json.loads((small / "pretrain/reader/model.json").read_text())["rows"]
        == SIZES["unlabeled"] - 2
    )
    chosen = json.loads((small / "finetune/small/model.json").read_text())
    assert chosen["rows"] == NO + YES and chosen["spec"]["epoch"] == "best"


def test_agreed_posts_have_the_label_that_both_teachers_give(small):
    agreed = read_posts(small / "label/agreed.parquet").set_index("parent")["label"]
    for teacher in ("one", "two"):
        labels = predicted(small, f"predict/{teacher}", "rain/unlabeled", "teaching")["label"]
        assert (labels[agreed.index] == agreed).all(), teacher
    assert not {"unlabeled-0", "unlabeled-1"} & set(agreed.index)


def test_each_post_is_held_out_by_one_fold_and_predicted_by_the_model_that_has_not_seen_it(small):
    mean, held = predicted(small, "vote/mean", "rain/held-out"), []
    for fold in (1, 2):
        posts = read_posts(small / f"fold/pooled@fold={fold}.parquet")
        assert rows_of(small, f"member@fold={fold}") == (~posts["held_out"]).sum()
        own = predicted(small, f"predict/member@fold={fold}", "rain/held-out")
        assert list(own.index) == posts["post_id"][posts["held_out"]].tolist()
        assert np.allclose(prediction_matrix(mean.loc[own.index]), prediction_matrix(own))
        held += list(own.index)
    assert len(held) == len(set(held)) == NO + YES + SIZES["dev"] == len(mean)


@pytest.mark.parametrize("c", [0.1, 10.0])
def test_a_vote_over_seeds_is_made_at_each_point_of_the_other_axis(small, c):
    for dataset in ("rain/dev", "rain/test"):
        members = [predicted(small, f"predict/plain@c={c}@seed={seed}", dataset) for seed in (1, 2)]
        jury = predicted(small, f"vote/jury@c={c}", dataset)
        assert np.allclose(
            prediction_matrix(jury),
            np.mean([prediction_matrix(member) for member in members], axis=0),
        )
    other = predicted(small, f"vote/jury@c={10.0 if c == 0.1 else 0.1}")
    assert not np.allclose(prediction_matrix(jury), prediction_matrix(other))


def gold(small, split):
    return (
        read_posts(small.parent / f"clean/rain/{split}.parquet")
        .set_index("post_id")["label"]
        .astype(int)
    )


def test_the_best_on_dev_is_picked(small):
    fit = json.loads((small / "pick/best/scored.fit.json").read_text())
    scores = {}
    for node in ("vote/jury@c=0.1", "vote/jury@c=10.0", "predict/one"):
        found, true = predicted(small, node, "rain/dev"), gold(small, "dev")
        scores[node] = f1_score(true, found.loc[true.index, "label"])
    best = max(scores, key=scores.get)
    assert fit["picked"] == best.partition("/")[2] and fit["posts"] == SIZES["dev"]
    assert predicted(small, "pick/best").equals(predicted(small, best))


def test_a_threshold_is_fitted_on_dev_and_moves_the_labels_of_test(small):
    fit = json.loads((small / "calibrate/cut/scored.fit.json").read_text())
    assert (
        fit["fit"] == "rain/dev"
        and fit["posts"] == SIZES["dev"]
        and fit["after"]["score"] >= fit["before"]["score"]
    )
    positive = (
        prediction_matrix(predicted(small, "pick/best").reset_index())[:, 1] > fit["threshold"]
    )
    assert predicted(small, "calibrate/cut")["label"].tolist() == positive.astype(int).tolist()


@pytest.mark.skipif(not HAS_REVIEW, reason="the verb was taken out")
def test_a_review_changes_the_positive_posts_that_deny(small):
    texts = read_posts(small.parent / "clean/rain/test.parquet").set_index("post_id")["text"]
    before, after = predicted(small, "predict/expert"), predicted(small, "review/checked")
    denied = texts[before.index].str.contains(" not ")
    assert after["label"].tolist() == ((before["label"] == 1) & ~denied).astype(int).tolist()


def test_scores_are_those_of_scikit_learn(tree, small):
    rows = [
        row
        for row in csv.DictReader((tree / "results/test/scores.csv").open())
        if row["metric"] == "f1"
    ]
    places = {
        "one": "predict/one",
        "cut": "calibrate/cut",
        "expert": "predict/expert",
        "small": "predict/small",
    }
    places |= {"checked": "review/checked"} if HAS_REVIEW else {}
    true, held_out = gold(small, "test"), predicted(small, "vote/mean", "rain/held-out")
    expected = {
        (node, "rain/test"): f1_score(true, predicted(small, places[node]).loc[true.index, "label"])
        for node in places
    }
    pooled = pd.concat([gold(small, "train"), gold(small, "dev")])[held_out.index]
    expected["mean", "rain/held-out"] = f1_score(pooled, held_out["label"])
    assert {
        (row["predictor"], row["dataset"]): float(row["value"]) for row in rows
    } == pytest.approx(expected)
    assert 0 < expected["cut", "rain/test"] < 1, "a score of 0 or 1 would hide mistakes"
    assert {("one", "rain/test"), ("expert‡", "rain/test"), ("mean", "rain/held-out")} <= scored(
        tree, "test"
    )


def test_every_expensive_stage_has_its_cost(tree):
    with (tree / "results/test/cost.csv").open() as file:
        costs = {row["verb"]: row for row in csv.DictReader(file)}
    assert costs.keys() == set(VERBS.verbs_with_trait("expensive"))
    trained = list((tree / "results/test/small/finetune").glob("*/model.json"))
    assert int(costs["finetune"]["jobs"]) == len(trained)
    for verb, row in costs.items():
        assert row["recipe"] == "small" and float(row["seconds"]) > 0 and row["gpu_hours"] == "0.0"
        assert verb not in ("pretrain", "finetune") or int(row["tokens"]) > 100
    assert 'id="cost"' in (tree / "results/test/report.html").read_text()


def test_each_log_begins_with_the_command_that_repeats_the_job(tree):
    logs = sorted((tree / "work").rglob("*.log"))
    assert len(logs) > 35
    for log in logs:
        words = shlex.split(log.read_text().splitlines()[0])
        assert words[1].startswith("workflow/scripts/") and words[2] == "--spec", log
        assert json.loads((tree / words[3]).read_text()), log
    for verb in ("augment", "score"):
        log = next(log for log in logs if verb in log.relative_to(tree).as_posix())
        words = shlex.split(log.read_text().splitlines()[0])
        out = tree / words[words.index("--out") + 1]
        before = out.read_bytes()
        stamp = out.stat().st_mtime_ns
        done = subprocess.run(
            ["sh", "-c", log.read_text().splitlines()[0]], cwd=tree, capture_output=True, text=True
        )
        assert (done.returncode, done.stdout) == (0, log.read_text().splitlines()[0] + "\n"), (
            done.stderr
        )
        assert out.read_bytes() == before and out.stat().st_mtime_ns > stamp


def test_a_second_run_does_nothing(tree):
    done = snakemake(tree, "-n")
    assert "Nothing to be done" in done.stdout + done.stderr


@pytest.mark.slow
def test_the_report_of_snakemake_holds_the_captioned_results_without_a_network(tree):
    done = snakemake(tree, "--report", "snakemake-report.html")
    assert done.returncode == 0, done.stdout + done.stderr
    text = (tree / "snakemake-report.html").read_text()
    captions = {path.stem for path in (tree / "workflow/report").glob("*.rst")} - {"workflow"}
    assert len(captions) > 5 and {name for name in captions if f"/{name}" not in text} == set()
    words = " ".join(text.split()).replace("\\n", " ")
    assert "first the verdict in sentences" in words and "what each step is worth" in words
    (tree / "snakemake-report.html").unlink()


@pytest.mark.slow
def test_the_same_study_from_scratch_is_byte_identical(tree, tmp_path, forked_python):
    """The second run forks its jobs, so this also shows that forks give the same bytes."""
    again = run(fresh_study(tmp_path / "tree"), forked_python)
    files = [
        path.relative_to(tree) for path in sorted((tree / "results").rglob("*")) if path.is_file()
    ]
    assert len(files) > 100
    assert [
        str(file) for file in files if result_bytes(tree / file) != result_bytes(again / file)
    ] == []
