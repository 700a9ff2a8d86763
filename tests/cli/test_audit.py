"""audit: duplicates and near-duplicates, and which posts no model may read."""

import json
import subprocess
import sys

import pandas as pd
from tree import ROOT

from postgrad.corpus.cleaning import LEDGER
from postgrad.corpus.duplicates import duplicate_groups, posts_to_drop
from postgrad.records.names import SPLITS
from postgrad.records.parquet_files import write_table
from postgrad.records.posts import POSTS, read_posts_without_dropped, write_posts

TINY = {
    "train": [
        ("a", "Hello  World", 0),
        ("b", "hello world", 0),
        ("c", "hello world", 1),
        ("d", "in test", 1),
        ("e", "in DEV", 0),
        ("f", "in cross", 0),
        ("g", "alone", 1),
    ],
    "dev": [("h", "in dev", 0), ("i", "in dev", 0), ("j", "both", 1)],
    "test": [("k", "in test", 1), ("l", "both", 1)],
    "cross": [("m", "in cross", 0)],
    "unlabeled": [
        ("n", "alone", None),
        ("o", "@you see https://a.b/c", None),
        ("p", "@me see http://d.e", None),
        ("q", "in test", None),
    ],
}


def frames(rows):
    return {
        split: pd.DataFrame(rows.get(split, []), columns=["post_id", "text", "label"]).astype(
            {"label": "Int64"}
        )
        for split in SPLITS
    }


def write_clean(folder, rows):
    for split, frame in frames(rows).items():
        write_posts(frame, folder / f"{split}.parquet", POSTS)
    ledger = [
        ("toy", split, "f.csv", 1, post[0], "kept", None) for split in rows for post in rows[split]
    ]
    ledger.append(("toy", "train", "f.csv", 9, None, "rejected", "no id"))
    write_table(pd.DataFrame(ledger, columns=LEDGER.names[:-1]), folder / "ledger.parquet", LEDGER)


def audit(folder, out, files=(), **spec):
    spec = json.dumps({"task": "toy", **spec})
    command = [sys.executable, "workflow/scripts/audit.py", "--spec", spec]
    for name, file in files:
        command += ["--beside", name, str(file)]
    return subprocess.run(
        [*command, "--clean", str(folder), "--out", str(out)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


def test_audit_names_what_no_model_may_read(tmp_path):
    write_clean(tmp_path / "clean", TINY)
    result = audit(tmp_path / "clean", tmp_path / "audit")
    assert result.returncode == 0, result.stderr
    dropped = pd.read_parquet(tmp_path / "audit/drop.parquet")
    assert dropped.values.tolist() == [
        ["b", "train", "duplicate"],
        ["c", "train", "duplicate, other label"],
        ["d", "train", "also in test"],
        ["e", "train", "also in dev"],
        ["f", "train", "also in cross"],
        ["p", "unlabeled", "duplicate"],
        ["q", "unlabeled", "also in test"],
    ]
    used = read_posts_without_dropped(
        [tmp_path / "clean/train.parquet"], [tmp_path / "audit/drop.parquet"]
    )
    assert used["post_id"].to_list() == ["a", "g"]
    assert "audit: toy/train: 7 kept = 2 used + 5 duplicates" in result.stdout
    assert "hello" not in (result.stdout + result.stderr).casefold()


def test_groups_hold_every_post_of_every_split(tmp_path):
    groups = duplicate_groups(frames(TINY))
    assert groups["post_id"].to_list() == [post[0] for split in SPLITS for post in TINY[split]]
    together = groups.groupby("group")["post_id"].apply("".join)
    assert sorted(together) == ["abc", "dkq", "ehi", "fm", "gn", "jl", "op"]


def test_evaluation_splits_stay_whole():
    splits = frames(
        {"dev": [("a", "x", 0), ("b", "x", 0)], "test": [("c", "x", 1)], "cross": [("d", "x", 1)]}
    )
    assert posts_to_drop(splits, duplicate_groups(splits)).empty


def test_a_ledger_that_does_not_add_up_stops_the_audit(tmp_path):
    write_clean(tmp_path / "clean", TINY)
    write_posts(frames(TINY)["dev"].head(2), tmp_path / "clean/dev.parquet")
    result = audit(tmp_path / "clean", tmp_path / "audit")
    assert result.returncode == 1
    assert "dev: 3 posts kept, but 2 used and 0 duplicates." in result.stderr
    assert not (tmp_path / "audit").exists()


def test_made_up_posts_hold_duplicates_for_the_audit_to_find(tmp_path):
    spec = {
        "seed": 1,
        "posts": {"smm4h24-task5": {"train": 200, "dev": 50, "test": 50, "decoys": 5}},
    }
    body = {
        "task": "smm4h24-task5",
        "labels": [{"name": "no", "value": 0}, {"name": "yes", "value": 1}],
    }
    columns = {"id": "tweet_id", "text": "text", "label": "label"}
    body["splits"] = {
        split: {"file": f"smm4h24-task5/{split}.tsv", "columns": columns}
        for split in ("train", "dev")
    }
    body["splits"]["test"] = {
        "file": "smm4h24-task5/test.tsv", "gold": "smm4h24-task5/test_gold.tsv", "columns": columns,
    }  # fmt: skip
    for verb, *rest in (
        ("demo", "--spec", json.dumps(spec), "--out", str(tmp_path / "raw")),
        (
            "clean",
            "--spec",
            json.dumps(body),
            "--data",
            str(tmp_path / "raw"),
            "--out",
            str(tmp_path / "clean"),
        ),
    ):
        subprocess.run([sys.executable, f"workflow/scripts/{verb}.py", *rest], cwd=ROOT, check=True)
    assert audit(tmp_path / "clean", tmp_path / "audit").returncode == 0
    dropped = pd.read_parquet(tmp_path / "audit/drop.parquet")
    assert set(dropped["reason"]) >= {"duplicate", "also in test"}


COPIES = {
    "train": [
        ("a", "it rains and nobody here owns any boots for mud", 0),
        ("b", "RT @x: it rains and nobody here owns any shoes for mud", 1),
        ("c", "nobody told me that these new pills make your hands shake", 1),
    ],
    "test": [("d", "nobody told me that these new pills make your legs shake", 1)],
}


def test_near_copies_leave(tmp_path):
    write_clean(tmp_path / "clean", COPIES)
    result = audit(tmp_path / "clean", tmp_path / "audit")
    assert result.returncode == 0, result.stderr
    assert pd.read_parquet(tmp_path / "audit/drop.parquet").values.tolist() == [
        ["b", "train", "near-duplicate, other label"],
        ["c", "train", "near-copy of a post in test"],
    ]
    near = pd.read_parquet(tmp_path / "audit/near.parquet")
    assert near[["post_id", "partner"]].values.tolist() == [["b", "a"], ["c", "d"]]
    assert near["similarity"].round(2).to_list() == [0.82, 0.83]
    assert (
        "audit: toy/train: 3 kept = 1 used + 2 duplicates "
        "(1 near-copy of a post in test; 1 near-duplicate, other label)"
    ) in result.stdout
    groups = pd.read_parquet(tmp_path / "audit/groups.parquet").set_index("post_id")["group"]
    assert groups["a"] == groups["b"] != groups["c"] == groups["d"]


def test_near_copies_are_only_reported(tmp_path):
    write_clean(tmp_path / "clean", COPIES)
    result = audit(tmp_path / "clean", tmp_path / "audit", near_duplicates="report")
    assert result.returncode == 0, result.stderr
    assert pd.read_parquet(tmp_path / "audit/drop.parquet").empty
    assert pd.read_parquet(tmp_path / "audit/near.parquet")["post_id"].to_list() == ["b", "c"]
    assert "audit: toy/train: 3 kept = 3 used + 0 duplicates" in result.stdout
    assert "audit: toy/train: 2 of the used posts are near-copies, which stay" in result.stdout


def test_near_copies_stop_the_run(tmp_path):
    write_clean(tmp_path / "clean", COPIES)
    result = audit(tmp_path / "clean", tmp_path / "audit", near_duplicates="stop")
    assert result.returncode == 1
    assert result.stderr.startswith(
        "audit: task toy: 1 post of train and unlabeled nearly copies a post of test, dev or "
        "cross, and 1 nearly copies an earlier post of its own split. Take them out of the files"
    )
    assert "near_duplicates in config/tasks/toy.yaml" in result.stderr
    assert not (tmp_path / "audit/drop.parquet").exists()
    assert "pills" not in result.stdout + result.stderr


# A split of another task. Its ids are those of the task itself.
BESIDE = [
    ("a", "it rains and nobody here owns any boots for ice", 0),
    ("c", "Alone!", 1),
]


def audit_beside(tmp_path, **spec):
    rows = {**COPIES, "unlabeled": [("u", "alone!", None)]}
    write_clean(tmp_path / "clean", rows)
    write_posts(frames({"test": BESIDE})["test"], tmp_path / "other.parquet", POSTS)
    files = [("mud/test", tmp_path / "other.parquet")]
    return audit(tmp_path / "clean", tmp_path / "audit", files, beside=["mud/test"], **spec)


def test_copies_of_posts_on_which_a_later_model_of_another_task_is_scored_leave(tmp_path):
    result = audit_beside(tmp_path)
    assert result.returncode == 0, result.stderr
    assert pd.read_parquet(tmp_path / "audit/drop.parquet").values.tolist() == [
        ["u", "unlabeled", "also in mud/test"],
        ["a", "train", "near-copy of a post in mud/test"],
        ["c", "train", "near-copy of a post in test"],
    ]
    near = pd.read_parquet(tmp_path / "audit/near.parquet")
    assert near[["post_id", "partner"]].values.tolist() == [["a", "a"], ["c", "d"]]
    assert "1 near-copy of a post in mud/test" in result.stdout
    groups = pd.read_parquet(tmp_path / "audit/groups.parquet")
    assert groups["split"].isin(SPLITS).all() and len(groups) == 5


def test_copies_in_another_task_are_reported_or_stop_the_run(tmp_path):
    result = audit_beside(tmp_path, near_duplicates="report")
    assert result.returncode == 0, result.stderr
    assert pd.read_parquet(tmp_path / "audit/drop.parquet").values.tolist() == [
        ["u", "unlabeled", "also in mud/test"]
    ]
    assert "audit: toy/train: 2 of the used posts are near-copies, which stay" in result.stdout
    result = audit_beside(tmp_path, near_duplicates="stop")
    assert result.returncode == 1
    assert result.stderr.startswith(
        "audit: task toy: 1 post of train and unlabeled nearly copies a post of test, dev or "
        "cross, 1 nearly copies a post of mud/test, and 0 nearly copy an earlier post"
    )
    assert "rains" not in result.stdout + result.stderr


def test_near_copies_that_only_are_reported_stay_in_one_fold(tmp_path):
    """Neither a fold nor a pool beside it holds a near-copy of a post that is held out."""
    words = [[f"word{i}x{place}" for place in range(10)] for i in range(24)]
    texts = [" ".join(one) for one in words]
    copies = [f"RT @x: {' '.join([*one[:9], 'other'])}" for one in words]
    rows = {
        "train": [(f"t{i}", text, i % 2) for i, text in enumerate(texts)]
        + [(f"c{i}", text, i % 2) for i, text in enumerate(copies[:12])],
        "dev": [(f"d{i}", text, i % 2) for i, text in enumerate(copies[12:18], 12)],
        "unlabeled": [(f"u{i}", text[:50] + "…", None) for i, text in enumerate(texts)],
    }
    write_clean(tmp_path / "clean", rows)
    result = audit(tmp_path / "clean", tmp_path / "audit", near_duplicates="report")
    assert result.returncode == 0, result.stderr
    near = pd.read_parquet(tmp_path / "audit/near.parquet")
    assert len(near) == 12 + 6 + 6 and pd.read_parquet(tmp_path / "audit/drop.parquet").empty
    clean, seen = tmp_path / "clean", []
    for fold in (1, 2, 3):
        spec = {"node": "n", "k": 3, "seed": 1, "fold": fold, "classes": ["no", "yes"]}
        command = [sys.executable, "workflow/scripts/fold.py", "--spec", json.dumps(spec)]
        command += ["--data", clean / "train.parquet", clean / "dev.parquet"]
        command += ["--drop", tmp_path / "audit/drop.parquet"]
        command += ["--corpus", *(clean / f"{split}.parquet" for split in SPLITS)]
        command += ["--groups", tmp_path / "audit/groups.parquet"]
        command += ["--out", tmp_path / "fold.parquet", "--out-drop", tmp_path / "out.parquet"]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        held = pd.read_parquet(tmp_path / "out.parquet")
        numbers = {post_id[1:] for post_id in held["post_id"]}
        assert len(held) == sum(post[0][1:] in numbers for split in rows for post in rows[split]), (
            "each with all its copies"
        )
        seen += sorted(numbers)
    assert sorted(seen) == sorted(map(str, range(24)))
