"""The command augment, with shuffled and with edited copies."""

import json
import subprocess
import sys
from collections import Counter

import pandas as pd
from gold_posts import LONG, posts

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
        done = subprocess.run([*command, "--out", out], capture_output=True, text=True, check=True)
    assert outs[0].read_bytes() == outs[1].read_bytes()
    made = read_posts(outs[0])
    assert Counter(made["parent"]) == {"a": 1, "b": 1, "c": 1, "d": 1}
    assert "4 new posts from 4 (2 of class 0, 2 of class 1)" in done.stderr
    assert "text repeated for 1 with one segment and 0 without a new order" in done.stderr
    assert "three" not in done.stderr
    spec["copies"], spec["fill"] = 0, None
    command[3] = json.dumps(spec)
    done = subprocess.run(
        [*command, "--out", tmp_path / "no.parquet"], capture_output=True, text=True
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
            [*command, "--data", tmp_path / "train.parquet", "--out", out],
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
