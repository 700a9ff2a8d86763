"""The command resample: what audit leaves out stays out, and a budget gives the counts."""

import json
import subprocess
import sys

import pandas as pd
from gold_posts import augmented_posts, class_sizes, posts_of_classes
from tree import ROOT

from postgrad.records.parquet_files import write_table
from postgrad.records.posts import DROPPED, read_posts, read_posts_without_dropped, write_posts


def test_command(tmp_path):
    """What audit leaves out is left out, with what derives from it, in copies of copies as well."""
    gold = posts_of_classes(6, 3)
    write_posts(gold, tmp_path / "train.parquet")
    new, _ = augmented_posts(gold, node="m", method="duplicate", copies=1)
    write_posts(new, tmp_path / "m.parquet")
    write_table(
        pd.DataFrame([("p1-0", "train", "copy")], columns=DROPPED.names),
        tmp_path / "drop.parquet",
        DROPPED,
    )
    command = [
        sys.executable,
        "workflow/scripts/resample.py",
        "--data",
        tmp_path / "train.parquet",
        tmp_path / "m.parquet",
        "--spec",
        json.dumps({"node": "n", "to": "largest", "seed": 1}),
    ]
    outs = [tmp_path / "one.parquet", tmp_path / "two.parquet", tmp_path / "all.parquet"]
    for out, drops in zip(outs, [["drop"], ["drop"], []]):
        paths = [tmp_path / f"{drop}.parquet" for drop in drops]
        done = subprocess.run(
            [*command, "--drop", *paths, "--out", out], cwd=ROOT, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        assert "12 to 12 of class 0, " in done.stderr and "kettle" not in done.stderr
    assert outs[0].read_bytes() == outs[1].read_bytes() and class_sizes(read_posts(outs[0])) == [
        12,
        12,
    ]
    again, _ = augmented_posts(read_posts(outs[2]), node="again", method="duplicate", copies=1)
    write_posts(again, tmp_path / "again.parquet")
    for path in (*outs[:2], tmp_path / "again.parquet"):
        left = read_posts_without_dropped([path], [tmp_path / "drop.parquet"])
        assert not {"p1-0"} & ({*left["post_id"]} | {*left["parent"]})
        assert not left["post_id"].str.startswith("p1-0~").any() and len(left)


def test_a_control_has_the_counts_of_the_node_that_its_budget_names(tmp_path):
    """No text is new.

    The 24 posts of each class are copies of 5, 12 and 4 posts, as many as the edited ones.
    """
    write_posts(posts_of_classes(5, 12, 4), tmp_path / "train.parquet")
    write_posts(posts_of_classes(24, 24, 24, name="q"), tmp_path / "even.parquet")
    command = [
        sys.executable,
        "workflow/scripts/resample.py",
        "--data",
        tmp_path / "train.parquet",
        "--spec",
        json.dumps({"node": "n", "seed": 1}),
        "--budget",
        tmp_path / "even.parquet",
    ]
    done = subprocess.run(
        [*command, "--out", tmp_path / "o"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    made = read_posts(tmp_path / "o")
    assert class_sizes(made) == [24, 24, 24] and set(made["text"]) == set(
        posts_of_classes(5, 12, 4)["text"]
    )
