"""Tiny models and a handful of made-up posts for the tests of what trains and predicts."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import torch

import predict
from postgrad.demo import tiny_models
from postgrad.models.linear import LinearOptions
from postgrad.models.loading import load_model
from postgrad.models.model_folder import write_model_folder
from postgrad.records.options import read_options
from postgrad.records.posts import write_posts
from postgrad.records.predictions import read_predictions
from postgrad.training.options import FinetuneOptions

ROOT = Path(__file__).parents[1]
LABELS = [
    {"name": "no", "word": "no", "digit": "0"},
    {"name": "yes", "word": "yes indeed", "digit": "1"},
]
SIZES = {"hidden": 32, "layers": 2, "heads": 2, "vocabulary": 400, "seed": 1, "length": 128}
THINGS = ["rain", "tea", "trains", "bread", "snow", "books", "chairs", "songs"]
PROMPT = "Is the author pleased?\nAbout: {keyword}\nPost: {text}\nAnswer:"


def posts(n=24, seed=0):
    """n posts with label i % 2, of several lengths; the odd ones are pleased."""
    rows = []
    for i in range(n):
        thing, mood = THINGS[(i + seed) % 8], "glad and cheerful" if i % 2 else "cross and weary"
        text = " ".join(
            [f"the {thing} today made me {mood}"] + [f"said {THINGS[(i * 3 + seed) % 8]}"] * (i % 5)
        )
        rows.append(
            {
                "post_id": f"p{seed}-{i}",
                "text": text,
                "label": i % 2,
                "keyword": thing if i % 3 else None,
            }
        )
    return pd.DataFrame(rows)


def made_posts(path, n=24, seed=0):
    write_posts(posts(n, seed), path)
    return path


def made_base(folder, kind, **sizes):
    """A tiny base of `kind` in `folder`, as base.py makes it, from the texts given.

    A linear one holds model.json alone.
    """
    facts = {"kind": kind, "labels": None, "spec": {"model": "tiny"}, "base": None}
    with write_model_folder(folder, facts) as inside:
        if kind != "linear":
            tiny_models.make_tiny_model(
                inside, kind, SIZES | sizes, [*posts(64)["text"], PROMPT, " no yes indeed 0 1"] * 3
            )
    return folder


def labelled_models(folder):
    """One folder a kind.

    Tiny random models that carry labels, with weights large enough to tell posts apart.
    """
    names = [label["name"] for label in LABELS]
    for kind in ("encoder", "causal"):
        made_base(folder / kind, kind)
        path = folder / kind / "model.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"labels": names}))
    torch.manual_seed(0)
    model = load_model(folder / "encoder", "encoder", labels=names)
    model.classifier.weight.data.normal_(0, 1)
    model.save_pretrained(folder / "encoder")
    return folder


def finetune_spec(kind, **options):
    spec = {
        "node": "plain@seed=1",
        "kind": kind,
        "seed": 1,
        "threads": 1,
        "labels": LABELS,
        "loss": "cross-entropy",
        "class_weights": "none",
        "batch": 4,
        "lr": 5.0e-3,
        "schedule": "cosine",
        "warmup": 0.1,
        "weight_decay": 0.01,
        "epochs": 3,
        "max_length": 64,
        "epoch": "last",
        "frozen": [],
        "attention": "eager",
        "dropout": None,
        "precision": "fp32",
        "checkpoint_steps": 500,
    }
    if kind == "causal":
        spec |= {"prompt": PROMPT, "answers": "words"}
    return spec | options


def linear_spec(**options):
    spec = {
        "node": "floor",
        "kind": "linear",
        "seed": 1,
        "threads": 1,
        "labels": LABELS,
        "ngrams": [1, 2],
        "c": 5.0,
    }
    return spec | {"class_weights": "none"} | options


def predict_spec(kind, **options):
    spec = {
        "node": "plain@seed=1",
        "kind": kind,
        "threads": 1,
        "batch_tokens": 256,
        "max_length": 64,
        "precision": "fp32",
        "attention": "eager",
        "pool": None,
        "datasets": ["moods/dev"],
        "labels": LABELS,
    }
    if kind == "causal":
        spec |= {"prompt": PROMPT, "answers": "words"}
    return spec | options


def pretrain_spec(kind, **options):
    """The spec of a pretraining; options of a fine-tuning that it does not read are left out."""
    of_finetune = ("labels", "prompt", "answers", "loss", "class_weights", "epoch")
    spec = finetune_spec(kind, node="reader", tokens=256, rows=None, mask=0.15, epochs=2) | options
    return {key: value for key, value in spec.items() if key not in of_finetune}


def finetune_options(kind="encoder", **options):
    return read_options(FinetuneOptions, finetune_spec(kind, **options))


def linear_options(**options):
    return read_options(LinearOptions, linear_spec(**options))


def arguments(spec, **paths):
    """The command line of one script: --spec and one flag a path; a list gives several values."""
    words = ["--spec", json.dumps(spec, sort_keys=True)]
    for name, value in paths.items():
        words += [f"--{name}", *map(str, value if isinstance(value, list) else [value])]
    return words


def training_words(spec, base, data, folder, name="out", **more):
    """The command line of a training whose result is folder/name and whose work lies beside it."""
    return arguments(
        spec, base=base, data=data, work=folder / f"{name}-work", out=folder / name, **more
    )


def kept(work, name):
    """The file of this name in the folder of the only key that a work folder holds."""
    (path,) = work.glob(f"*/{name}")
    return path


def prediction_words(spec, model, data, out, **more):
    """The command line of a prediction of one dataset, whose work lies beside the file `out`."""
    data = [spec["datasets"][0], data]
    return arguments(spec, model=model, data=data, work=out.with_suffix(".work"), out=out, **more)


def predicted(spec, model, data, out):
    """The predictions of one dataset, made by the script."""
    predict.main(prediction_words(spec, model, data, out))
    return read_predictions(out)


def script(verb, words, **options):
    """A finished process of one script, run as the workflow runs it."""
    command = [sys.executable, f"workflow/scripts/{verb}.py", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, **options)
