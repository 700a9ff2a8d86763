"""The command augment, with shuffled and with edited copies."""

import json
import subprocess
import sys
from collections import Counter

import pandas as pd
from gold_posts import LONG, posts

from postgrad.records.json_files import read_json
from postgrad.records.parquet_files import write_table
from postgrad.records.posts import DROPPED, read_posts, write_posts


def test_command(tmp_path):
    rows = [("a", LONG, 0), ("b", LONG, 0), ("c", LONG, 1), ("d", "short", 1), ("gone", LONG, 1)]
    write_posts(posts(rows), tmp_path / "train.parquet")
    dropped = pd.DataFrame([("gone", "train", "duplicate")], columns=DROPPED.names)
    write_table(dropped, tmp_path / "drop.parquet", DROPPED)
    spec = {
        "node": "n",
        "method": "shuffle",
        "copies": 1,
        "fill": "largest",
        "split": "protected",
        "seed": 1,
    }
    command = [sys.executable, "workflow/scripts/augment.py", "--spec", json.dumps(spec)]
    command += ["--data", tmp_path / "train.parquet", "--drop", tmp_path / "drop.parquet"]
    outs = [tmp_path / "one.parquet", tmp_path / "two.parquet"]
    for out in outs:
        done = subprocess.run(
            [*command, "--out", out, "--flow", out.with_suffix(".json")],
            capture_output=True,
            text=True,
            check=True,
        )
    assert outs[0].read_bytes() == outs[1].read_bytes()
    made = read_posts(outs[0])
    assert Counter(made["parent"]) == {"a": 1, "b": 1, "c": 1, "d": 1}
    assert "4 new posts from 4 (2 of class 0, 2 of class 1)" in done.stderr
    assert "text repeated for 1 with one segment and 0 without a new order" in done.stderr
    assert "three" not in done.stderr
    spec["copies"], spec["fill"] = 0, None
    command[3] = json.dumps(spec)
    done = subprocess.run(
        [*command, "--out", tmp_path / "no.parquet", "--flow", tmp_path / "no.json"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and done.stderr.startswith("augment: n: nothing to make")
    assert done.stderr.count("\n") == 1 and not (tmp_path / "no.parquet").exists()


def test_command_edits(tmp_path):
    rows = [
        ("a", "A sick child, it isn't asleep and does not sing", 0),
        ("b", "I am @me", 1),
        ("c", LONG, 1),
    ]
    write_posts(posts(rows), tmp_path / "train.parquet")
    spec = {
        "node": "n",
        "method": "edit",
        "edits": ["synonym", "contraction", "character"],
        "rate": 0.1,
        "copies": 4,
        "classes": [0, 1],
        "seed": 1,
    }
    command = [sys.executable, "workflow/scripts/augment.py", "--spec", json.dumps(spec)]
    outs = [tmp_path / "one.parquet", tmp_path / "two.parquet"]
    for out in outs:
        done = subprocess.run(
            [*command, "--data", tmp_path / "train.parquet", "--out", out, "--flow", f"{out}.json"],
            capture_output=True,
            text=True,
            check=True,
        )
    assert outs[0].read_bytes() == outs[1].read_bytes()
    made = read_posts(outs[0])
    assert Counter(made["parent"]) == {"a": 4, "c": 4} and set(
        made["label"][made["parent"] == "a"]
    ) == {0}
    assert "4 left out that no edit made new" in done.stderr and "sick" not in done.stderr


def test_a_new_post_that_copies_a_scored_one_is_left_out(tmp_path):
    rows = [
        ("a", "it rains and nobody here owns any boots for mud", 0),
        ("b", "the sun shines on all of us who sit here today", 1),
    ]
    write_posts(posts(rows), tmp_path / "train.parquet")
    copied = [("x", "The sun shines on all of them who sit here TODAY https://t.co/x", 1)]
    write_posts(posts(copied), tmp_path / "other.parquet")
    spec = {"node": "n", "method": "duplicate", "copies": 2, "seed": 1, "near_duplicates": "drop"}

    def run(**options):
        words = ["--spec", json.dumps(spec | options), "--data", tmp_path / "train.parquet"]
        words += ["--scored", "mud/test", tmp_path / "other.parquet"]
        words += ["--out", tmp_path / "made.parquet", "--flow", tmp_path / "made.json"]
        command = [sys.executable, "workflow/scripts/augment.py", *words]
        return subprocess.run(command, capture_output=True, text=True)

    done = run()
    assert done.returncode == 0, done.stderr
    assert read_posts(tmp_path / "made.parquet")["parent"].to_list() == ["a", "a"]
    assert "2 left out and 0 kept that copy a scored post" in done.stderr
    flow = read_json(tmp_path / "made.json")
    assert flow["copies"] == {"near-copy of a post in mud/test": 2} and flow["made"] == 4
    assert flow["least"]["post_id"] == "b~n~0" and flow["least"]["partner"] == "x"
    assert run(near_duplicates="report").returncode == 0
    assert len(read_posts(tmp_path / "made.parquet")) == 4
    assert read_json(tmp_path / "made.json")["stay"] == 2
    done = run(near_duplicates="stop")
    assert done.returncode == 1 and done.stderr.startswith(
        "augment: node n: 2 of 4 new posts nearly copy a post on which models are scored."
    )
    assert "sun" not in done.stderr
