"""The command clean: five splits and a ledger, or one sentence and no file."""

import json
import subprocess
import sys

import pandas as pd
import pyarrow.parquet as pq
import yaml
from raw_files import COLUMNS, corpus_of, fates, spec, split, write
from tree import ROOT

from postgrad.corpus.cleaning import LEDGER
from postgrad.demo.grammar import SHARES
from postgrad.records.names import SPLITS
from postgrad.records.posts import GROUPED_POSTS, POSTS


def clean(spec, data, out):
    command = [sys.executable, "workflow/scripts/clean.py", "--spec", json.dumps(spec)]
    return subprocess.run(
        [*command, "--data", str(data), "--out", str(out)], cwd=ROOT, capture_output=True, text=True
    )


# -- the command ----------------------------------------------------------------------------------


def test_clean_writes_five_splits_and_the_ledger(tmp_path):
    write(tmp_path, "train.csv", "id,text,label\n1,one two,0\n,three,1\n3,four &amp; five,1\n")
    result = clean(spec(train=split("train.csv")), tmp_path, tmp_path / "out")
    assert result.returncode == 0, result.stderr
    names = {f"{name}.parquet" for name in SPLITS} | {"ledger.parquet"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == names
    for name in SPLITS:
        assert pq.read_schema(tmp_path / "out" / f"{name}.parquet").equals(POSTS)
    assert pq.read_table(tmp_path / "out/train.parquet").to_pydict() == {
        "post_id": ["1", "3"],
        "text": ["one two", "four & five"],
        "keyword": [None, None],
        "label": [0, 1],
        "platform": ["reddit", "reddit"],
        "author": [None, None],
        "origin": ["gold", "gold"],
        "parent": [None, None],
    }
    assert pq.read_schema(tmp_path / "out/ledger.parquet").equals(LEDGER)
    ledger = pd.read_parquet(tmp_path / "out/ledger.parquet")
    assert set(ledger["task"]) == {"toy"} and set(ledger["file"]) == {"train.csv"}
    assert [row[2] for row in fates(ledger)] == ["kept", "rejected", "kept"]


def test_columns_under_groups_stay_with_the_posts(tmp_path):
    rows = "1,one two,0,FR,7\n2,three,1,,\n3,,1,a value of a post that is no post: not looked at "
    write(tmp_path, "train.csv", f"id,text,label,country,age\n{rows}{'x' * 60},\n")
    write(tmp_path, "dev.csv", "id,text,label,country\n4,four,1,nan\n5,five,0,DE\n")
    options = spec(train=split("train.csv"), dev=split("dev.csv")) | {"groups": ["country", "age"]}
    result = clean(options, tmp_path, tmp_path / "out")
    assert result.returncode == 0, result.stderr
    for name in SPLITS:
        assert pq.read_schema(tmp_path / "out" / f"{name}.parquet").equals(GROUPED_POSTS)
    groups = [
        pq.read_table(tmp_path / f"out/{name}.parquet")["groups"].to_pylist()
        for name in ("train", "dev")
    ]
    assert groups == [[[("country", "FR"), ("age", "7")], []], [[], [("country", "DE")]]]


def test_a_column_under_groups_must_exist_and_hold_no_texts(tmp_path):
    write(tmp_path, "train.csv", f"id,text,label,note\n1,one,0,short\n2,two,1,{'secret ' * 9}\n")
    options = spec(train=split("train.csv")) | {"groups": ["country"]}
    result = clean(options, tmp_path, tmp_path / "out")
    assert result.stderr == (
        "clean: toy: no file has the column country; correct `groups` in config/tasks/toy.yaml.\n"
    )
    result = clean(options | {"groups": ["note"]}, tmp_path, tmp_path / "out")
    assert result.stderr == (
        "clean: train.csv, line 3: the column note has no single value of at most 60 characters; "
        "name another column under `groups` in the task file.\n"
    )
    assert not (tmp_path / "out").exists()


def test_a_fault_is_one_sentence_and_leaves_nothing(tmp_path):
    write(tmp_path, "train.csv", "id,text,label\n1,a secret,0\n2,a secret,secret\n")
    result = clean(spec(train=split("train.csv")), tmp_path, tmp_path / "out")
    assert result.returncode == 1
    assert result.stderr == (
        "clean: train.csv, line 3, column label: the value 'secret' is not a label of the task (0, "
        "1, no, yes); "
        "correct the row, or the labels in the task file.\n"
    )
    assert not (tmp_path / "out").exists()


def test_made_up_posts_go_through_with_the_task_files_of_the_project(tmp_path):
    sizes = {"train": 20, "dev": 12, "test": 12, "decoys": 6}
    tasks = dict.fromkeys(SHARES, sizes) | {
        "smm4h24-task6": {**sizes, "unlabeled": 40}
    }  # which is the last
    made = {"seed": 1, "posts": tasks}
    command = [
        sys.executable,
        "workflow/scripts/demo.py",
        "--spec",
        json.dumps(made),
        "--out",
        str(tmp_path),
    ]
    subprocess.run(command, cwd=ROOT, check=True)
    for task in tasks:
        body = yaml.safe_load((ROOT / f"config/tasks/{task}.yaml").read_text())
        splits, ledger = corpus_of({**body, "task": task}, tmp_path)
        assert [len(splits[name]) for name in ("train", "dev", "test", "cross")] == [20, 12, 12, 0]
        assert splits["test"]["label"].notna().all()
        assert (ledger["fate"] == "decoy").sum() == 6
        assert sorted(set(splits["train"]["label"])) == list(range(len(body["labels"])))
    # The last was 2024 Task 6. Its pool is selected, its platforms come from `source`.
    assert 0 < len(splits["unlabeled"]) < 40
    assert set(ledger["reason"].dropna()) == {"not selected"}
    assert splits["test"]["platform"].value_counts().to_dict() == {"reddit": 8, "twitter": 4}
    assert (
        set(splits["unlabeled"]["origin"]) == {"pool"} and splits["unlabeled"]["label"].isna().all()
    )


# -- files that cannot be trusted -----------------------------------------------------------------


def test_a_missing_file_is_named_with_its_columns_and_who_hands_it_out(tmp_path):
    columns = {**COLUMNS, "label": ["label", "Classification"]}
    result = clean(
        spec(train={"file": "toy/train.csv", "columns": columns}), tmp_path, tmp_path / "out"
    )
    assert result.returncode == 1
    assert result.stderr == (
        f"clean: toy/train.csv is not in {tmp_path}; expected are the columns id, text, "
        "label or Classification; handed out by the organisers.\n"
    )


# -- the steps of a task --------------------------------------------------------------------------


def test_a_task_chooses_its_steps_and_the_log_counts_what_they_changed(tmp_path):
    write(
        tmp_path,
        "train.csv",
        "id,text,label,title,word\n"
        "1,See https://example.org  @you,0,Now,A\n2,so,1,now,b\n3,so,1,,b\n",
    )
    columns = {**COLUMNS, "title": "title", "keyword": "word"}
    body = spec(train={"file": "train.csv", "columns": columns})
    result = clean(
        {**body, "clean": ["links", "mentions", "white_space", "case"]}, tmp_path, tmp_path / "out"
    )
    assert result.returncode == 0, result.stderr
    posts = pq.read_table(tmp_path / "out/train.parquet").to_pydict()
    assert posts["text"] == ["now see http @user", "now so", "so"]
    assert posts["keyword"] == ["a", "b", "b"]
    assert [line for line in result.stdout.splitlines() if ": step " in line] == [
        "clean: toy: step links: 1 changed",
        "clean: toy: step mentions: 1 changed",
        "clean: toy: step white_space: 1 changed",
        "clean: toy: step case: 3 changed",
    ]
    default = clean(body, tmp_path, tmp_path / "default")
    assert pq.read_table(tmp_path / "default/train.parquet").to_pydict()["text"][0] == (
        "Now See https://example.org @you"
    )
    assert "step entities: 0 changed" in default.stdout
