"""A small study run for real, with nearly every verb: what each job read, and that a second run gives the same bytes.

The posts are made here, so that each count can be worked out by hand. The folder of posts has a space in its name.
"""

import csv
import json
import random
import shutil

import numpy as np
import pandas as pd
import pytest
import yaml
from study_files import write_config
from tree import copy_of_tree, scored, snakemake

from postgrad.records.posts import read_posts
from postgrad.records.predictions import matrix, read_predictions

SIZES = {"train": 48, "dev": 24, "test": 18, "unlabeled": 30}
REPEATED = {"train": 3, "unlabeled": 2}  # so many posts repeat one of the test set, and audit leaves them out
WORDS = [
    first + last for first in ("ka", "lo", "mi", "nu", "pe", "ra", "so") for last in ("bel", "dor", "fin", "gam", "lun")
]
COLUMNS = {"id": "id", "text": "text", "label": "label"}
SPLITS = {split: {"file": f"rain/{split}.csv", "columns": COLUMNS} for split in ("train", "dev", "test")}
SPLITS["unlabeled"] = {"file": "rain/unlabeled.csv", "columns": {"id": "id", "text": "text"}}
WRITTEN = {"synthesize": "rain/train", "writers": ["deputy"], "prompt": "write", "classes": ["yes"], "count": 4,
           "per_call": 2, "calls": 6, "shots": {"own": 3, "other": 1}, "temperature": 0.0, "seed": 1}  # fmt: skip
CHECKED = {"review": "expert", "reviewer": "deputy", "fit": "rain/dev", "prompt": "check", "otherwise": "proposed",
           "shots": 1, "gate": "always", "alpha": 0.05, "seed": 1, "check": "yes"}  # fmt: skip
PROMPTS = {
    "write": {
        "system": "You write.",
        "user": "{labels} Write {number} {posts} of {label}:\n\n{other}\n\n{own}",
    },
    "check": {"system": "You check.", "user": "Is it {label}? {labels}\n\n{examples}\n\n{text}"},
}


def text(split, i):
    """The i-th post of a split: two parts, so that it can be shuffled. Each third post is glad and of class yes."""
    words, mood = random.Random(f"{split}-{i}").sample(WORDS, 12), "so very glad" if i % 3 == 0 else "rather cross"
    return f"{' '.join(words[:6])}, {' '.join(words[6:])} made me {mood}"


def write_split(folder, split):
    with (folder / f"{split}.csv").open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["id", "text", "label"])
        for i in range(SIZES[split]):
            words = text("test", 3 * i) if i < REPEATED.get(split, 0) else text(split, i)
            lines.writerow([f"{split}-{i}", words, "" if split == "unlabeled" else int(i % 3 == 0)])


def recipe(content):
    seeds = {"seed": [1, 2]}
    content["defaults"]["finetune"] |= {"lr": 3.0e-3, "each": seeds}
    content["defaults"]["pretrain"] |= {"lr": 3.0e-3, "epochs": 1}
    content["datasets"] = {
        "filled": {"augment": "rain/train", "method": "shuffle", "fill": "largest"},
        "even": {"resample": "rain/train", "to": "largest", "seed": 1},
        "written": WRITTEN,
        "pooled": {"fold": ["rain/train", "rain/dev"], "k": 2, "seed": 5},
        "agreed": {"label": "rain/unlabeled", "teachers": ["one", "two"], "keep": "agreement"},
    }
    train = ["rain/train"]
    content["models"] = {
        "one": {"finetune": "linear", "data": [*train, "filled"], "seed": 1},
        "two": {"finetune": "linear", "data": [*train, "written"], "seed": 1, "ngrams": [1, 1]},
        "plain": {"finetune": "linear", "data": ["even"], "each": {**seeds, "c": [0.1, 10.0]}},
        "member": {"finetune": "linear", "data": ["pooled"], "seed": 1},
        "reader": {"pretrain": "big", "data": ["rain/unlabeled"]},
        "expert": {"finetune": "reader", "data": [*train, "agreed"], "seed": 1, "class_weights": "balanced"},
        "small": {"finetune": "little", "data": train, "seed": 1, "epoch": "best"},
    }
    soft = {"rule": "soft", "ties": "lowest"}
    content["predictors"] = {
        "jury": {"vote": ["plain"], "over": ["seed"], **soft},
        "mean": {"vote": ["member"], "over": ["fold"], **soft},
        "best": {"pick": ["jury", "one"], "fit": "rain/dev"},
        "cut": {"calibrate": "best", "fit": "rain/dev", "method": "threshold"},
        "checked": CHECKED,
    }
    content["score"] = {"mean": ["rain/held-out"], "small": ["rain/test"], "checked": ["rain/test"]}
    content["compare"] = {
        "rain": {"chain": ["one", "cut"], "controls": ["expert"], "sets": ["rain/test"]},
    }


def bases(content):
    content["deputy"] = {"kind": "stand-in"}
    content["little"] = {"kind": "encoder", "make": content["tiny"]["make"] | {"seed": 2}}


def fresh_study(folder):
    """A copy of the tree with the small study, of which nothing has run yet."""
    tree = copy_of_tree(folder)
    shutil.rmtree(tree / "config")
    write_config(
        tree / "config",
        recipe=recipe,
        bases=bases,
        task=lambda task: task.update(splits=SPLITS),
        study=lambda study: study.update(data="raw posts"),
        scale=lambda scale: scale["bases"].update(little={}, deputy={}),
    )
    (tree / "config/config.yaml").write_text("study: test\n")
    for name, prompt in PROMPTS.items():
        (tree / f"config/prompts/{name}.yaml").write_text(yaml.safe_dump(prompt))
    (tree / "raw posts/rain").mkdir(parents=True)
    for split in SIZES:
        write_split(tree / "raw posts/rain", split)
    return tree


def run(tree):
    done = snakemake(tree)
    assert done.returncode == 0, done.stdout + done.stderr
    return tree


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return run(fresh_study(tmp_path_factory.mktemp("small") / "tree"))


@pytest.fixture(scope="module")
def results(tree):
    return tree / "results/test/small"


def test_x(results):
    pass
