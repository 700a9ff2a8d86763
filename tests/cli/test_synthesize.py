"""The command synthesize, with a stand-in, a server and a model in a folder, and its table in the
report.
"""

import json
import re
import shutil
import subprocess
import sys
from collections import Counter

import pandas as pd
import pytest
import report_files
import talking
from made import made_base
from tree import ROOT
from written_posts import numbered, posts, spec, synthesize_options, text, written

from postgrad.llm.synthesis import PostWriter
from postgrad.records.parquet_files import write_table
from postgrad.records.posts import DROPPED, read_posts, write_posts
from postgrad.report.written_posts import written_table

# -- the command
# -------------------------------------------------------------------------------------


class Folder:
    """A made-up corpus in a folder, and the command on it."""

    def __init__(self, folder):
        self.folder = folder
        for split in ("train", "dev", "test"):
            write_posts(posts(24, split), folder / f"{split}.parquet")
        write_table(pd.DataFrame({"post_id": ["train-1"]}), folder / "drop.parquet", DROPPED)

    def run(self, out="made", bases=None, budget=None, models=(), **options):
        reached = {"answers": str(self.folder / "answers"), "bases": bases or {}, "budget": budget}
        words = ["--spec", json.dumps(spec(**options)), "--reached", json.dumps(reached)]
        words += ["--data", self.folder / "train.parquet", "--drop", self.folder / "drop.parquet"]
        for split in ("train", "dev", "test"):
            words += ["--corpus", split, self.folder / f"{split}.parquet"]
        words += [
            "--models",
            *models,
            "--out",
            self.folder / f"{out}.parquet",
            "--flow",
            self.folder / f"{out}.json",
        ]
        command = [sys.executable, "workflow/scripts/synthesize.py", *map(str, words)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)

    def flow(self, out="made"):
        return json.loads((self.folder / f"{out}.json").read_text())["rows"]


@pytest.fixture()
def folder(tmp_path):
    return Folder(tmp_path)


def test_a_stand_in_writes_the_same_bytes_again(folder, tmp_path):
    done = folder.run()
    assert done.returncode == 0, done.stderr
    calls = sum(row["calls"] for row in folder.flow())
    assert (
        done.stderr == f"synthesize made: 12 of 12 posts in {calls} calls, 0 of them malformed.\n"
    )
    frame = read_posts(tmp_path / "made.parquet")
    assert (
        Counter(frame["label"]) == {0: 6, 1: 6}
        and frame["parent"].isna().all()
        and frame["author"].isna().all()
    )
    assert (
        sum(row["stand_in"] for row in folder.flow()) == calls
        and written_table({"node": "made", "per_call": 3, "rows": folder.flow()}, "mine")[
            "stand_in"
        ]
    )
    for label, part in frame.groupby("label"):  # its words are those of the label's examples
        assert (
            part["text"].str.contains(f"train{label}x").any()
            and not part["text"].str.contains(f"n{1 - label}x").any()
        )
    kept = {name: (tmp_path / f"made.{name}").read_bytes() for name in ("parquet", "json")}
    assert folder.run("again").returncode == 0
    shutil.rmtree(tmp_path / "answers")
    assert folder.run("anew").returncode == 0
    for name, content in kept.items():
        assert (
            (tmp_path / f"again.{name}").read_bytes()
            == content
            == (tmp_path / f"anew.{name}").read_bytes()
        )


@pytest.fixture()
def endpoint(monkeypatch):
    """A server that writes lists of new posts."""

    def send_list(handler):
        asked = len(handler.server.told.bodies) - 1
        made = numbered(*(text(3 * asked + k) for k in range(3)))
        handler.send(200, handler.completion(made))

    monkeypatch.setattr(talking.Handler, "send_list", send_list, raising=False)
    with talking.server(lambda post, times: "list") as made:
        yield made


def endpoint_options(server):
    base = server.base()
    means = {"gpt": {"url": base["url"]}}
    return {"asked": [{"base": "gpt", "kind": "endpoint", "model": "some-model"}], "bases": means}


def test_no_request_holds_a_post_of_dev_or_test_nor_one_that_audit_leaves_out(folder, endpoint):
    done = folder.run(count=60, calls=20, **endpoint_options(endpoint))
    assert done.returncode == 0, done.stderr
    assert len(endpoint.bodies) == 40
    sent = [json.dumps(body) for body in endpoint.bodies]
    shown = {
        f"train{i % 2}x{i} " for i in range(24) if any(f"train{i % 2}x{i} " in one for one in sent)
    }
    assert len(shown) == 23 and "train1x1 " not in shown
    assert not any(split in one for one in sent for split in ("dev0", "dev1", "test0", "test1"))


def test_a_spent_budget_ends_in_one_sentence_and_a_rerun_goes_on(folder, endpoint):
    options = endpoint_options(endpoint)
    done = folder.run(budget={"requests": 3, "tokens": 1000}, **options)
    assert (
        done.returncode == 1
        and done.stderr.count("\n") == 1
        and "its budget is spent" in done.stderr
    )
    assert (
        done.stderr.startswith("synthesize: base gpt")
        and not (folder.folder / "made.parquet").exists()
    )
    assert folder.run(budget={"requests": 4, "tokens": 1000}, **options).returncode == 0
    assert len(endpoint.bodies) == 4 and [row["kept"] for row in folder.flow()] == [6, 6]
    assert [(row["tokens_in"], row["tokens_out"], row["stand_in"]) for row in folder.flow()] == [
        (60, 20, 0)
    ] * 2
    assert folder.run("again", **options).returncode == 0
    assert len(endpoint.bodies) == 4, "a rerun asks nothing again"
    assert (folder.folder / "again.parquet").read_bytes() == (
        folder.folder / "made.parquet"
    ).read_bytes()


def test_where_the_calls_are_spent_the_node_goes_on_with_what_there_is(folder, endpoint):
    endpoint.fault = lambda post, times: "list" if len(endpoint.bodies) % 2 else "wrong_json"
    done = folder.run(calls=3, classes=[1], **endpoint_options(endpoint))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ("synthesize made: 6 of 6 posts in 3 calls, 1 of them malformed.\n")
    done = folder.run("less", calls=2, classes=[1], **endpoint_options(endpoint))
    assert done.stderr == (
        "synthesize made: 3 of 6 posts in 2 calls, 1 of them malformed; its calls were spent.\n"
    )
    assert len(endpoint.bodies) == 3 and folder.flow("less")[0]["malformed"] == {"no list": 1}


def test_a_model_in_a_folder_may_write(folder, tmp_path):
    """A model with random weights writes no list.

    Nothing is kept, everything is counted, and the node still ends.
    """
    made_base(tmp_path / "tiny", "causal", length=256)
    asked = [
        {"base": "tiny", "kind": "causal", "threads": 1, "attention": "eager", "precision": "fp32"}
    ]
    prompt = {"system": "Write.", "user": "{number} {label}:\n{own}"}
    done = folder.run(
        asked=asked,
        models=[tmp_path / "tiny/model.json"],
        prompt=prompt,
        calls=2,
        classes=[1],
        max_tokens=8,
    )
    assert done.returncode == 0, done.stderr
    assert (
        done.stderr
        == "synthesize made: 0 of 6 posts in 2 calls, 2 of them malformed; its calls were spent.\n"
    )
    assert (
        folder.flow()[0]["malformed"] == {"cut at max_tokens": 2}
        and len(read_posts(tmp_path / "made.parquet")) == 0
    )


def test_no_log_and_no_count_shows_a_post(folder):
    done = folder.run()
    told = done.stdout + done.stderr + (folder.folder / "made.json").read_text()
    assert "said" not in told and "train0x" not in told


# -- the report
# --------------------------------------------------------------------------------------


def test_the_report_tells_who_wrote_what_and_where_a_stand_in_did(tmp_path):
    made = PostWriter(posts(), {}, synthesize_options(classes=[1]))
    written(
        made, ["no list", numbered(text(0), text(0), text(1)), numbered(text(2), text(3), text(4))]
    )
    path = tmp_path / "ctyun/synthesize/made.json"
    path.parent.mkdir(parents=True)
    for stand_in in (0, 3):
        flow = made.flow()
        flow["rows"][0]["stand_in"] = stand_in
        path.write_text(json.dumps(flow))
        done = report_files.report(
            [*report_files.inputs(tmp_path), "--written", "ctyun", "made", str(path)], tmp_path
        )
        assert done.returncode == 0, done.stderr
        text_of_page = (tmp_path / "report.html").read_text()
        (row,) = re.findall(r"<tr><th scope=\"row\">stand-in<.*", text_of_page)
        cells = re.findall(
            r"<td[^>]*>([^<]*)", row
        )  # wanted, kept, calls, malformed, left out, tokens in and out
        assert cells == [
            "6",
            "5",
            "3",
            "1",
            "1",
            "30",
            "15",
            "1 no list, 1 similar to a written post",
        ]
        words = report_files.Page(text_of_page).words
        assert ("A rule wrote in place of a language model" in words) is bool(stand_in)
    done = report_files.report(report_files.inputs(tmp_path), tmp_path)
    assert done.returncode == 0 and "Written posts" not in (tmp_path / "report.html").read_text()
