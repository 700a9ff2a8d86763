"""synthesize: what a call shows, what of an answer stays, the counts, the node's place, and the command itself."""

import json
import random
import re
import shutil
import subprocess
import sys
from collections import Counter

import draw_recipe
import pandas as pd
import pytest
import report_files
import talking
import yaml
from broken import GPT, put
from made import made_base
from study_files import write_config
from tree import ROOT

from postgrad.config.errors import Fault
from postgrad.config.yaml_files import read_yaml
from postgrad.corpus.duplicates import Known
from postgrad.llm.answer_cache import Answer
from postgrad.llm.synthesis import Writing, listed
from postgrad.records.posts import DROPPED, read_posts, write_posts
from postgrad.records.tables import write_table
from postgrad.report.bookkeeping import written_table
from postgrad.study.specs import node_spec
from postgrad.study.study import Study

PROMPT = read_yaml(ROOT / "config/prompts/synthesize-posts.yaml")
THINGS = ["rain", "tea", "trains", "bread", "snow", "books", "chairs", "songs", "boots", "lamps"]
STAND_IN = {"base": "stand-in", "kind": "stand-in"}


def posts(n=24, split="train"):
    """n posts with label i % 2; each holds a word that names its split, label and number."""
    rows = [
        (f"{split}-{i}", f"{split}{i % 2}x{i} said {THINGS[i % 10]} and {THINGS[i * 3 % 7]} today", i % 2, "gold")
        for i in range(n)
    ]
    frame = pd.DataFrame(rows, columns=["post_id", "text", "label", "origin"]).astype({"label": "Int64"})
    return frame.assign(keyword=None, platform="twitter", author=None, parent=None)


def spec(**options):
    return {
        "node": "made",
        "asked": [STAND_IN],
        "labels": [{"name": "no", "about": "nothing of rain"}, {"name": "yes", "about": "the author tells of rain"}],
        "platform": "twitter",
        "prompt": PROMPT,
        "count": 6,
        "per_call": 3,
        "calls": 4,
        "shots": {"own": 2, "other": 3},
        "temperature": 0.0,
        "seed": 1,
    } | options


def text(k):
    """A text that shares hardly a word with that of another number."""
    return " ".join(f"{word}{k}" for word in ("one", "more", "post", "about", "weather"))


def numbered(*texts):
    return "\n".join(f"{k}. {text}" for k, text in enumerate(texts, 1))


def written(made, replies, model="stand-in"):
    """Let a model answer its requests with these texts (None: no answer), in order: its requests."""
    asked = []
    for reply, request in zip(replies, made.requests(model)):
        asked.append(request)
        made.take(Answer(reply, None if reply else "no answer: status 500", reply, 10, 5))
    return asked


# -- lists -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer, reason", [
    ("1. a\n2. b\n3. c", None),
    ("Sure, here they are:\n\n1) a\n\n2) b\n\n3) c\n", None),
    ("1: a\n2: b\n3: c", None),
    ("1. a\n2. b", "fewer than 3 posts"),
    ("1. a\n2. b\n3. c\n4. d", "more than 3 posts"),
    ("1. a\n3. b\n2. c", "wrong numbers"),
    ("0. a\n1. b\n2. c", "wrong numbers"),
    ("1. a\n1. b\n1. c", "wrong numbers"),
    ("1. a\n2.\n3. c", "an empty post"),
    ("1. a\n2. \"\"\n3. c", "an empty post"),
    ("1. a\n2. b\n3. c\nI hope they help!", "text beside the list"),
    ("1. a\nwhich goes on\n2. b\n3. c", "text beside the list"),
    ("a\nb\nc", "no list"),
    ("", "no list"),
    ("1.5 a\n2.5 b", "no list"),
])  # fmt: skip
def test_only_a_list_of_the_right_length_is_one(answer, reason):
    assert listed(answer, 3) == ((["a", "b", "c"], None) if reason is None else (None, reason))


def test_posts_of_a_list_are_cleaned_as_those_of_a_corpus():
    found, _ = listed('1. "it  rains &amp; rains"\n2. “I\'m 25”\n3. "no" said he, "no"\n4. \'I\'m in\'', 4)
    assert found == ["it rains & rains", "I'm 25", '"no" said he, "no"', "'I'm in'"]


# -- near-copies -------------------------------------------------------------------------------------


@pytest.mark.parametrize("text, place", [
    ("it rains and I have no boots for this street today", "train"),
    ("It RAINS and I have no boots, for this street... today! https://t.co/x", "train"),  # with a link: 11 of 12
    ("it rains and I have no shoes for this street today", "train"),  # 10 of 12 words
    ("today this street for boots no have I and rains it", "train"),
    ("it rains and we have no shoes for this street today", None),  # 9 of 13
    ("it rains", None),
    ("I am 26", None),
    ("i am 25!", "dev"),
    ("🙂", "dev"),
    ("🙃", None),
])  # fmt: skip
def test_a_near_copy_shares_four_fifths_of_the_words(text, place):
    known = Known({"train": ["it rains and I have no boots for this street today"], "dev": ["I am 25", "🙂"]})
    assert known.place(text) == place


@pytest.mark.parametrize("seed", range(5))
def test_near_copies_are_those_that_every_pair_tells(seed):
    """The oracle compares every pair; the sizes of the sets only spare comparisons."""
    rng = random.Random(seed)
    texts = [" ".join(rng.choices("abcdefgh", k=rng.randint(1, 9))) for _ in range(60)]
    known = Known({"train": texts[:40]})
    sets = [set(text.split()) for text in texts]
    for i in range(40, 60):
        near = any(len(sets[i] & other) / len(sets[i] | other) >= 0.8 for other in sets[:40])
        assert (known.place(texts[i]) == "train") is near


# -- requests ----------------------------------------------------------------------------------------


def test_a_call_shows_examples_of_both_sides_and_names_what_it_wants():
    made = Writing(posts(), {}, spec(attributes={"mood": ["glad", "cross"], "length": ["short"]}, classes=[1]))
    (request,) = written(made, [numbered(*map(text, range(3)))])
    (_, system), (_, user) = request.messages
    assert 'Write 3 fictional tweets of label "yes" (the author tells of rain), numbered 1 to 3' in user
    assert "- no: nothing of rain\n- yes: the author tells of rain" in user
    assert "length: short\nmood: glad" in user or "length: short\nmood: cross" in user
    lines = user.splitlines()
    own, other = ([line for line in lines if line.startswith(start)] for start in ("- train1x", "- no: train0x"))
    assert (len(own), len(other)) == (2, 3) and len(set(own + other)) == 5
    assert "{" not in system + user and request.schema is None


def test_a_post_is_called_as_its_platform_calls_it():
    for platform, word in (("twitter", "tweets"), ("reddit", "Reddit posts"), ("forum", "posts")):
        request = next(Writing(posts(), {}, spec(platform=platform)).requests("stand-in"))
        assert f"Write 3 fictional {word} of label" in request.messages[1][1]


def test_every_request_differs_from_every_other():
    """Other examples are drawn for each call; even where there is one draw only, the request's seed differs."""
    two = [{"base": "one", "kind": "stand-in"}, {"base": "two", "kind": "stand-in"}]
    made = Writing(posts(), {}, spec(asked=two, calls=20))
    asked = [request for model in ("one", "two") for request in written(made, ["no list"] * 40, model)]
    assert len(asked) == 80 == len({request.messages for request in asked})
    made = Writing(posts(2), {}, spec(calls=20))
    assert len(set(written(made, ["no list"] * 40))) == 40


def test_draws_hang_on_the_seed_and_not_on_the_order_of_the_file():
    def first(frame, **options):
        return next(Writing(frame, {}, spec(**options)).requests("stand-in"))

    assert first(posts()) == first(posts()[::-1].reset_index(drop=True)) != first(posts(), seed=2)


def test_examples_are_as_many_as_there_are_and_braces_in_them_stay():
    frame = posts(3).assign(text=["{label} {0}", "b", "c"])
    user = next(Writing(frame, {}, spec(classes=[0])).requests("stand-in")).messages[1][1]
    assert "- {label} {0}" in user and "- c" in user and "- yes: b" in user


def test_posts_without_labels_are_no_examples():
    with pytest.raises(ValueError, match="made: 24 of 24 posts have no label; name a labelled split"):
        Writing(posts().assign(label=pd.array([pd.NA] * 24, dtype="Int64")), {}, spec())


# -- what stays --------------------------------------------------------------------------------------


def test_the_count_is_exact_where_there_is_enough():
    made = Writing(posts(), {}, spec(count=4))
    asked = written(made, [numbered(*map(text, range(k, k + 3))) for k in range(0, 99, 3)])
    assert len(asked) == 4, "two calls of three posts for each of two classes"
    frame = made.frame()
    assert Counter(frame["label"]) == {0: 4, 1: 4} and frame["post_id"].tolist() == [f"made~{k}" for k in range(8)]
    assert set(frame["origin"]) == {"synthesize"} and set(frame["platform"]) == {"twitter"}
    assert [row["over"] for row in made.flow()["rows"]] == [2, 2]


def test_counts_tell_where_every_answer_and_every_post_went():
    """Train, dev and an earlier post are nearly copied; two answers are no list, one call gets no answer."""
    corpus = {split: posts(24, split)["text"] for split in ("train", "dev")}
    replies = [
        numbered(text(0), corpus["train"][3], corpus["dev"][5] + "!"),
        "I cannot do this.",
        None,
        numbered(text(1), text(0).upper(), text(2)),
        numbered(text(3), text(4)),
    ]
    made = Writing(posts(), corpus, spec(classes=[1], calls=5))
    assert len(written(made, replies * 2)) == 5, "the bound of calls"
    (row,) = made.flow()["rows"]
    assert row == {
        "writer": "stand-in", "label": "yes", "code": 1, "wanted": 6, "calls": 5, "answered": 2, "kept": 3, "over": 0,
        "malformed": {"no list": 1, "no answer: status 500": 1, "fewer than 3 posts": 1},
        "copies": {"train": 1, "dev": 1, "written": 1}, "tokens_in": 50, "tokens_out": 25, "stand_in": 0,
    }  # fmt: skip
    assert row["calls"] == row["answered"] + sum(row["malformed"].values())
    assert 3 * row["answered"] == row["kept"] + row["over"] + sum(row["copies"].values())
    assert made.frame()["text"].tolist() == [text(0), text(1), text(2)]


def test_a_post_is_no_copy_of_one_that_was_written_for_another_class_or_by_another_model():
    two = [{"base": "one", "kind": "stand-in"}, {"base": "two", "kind": "stand-in"}]
    made = Writing(posts(), {}, spec(asked=two, calls=1))
    same = numbered(text(0), text(1), text(2))
    for model in ("one", "two"):
        written(made, [same] * 9, model)
    assert [(row["kept"], row["copies"]) for row in made.flow()["rows"]] == [(3, {})] + [(0, {"written": 3})] * 3


def test_several_writers_share_the_count():
    three = [{"base": name, "kind": "stand-in"} for name in "abc"]
    made, fresh = Writing(posts(), {}, spec(asked=three, count=7)), iter(range(1000))
    for model in "abc":
        written(made, (numbered(*(text(next(fresh)) for _ in range(3))) for _ in range(99)), model)
    rows = made.flow()["rows"]
    assert [(row["writer"], row["label"], row["kept"]) for row in rows] == [
        ("a", "no", 3), ("a", "yes", 3), ("b", "no", 2), ("b", "yes", 2), ("c", "no", 2), ("c", "yes", 2)
    ]  # fmt: skip


# -- the node in a graph -----------------------------------------------------------------------------

MADE = {
    "synthesize": "rain/train", "writers": ["gpt4"], "prompt": "ask", "classes": ["yes"], "count": 4, "per_call": 2,
    "calls": 5, "shots": {"own": 1, "other": 1}, "temperature": 0.0, "seed": 1,
}  # fmt: skip
ASK = {"system": "You write.", "user": "{labels} Write {number} {posts} of {label}:\n\n{other}\n\n{own}"}


def study_in(folder, made=None, prompt=None, writer="deputy", beside=None, config=None, **changes):
    """The small study with a node that language models write; made, prompt: what is other there."""

    def recipe(content):
        content["datasets"] |= {"made": MADE | (made or {}), **(beside or {})}
        content["models"]["plain"]["data"] = ["rain/train", "made"]

    def bases(content):
        content |= {"deputy": {"kind": "stand-in"}, "gpt4": GPT}

    root = write_config(folder, recipe=recipe, bases=bases, scale=put("bases.gpt4", {"model": writer}), **changes)
    (root / "prompts").mkdir(exist_ok=True)
    (root / "prompts/ask.yaml").write_text(yaml.safe_dump(ASK | (prompt or {})))
    return Study({"study": "test", "check_data": False, **(config or {})}, root=root)


def test_a_node_reads_train_and_its_spec_holds_all_that_decides(tmp_path):
    study = study_in(tmp_path)
    graph = study.graphs["small"]
    node = graph.nodes["made"]
    assert node.sources == ["rain/train"] and node.learnt == ("rain/train",) and node.task == "rain"
    assert json.loads(node_spec(study, "small", "made")) == {
        **{key: MADE[key] for key in ("count", "per_call", "calls", "shots", "temperature", "seed")},
        "node": "made", "classes": [1], "labels": [{"name": "no"}, {"name": "yes"}], "platform": "twitter",
        "asked": [{"base": "deputy", "kind": "stand-in"}], "prompt": ASK,
    }  # fmt: skip
    assert graph.nodes["plain@seed=1"].sources == ["rain/train", "made"]


def test_a_changed_prompt_changes_the_spec_and_nothing_of_how_a_model_is_reached_does(tmp_path):
    leave = {"task": put("endpoints", True), "study": put("endpoints", {"requests": 10, "tokens": 1000})}
    one = node_spec(study_in(tmp_path / "one", writer="gpt4", **leave), "small", "made")
    assert (
        node_spec(study_in(tmp_path / "two", writer="gpt4", prompt={"system": "Go."}, **leave), "small", "made") != one
    )
    leave["study"] = put("endpoints", {"requests": 99, "tokens": 9999})
    assert node_spec(study_in(tmp_path / "three", writer="gpt4", **leave), "small", "made") == one


def test_without_a_writer_the_node_and_what_stands_on_it_are_not_run(tmp_path):
    not_run = study_in(tmp_path, writer=None).graphs["small"].not_run
    assert not_run["made"] == "scale here has no model in the place of gpt4"
    assert not_run["plain"] == "needs made, which is not run"


@pytest.mark.parametrize("made, place, sentence", [
    ({"synthesize": "rain/dev"}, "datasets.made.synthesize", "rain/dev is a dev set"),
    ({"synthesize": "rain/test"}, "datasets.made.synthesize", "rain/test is a test set"),
    ({"synthesize": "rain/unlabeled"}, "datasets.made.synthesize", "rain/unlabeled has no labels to learn"),
    ({"synthesize": "filled"}, "datasets.made.synthesize", "'filled' is made by augment; name a split"),
    ({"classes": ["maybe"]}, "datasets.made.classes", "there is no label 'maybe'"),
    ({"calls": 1}, "datasets.made.calls", "1 calls of 2 posts to each of 1 writers cannot give 4"),
    ({"writers": ["gpt5"]}, "datasets.made.writers", "there is no base 'gpt5'; did you mean 'gpt4'?"),
    ({"prompt": "asks"}, "datasets.made.prompt", "did you mean 'ask'?"),
    ({"attributes": {"mood": ["glad"]}}, "datasets.made.attributes", "{attributes}"),
    ({"shots": {"own": 1}}, "datasets.made.shots", "the key 'other' is missing"),
    ({"temperature": "high"}, "datasets.made.temperature", "expected a number"),
])  # fmt: skip
def test_faults(tmp_path, made, place, sentence):
    with pytest.raises(Fault) as fault:
        study_in(tmp_path, made)
    assert any(place in one and sentence in one for one in fault.value.sentences), fault.value.sentences


@pytest.mark.parametrize("user, sentence", [
    ("{number} {own} {text}", "synthesize fills in no {text}"),
    ("{own}", "{number} is missing"),
])  # fmt: skip
def test_a_prompt_of_wrong_fields_is_refused(tmp_path, user, sentence):
    with pytest.raises(Fault) as fault:
        study_in(tmp_path, prompt={"user": user})
    assert any("prompts/ask.yaml" in one and sentence in one for one in fault.value.sentences), fault.value.sentences


def test_a_task_whose_posts_have_keywords_is_refused(tmp_path):
    with pytest.raises(Fault, match="datasets.made: the posts of rain have a keyword each"):
        study_in(tmp_path, task=put("splits.train.columns.keyword", "keyword"))


def test_posts_go_to_an_endpoint_only_with_leave(tmp_path):
    with pytest.raises(Fault, match="datasets.made.writers: gpt4 is an endpoint, and no post of rain goes to one"):
        study_in(tmp_path, writer="gpt4")


def test_a_model_in_a_folder_draws_no_words(tmp_path):
    with pytest.raises(Fault, match="datasets.made.temperature: tiny is a model in a folder"):
        study_in(tmp_path, {"temperature": 0.7}, writer="tiny")


def test_posts_written_after_what_a_fold_holds_out_mark_the_held_out_scores(tmp_path):
    """Examples come from all of train, those of the fold too, and a written post has no parent to leave out by."""
    beside = {"pooled": {"fold": ["rain/train"], "k": 3, "seed": 1}}
    study = study_in(tmp_path, beside=beside)
    path = study.root / "recipes/small.yaml"
    content = yaml.safe_load(path.read_text())
    content["models"]["plain"]["data"] = ["pooled", "made"]
    path.write_text(yaml.safe_dump(content))
    graph = Study({"study": "test", "check_data": False}, root=study.root).graphs["small"]
    assert graph.nodes["plain@fold=2@seed=1"].fitted == ("rain/held-out",)


# -- the command -------------------------------------------------------------------------------------


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
        words += ["--models", *models, "--out", self.folder / f"{out}.parquet", "--flow", self.folder / f"{out}.json"]
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
    assert done.stderr == f"synthesize made: 12 of 12 posts in {calls} calls, 0 of them malformed.\n"
    frame = read_posts(tmp_path / "made.parquet")
    assert Counter(frame["label"]) == {0: 6, 1: 6} and frame["parent"].isna().all() and frame["author"].isna().all()
    assert (
        sum(row["stand_in"] for row in folder.flow()) == calls
        and written_table({"node": "made", "per_call": 3, "rows": folder.flow()}, "mine")["stand_in"]
    )
    for label, part in frame.groupby("label"):  # its words are those of the label's examples
        assert (
            part["text"].str.contains(f"train{label}x").any() and not part["text"].str.contains(f"n{1 - label}x").any()
        )
    kept = {name: (tmp_path / f"made.{name}").read_bytes() for name in ("parquet", "json")}
    assert folder.run("again").returncode == 0
    shutil.rmtree(tmp_path / "answers")
    assert folder.run("anew").returncode == 0
    for name, content in kept.items():
        assert (tmp_path / f"again.{name}").read_bytes() == content == (tmp_path / f"anew.{name}").read_bytes()


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
    shown = {f"train{i % 2}x{i} " for i in range(24) if any(f"train{i % 2}x{i} " in one for one in sent)}
    assert len(shown) == 23 and "train1x1 " not in shown
    assert not any(split in one for one in sent for split in ("dev0", "dev1", "test0", "test1"))


def test_a_spent_budget_ends_in_one_sentence_and_a_rerun_goes_on(folder, endpoint):
    options = endpoint_options(endpoint)
    done = folder.run(budget={"requests": 3, "tokens": 1000}, **options)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "its budget is spent" in done.stderr
    assert done.stderr.startswith("synthesize: base gpt") and not (folder.folder / "made.parquet").exists()
    assert folder.run(budget={"requests": 4, "tokens": 1000}, **options).returncode == 0
    assert len(endpoint.bodies) == 4 and [row["kept"] for row in folder.flow()] == [6, 6]
    assert [(row["tokens_in"], row["tokens_out"], row["stand_in"]) for row in folder.flow()] == [(60, 20, 0)] * 2
    assert folder.run("again", **options).returncode == 0
    assert len(endpoint.bodies) == 4, "a rerun asks nothing again"
    assert (folder.folder / "again.parquet").read_bytes() == (folder.folder / "made.parquet").read_bytes()


def test_where_the_calls_are_spent_the_node_goes_on_with_what_there_is(folder, endpoint):
    endpoint.fault = lambda post, times: "list" if len(endpoint.bodies) % 2 else "wrong_json"
    done = folder.run(calls=3, classes=[1], **endpoint_options(endpoint))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ("synthesize made: 6 of 6 posts in 3 calls, 1 of them malformed.\n")
    done = folder.run("less", calls=2, classes=[1], **endpoint_options(endpoint))
    assert done.stderr == ("synthesize made: 3 of 6 posts in 2 calls, 1 of them malformed; its calls were spent.\n")
    assert len(endpoint.bodies) == 3 and folder.flow("less")[0]["malformed"] == {"no list": 1}


def test_a_model_in_a_folder_may_write(folder, tmp_path):
    """A model with random weights writes no list: nothing is kept, all is counted, and the node still ends."""
    made_base(tmp_path / "tiny", "causal", length=256)
    asked = [{"base": "tiny", "kind": "causal", "threads": 1, "attention": "eager", "precision": "fp32"}]
    prompt = {"system": "Write.", "user": "{number} {label}:\n{own}"}
    done = folder.run(
        asked=asked, models=[tmp_path / "tiny/model.json"], prompt=prompt, calls=2, classes=[1], max_tokens=8
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == "synthesize made: 0 of 6 posts in 2 calls, 2 of them malformed; its calls were spent.\n"
    assert folder.flow()[0]["malformed"] == {"cut at max_tokens": 2} and len(read_posts(tmp_path / "made.parquet")) == 0


def test_no_log_and_no_count_shows_a_post(folder):
    done = folder.run()
    told = done.stdout + done.stderr + (folder.folder / "made.json").read_text()
    assert "said" not in told and "train0x" not in told


# -- the report --------------------------------------------------------------------------------------


def test_counts_that_do_not_balance_are_refused():
    made = Writing(posts(), {}, spec(classes=[1]))
    written(made, ["no list", numbered(text(0), text(0), text(1)), numbered(text(2), text(3), text(4))])
    table = written_table(made.flow(), "small")
    assert table["rows"][0]["because"] == {"no list": 1, "like one written": 1} and table["rows"][0]["left"] == 1
    assert not table["stand_in"]
    for key, sentence in (("calls", "calls are not answered"), ("kept", "posts in lists are not kept")):
        flow = made.flow()
        flow["rows"][0][key] += 1
        with pytest.raises(ValueError, match=sentence):
            written_table(flow, "small")


def test_the_report_tells_who_wrote_what_and_where_a_stand_in_did(tmp_path):
    made = Writing(posts(), {}, spec(classes=[1]))
    written(made, ["no list", numbered(text(0), text(0), text(1)), numbered(text(2), text(3), text(4))])
    path = tmp_path / "ctyun/synthesize/made.json"
    path.parent.mkdir(parents=True)
    for stand_in in (0, 3):
        flow = made.flow()
        flow["rows"][0]["stand_in"] = stand_in
        path.write_text(json.dumps(flow))
        done = report_files.report([*report_files.inputs(tmp_path), "--written", str(path)], tmp_path)
        assert done.returncode == 0, done.stderr
        text_of_page = (tmp_path / "report.html").read_text()
        (row,) = re.findall(r"<tr><th scope=\"row\">stand-in<.*", text_of_page)
        cells = re.findall(r"<td[^>]*>([^<]*)", row)  # wanted, kept, calls, malformed, left out, tokens in and out
        assert cells == ["6", "5", "3", "1", "1", "30", "15", "1 no list, 1 like one written"]
        words = report_files.Page(text_of_page).words
        assert ("A rule wrote in the place of a language model" in words) is bool(stand_in)
    done = report_files.report(report_files.inputs(tmp_path), tmp_path)
    assert done.returncode == 0 and "Written posts" not in (tmp_path / "report.html").read_text()


def test_the_picture_draws_the_writer(tmp_path):
    graph = study_in(tmp_path).graphs["small"]
    picture = draw_recipe.svg(graph)
    assert "made: synthesize gpt4 (base),  rain/train" in picture
