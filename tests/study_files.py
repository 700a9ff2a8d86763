"""A small study in a temporary folder: the files that a test changes one at a time."""

from copy import deepcopy

import yaml

RAIN = ("train", "dev", "unlabeled")  # the splits of the task
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
        split: {"file": f"rain/{split}.csv", "columns": {"text": "text", "label": "label"}}
        for split in RAIN
    },
}
TRAINING = {
    "batch": 8,
    "epochs": 3,
    "schedule": "cosine",
    "warmup": 0.0,
    "weight_decay": 0.1,
    "max_length": 64,
    "precision": "fp32",
    "attention": "eager",
    "threads": 1,
    "frozen": [],
    "dropout": None,
    "checkpoint_steps": 100,
}
RECIPE = {
    "title": "A small system",
    "tasks": {"rain": "rain"},
    "defaults": {
        "finetune": {
            **TRAINING,
            "lr": 5.0e-6,
            "epoch": "last",
            "loss": "cross-entropy",
            "class_weights": "none",
            "answers": "words",
            "ngrams": [1, 2],
            "c": 10.0,
            "each": {"seed": [1, 2, 3]},
        },
        "pretrain": {
            **TRAINING,
            "seed": 1,
            "lr": 1.0e-5,
            "tokens": None,
            "rows": None,
            "mask": 0.15,
        },
        "predict": {"batch_tokens": 512},
        "augment": {"seed": 1, "copies": 0, "split": "protected"},
        "label": {"seed": 1, "balance": "gold"},
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
    "predictors": {"together": {"vote": ["expert"], "rule": "majority", "ties": "lowest"}},
    "compare": {
        "rain": {
            "chain": ["plain", "expert"],
            "controls": {"again": "expert"},
            "sets": ["rain/dev", "rain/test"],
        }
    },
}
STUDY = {"title": "A test", "recipes": ["small"], "scale": "here", "seeds": 2, "data": "posts"}
SCALE = {"bases": {"linear": {}, "big": {"model": "tiny", "finetune": {"lr": 1.0e-3, "epochs": 2}}}}
BASES = {
    "linear": {"kind": "linear"},
    "big": {"kind": "causal", "hub": "some/model", "revision": "0" * 40},
    "tiny": {
        "kind": "causal",
        "make": {"hidden": 32, "layers": 1, "heads": 2, "vocabulary": 500, "length": 64, "seed": 1},
    },
}
PROMPT = {"system": "Is it {label}?\n{labels}\n{examples}", "user": "{text}"}


def write_config(folder, recipe=None, study=None, scale=None, task=None, bases=None, prompt=None):
    """The folder `config` of one small study.

    Each argument is a function that changes one file's content.
    """
    files = {
        "recipes/small.yaml": (RECIPE, recipe),
        "studies/test.yaml": (STUDY, study),
        "scales/here.yaml": (SCALE, scale),
        "tasks/rain.yaml": (TASK, task),
        "bases.yaml": (BASES, bases),
        "prompts/check.yaml": (PROMPT, prompt),
    }
    for name, (content, change) in files.items():
        content = deepcopy(content)
        if change:
            change(content)
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return folder
