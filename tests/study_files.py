"""A small study in a temporary folder: the files that a test changes one at a time."""

from copy import deepcopy

import yaml

TASK = {
    "title": "Is the post about rain?",
    "platform": "twitter",
    "labels": [
        {"name": "no", "value": "0", "word": "no", "digit": "0"},
        {"name": "yes", "value": "1", "word": "yes", "digit": "1"},
    ],
    "positive": ["yes"],
    "metric": "f1",
    "prompt": "Rain? {text} Answer:",
    "source": "made up",
    "splits": {
        split: {"file": f"rain/{split}.csv", "columns": {"text": "text"}} for split in ("train", "dev", "unlabeled")
    },
}
RECIPE = {
    "title": "A small system",
    "tasks": {"rain": "rain"},
    "defaults": {
        "finetune": {"lr": 5.0e-6, "batch": 8, "each": {"seed": [1, 2, 3]}},
        "pretrain": {"lr": 1.0e-5},
    },
    "datasets": {
        "agreed": {"label": "rain/unlabeled", "teachers": ["one", "two"], "keep": "agreement"},
        "filled": {
            "augment": "rain/train",
            "method": "shuffle",
            "fill": "largest",
            "faithful": {"split": "naive"},
        },
    },
    "models": {
        "one": {"finetune": "big", "data": ["rain/train"], "seed": 11},
        "two": {"finetune": "linear", "data": ["rain/train"], "seed": 12},
        "reader": {"pretrain": "big", "data": ["rain/unlabeled"]},
        "plain": {"finetune": "big", "data": ["rain/train"]},
        "expert": {"finetune": "reader", "data": ["rain/train", "agreed"]},
        "again": {"finetune": "expert", "data": ["rain/train"]},
    },
    "predictors": {"together": {"vote": ["expert"], "rule": "majority"}},
    "compare": {
        "rain": {
            "chain": ["plain", "expert"],
            "controls": {"again": "expert"},
            "sets": ["rain/dev", "rain/test"],
        }
    },
}
STUDY = {"title": "A test", "recipes": ["small"], "scale": "here", "seeds": 2, "data": "posts"}
SCALE = {"bases": {"big": {"model": "tiny", "finetune": {"lr": 1.0e-3, "epochs": 2, "precision": "fp32"}}}}
BASES = {
    "linear": {"kind": "linear"},
    "big": {"kind": "causal", "hub": "some/model", "revision": "0" * 40},
    "tiny": {"kind": "causal", "make": {"seed": 1}},
}


def write_config(folder, recipe=None, study=None, scale=None, task=None):
    """The folder `config` of one small study; each argument is a function that changes one file's content."""
    files = {
        "recipes/small.yaml": (RECIPE, recipe),
        "studies/test.yaml": (STUDY, study),
        "scales/here.yaml": (SCALE, scale),
        "tasks/rain.yaml": (TASK, task),
        "bases.yaml": (BASES, None),
    }
    for name, (content, change) in files.items():
        content = deepcopy(content)
        if change:
            change(content)
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return folder
