"""resample: exact counts, what is kept and copied, the sequences of three published systems, and the node's place."""

import json
import random
import subprocess
import sys
from collections import Counter

import pandas as pd
import pytest
from study_files import write_config
from tree import ROOT

from postgrad.augmentation.resampling import resampled
from postgrad.augmentation.shuffling import augmented
from postgrad.config.errors import Fault
from postgrad.records.posts import DROPPED, read_posts, read_union, write_posts
from postgrad.records.tables import write_table
from postgrad.study.specs import node_spec
from postgrad.study.study import Study

TEXT = "the rusty kettle sings in a quiet kitchen while nobody listens to the radio"


def posts(*sizes, name="p"):
    """So many posts of each class, gold."""
    rows = [(f"{name}{label}-{i}", f"{TEXT} {i}", label) for label, size in enumerate(sizes) for i in range(size)]
    frame = pd.DataFrame(rows, columns=["post_id", "text", "label"]).astype({"label": "Int64"})
    return frame.assign(keyword=None, platform="x", author=None, origin="gold", parent=None)


def sizes(frame):
    return [int(count) for _, count in sorted(Counter(frame["label"]).items())]


@pytest.mark.parametrize("seed", range(20))
def test_every_class_gets_exactly_its_size_and_posts_are_used_evenly(seed):
    rng = random.Random(seed)
    before = [rng.randint(1, 30) for _ in range(rng.randint(2, 5))]
    for to, size in (("largest", max(before)), ("smallest", min(before)), (n := rng.randint(1, 70), n)):
        made = resampled(posts(*before), "n", seed, to)
        assert sizes(made) == [size] * len(before) and made["post_id"].is_unique
        assert len(made) == len(made.drop_duplicates(["post_id"]))
        for label, count in enumerate(before):
            used = Counter(made["parent"].fillna(made["post_id"])[made["label"] == label])
            assert len(used) == min(count, size) and max(used.values()) - min(used.values()) <= (size > count)


def test_a_budget_gives_each_class_its_own_size():
    made = resampled(posts(4, 2, 5), "n", 1, budget={0: 3, 1: 5})
    assert sizes(made) == [3, 5] and made["post_id"].is_unique  # none of class 2, of which the budget has none
    with pytest.raises(ValueError, match="n: no post to copy for class 1 of its budget"):
        resampled(posts(4), "n", 1, budget={0: 3, 1: 5})


def test_those_that_stay_keep_all_and_copies_name_their_root():
    gold = posts(4, 1)
    made_before = gold.tail(1).assign(post_id="p1-0~m~0", parent="p1-0", origin="augment", text="other")
    made = resampled(pd.concat([gold, made_before], ignore_index=True), "n", 1, "largest")
    assert made.head(6).equals(pd.concat([gold, made_before], ignore_index=True))
    copies = made.tail(2)
    assert copies["post_id"].tolist() == ["p1-0~n~0", "p1-0~n~1"] and set(copies["parent"]) == {"p1-0"}
    assert set(copies["text"]) == {"other", f"{TEXT} 0"} and set(copies["origin"]) == {"gold", "augment"}


def test_the_draw_hangs_on_the_seed_and_not_on_the_order_of_the_files():
    frame = posts(30, 10)
    one, again, other = (set(resampled(frame, "n", seed, "smallest")["post_id"]) for seed in (1, 1, 2))
    assert one == again != other
    assert set(resampled(frame[::-1].reset_index(drop=True), "n", 1, "smallest")["post_id"]) == one


@pytest.mark.parametrize("frame, fault", [
    (posts(2, 2).assign(label=pd.NA), "n: 4 of 4 posts have no label"),
    (pd.concat([posts(2, 2), posts(1)], ignore_index=True), "n: 1 posts stand in its datasets twice"),
    (posts(), "n: its datasets hold no posts"),
])  # fmt: skip
def test_what_cannot_be_balanced_is_refused(frame, fault):
    with pytest.raises(ValueError, match=fault):
        resampled(frame, "n", 1, "largest")


def test_command(tmp_path):
    """What audit leaves out is left out, with what derives from it, in copies of copies as well."""
    gold = posts(6, 3)
    write_posts(gold, tmp_path / "train.parquet")
    new, _ = augmented(gold, "m", method="duplicate", copies=1)
    write_posts(new, tmp_path / "m.parquet")
    write_table(pd.DataFrame([("p1-0", "train", "copy")], columns=DROPPED.names), tmp_path / "drop.parquet", DROPPED)
    command = [sys.executable, "workflow/scripts/resample.py", "--data", tmp_path / "train.parquet",
               tmp_path / "m.parquet", "--spec", json.dumps({"node": "n", "to": "largest", "seed": 1})]  # fmt: skip
    outs = [tmp_path / "one.parquet", tmp_path / "two.parquet", tmp_path / "all.parquet"]
    for out, drops in zip(outs, [["drop"], ["drop"], []]):
        paths = [tmp_path / f"{drop}.parquet" for drop in drops]
        done = subprocess.run([*command, "--drop", *paths, "--out", out], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert "12 to 12 of class 0, " in done.stderr and "kettle" not in done.stderr
    assert outs[0].read_bytes() == outs[1].read_bytes() and sizes(read_posts(outs[0])) == [12, 12]
    again, _ = augmented(read_posts(outs[2]), "again", method="duplicate", copies=1)
    write_posts(again, tmp_path / "again.parquet")
    for path in (*outs[:2], tmp_path / "again.parquet"):
        left = read_union([path], [tmp_path / "drop.parquet"])
        assert not {"p1-0"} & ({*left["post_id"]} | {*left["parent"]})
        assert not left["post_id"].str.startswith("p1-0~").any() and len(left)


def test_a_control_has_the_counts_of_the_node_that_its_budget_names(tmp_path):
    """No text is new: 24 of each class are copies of 5, 12 and 4 posts, as many as edited ones made."""
    write_posts(posts(5, 12, 4), tmp_path / "train.parquet")
    write_posts(posts(24, 24, 24, name="q"), tmp_path / "even.parquet")
    command = [sys.executable, "workflow/scripts/resample.py", "--data", tmp_path / "train.parquet", "--spec",
               json.dumps({"node": "n", "seed": 1}), "--budget", tmp_path / "even.parquet"]  # fmt: skip
    done = subprocess.run([*command, "--out", tmp_path / "o"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    made = read_posts(tmp_path / "o")
    assert sizes(made) == [24, 24, 24] and set(made["text"]) == set(posts(5, 12, 4)["text"])


# -- the three sequences of ALEX ------------------------------------------------------------------------

SEQUENCES = {
    "T1": {
        "over": {"resample": "rain/train", "to": "largest"},
        "edited": {"augment": "rain/train", "copies": 3},
        "even": {"resample": ["over", "edited"], "to": "smallest"},
    },
    "T2": {
        "edited": {"augment": "rain/train", "copies": 3, "classes": ["no", "yes"]},
        "even": {"resample": ["rain/train", "edited"], "to": 11},
    },
    "T4": {
        "first": {"augment": "rain/train", "copies": 2, "classes": ["yes"]},
        "over": {"resample": ["rain/train", "first"], "to": "largest"},
        "second": {"augment": "over", "copies": 1},
        "even": {"resample": ["over", "second"], "to": "smallest"},
    },
}
COUNTS = {  # of no, mist and yes in each node, from 5, 12 and 4
    "T1": {"over": [12, 12, 12], "edited": [15, 36, 12], "even": [24, 24, 24]},
    "T2": {"edited": [15, 12], "even": [11, 11, 11]},
    "T4": {"first": [8], "over": [12, 12, 12], "second": [12, 12, 12], "even": [24, 24, 24]},
}


def study_in(folder, datasets, data, beside=None):
    def recipe(content):
        content["defaults"]["augment"] |= {"method": "edit", "edits": ["character", "contraction"], "rate": 0.1}
        content["defaults"]["resample"] = {"seed": 1}
        content["datasets"] |= {name: dict(body) for name, body in datasets.items()}
        content["models"]["plain"]["data"] = data
        content["models"] |= beside or {}

    def task(content):
        content["labels"].insert(1, {"name": "mist", "value": "2", "word": "mist", "digit": "2"})

    root = write_config(folder, recipe=recipe, task=task)
    return Study({"study": "test", "check_data": False}, root=root)


@pytest.mark.parametrize("name", SEQUENCES)
def test_the_sequences_of_alex_are_recipes_with_exact_counts(tmp_path, name):
    """T1 oversamples, adds copies of the originals, undersamples; T2 and T4 make copies of some classes only."""
    study = study_in(tmp_path, SEQUENCES[name], ["even"])
    graph = study.graphs["small"]
    assert graph.nodes["plain@seed=1"].sources == ["even"] and graph.nodes["even"].learnt == ("rain/train",)
    write_posts(posts(5, 12, 4), tmp_path / "rain-train.parquet")
    for node in (graph.nodes[id] for id in SEQUENCES[name]):
        frame = read_union([tmp_path / f"{source.replace('/', '-')}.parquet" for source in node.sources])
        spec = json.loads(node_spec(study, "small", node.id))
        made = augmented(frame, **spec)[0] if node.verb == "augment" else resampled(frame, **spec)
        assert sizes(made) == COUNTS[name][node.id] and made["post_id"].is_unique
        write_posts(made, tmp_path / f"{node.id}.parquet")
    assert set(made["parent"].dropna()) <= set(posts(5, 12, 4)["post_id"])


EVEN = {"even": {"resample": ["rain/train", "filled"], "to": "largest"}}


@pytest.mark.parametrize("datasets, data, place, sentence", [
    (EVEN, ["rain/train", "even"], "models.plain", "even is made by resample and holds the whole set; name it alone"),
    (EVEN, ["even", "agreed"], "models.plain", "even is made by resample and holds the whole set; name it alone"),
    ({**EVEN, "more": {"augment": ["even", "agreed"], "copies": 1}}, ["even"], "datasets.more", "holds the whole set"),
    ({**EVEN, "all": {"resample": ["even", "rain/train"], "to": 3}}, ["all"], "datasets.all.resample",
     "even and rain/train both hold the posts of rain/train; name one"),
    ({**EVEN, "all": {"resample": ["filled", "even"], "to": 3}}, ["all"], "datasets.all.resample",
     "filled and even both hold the posts of filled; name one"),
    ({"even": {"resample": "rain/dev", "to": 3}}, ["even"], "datasets.even.resample", "rain/dev is a dev set"),
    ({"even": {"resample": "rain/train", "to": "most"}}, ["even"], "datasets.even.to", "as the largest class"),
    ({"even": {"resample": "rain/train", "to": 0}}, ["even"], "datasets.even.to", "at least 1, found 0"),
    ({"even": {"resample": "rain/train"}}, ["even"], "datasets.even", "resample needs to, the size of each class"),
    ({**EVEN, "same": {"resample": "rain/train", "to": 3, "budget": "even"}}, ["same"], "datasets.same",
     "to and budget both say how many"),
    ({**EVEN, "more": {"augment": "rain/train", "fill": "largest", "budget": "even"}}, ["even"], "datasets.more",
     "fill and budget both say how many"),
    ({"some": {"augment": "rain/train", "copies": 1, "classes": ["maybe"]}}, ["some"], "datasets.some.classes",
     "there is no label 'maybe'"),
])  # fmt: skip
def test_faults(tmp_path, datasets, data, place, sentence):
    with pytest.raises(Fault) as fault:
        study_in(tmp_path, datasets, data)
    assert any(f"{place}" in one and sentence in one for one in fault.value.sentences), fault.value.sentences


def test_a_budget_is_joined_as_a_source_is(tmp_path):
    pooled = {"fold": ["rain/train"], "k": 3, "seed": 1}
    even = {"resample": ["pooled", "filled"], "to": "largest"}
    same = {"resample": "pooled", "budget": "even"}
    graph = study_in(tmp_path, {"pooled": pooled, "even": even, "same": same}, ["same"]).graphs["small"]
    made = graph.nodes["same@fold=2"]
    assert (made.sources, made.budget) == (["pooled@fold=2"], "even@fold=2") and "to" not in made.options


def test_a_resample_of_folds_is_made_for_each_fold(tmp_path):
    pooled = {"fold": ["rain/train"], "k": 3, "seed": 1}
    datasets = {"pooled": pooled, "even": {"resample": ["pooled", "filled"], "to": "largest"}}
    graph = study_in(tmp_path, datasets, ["even"]).graphs["small"]
    assert graph.nodes["even@fold=2"].sources == ["pooled@fold=2", "filled"]
    model = graph.nodes["plain@fold=2@seed=1"]
    assert model.sources == ["even@fold=2"] and model.folds == ("pooled@fold=2",) and not model.fitted


def test_labels_taught_outside_the_folds_are_marked_through_a_resample(tmp_path):
    datasets = {
        "pooled": {"fold": ["rain/train"], "k": 3, "seed": 1},
        "drawn": {"resample": "agreed", "to": 3},
        "even": {"resample": ["pooled", "drawn"], "to": "largest"},
    }
    graph = study_in(tmp_path, datasets, ["even"]).graphs["small"]
    assert graph.nodes["plain@fold=2@seed=1"].fitted == ("rain/held-out",)
