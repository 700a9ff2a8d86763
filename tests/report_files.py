"""Made-up scores, ledgers and flows, and the report made of them, for every test that reads a
report.
"""

import html.parser
import json
import subprocess
import sys

import pandas as pd
from tree import ROOT

from postgrad.evaluation.comparison import compare_chain
from postgrad.evaluation.node_estimates import chain_differences, node_estimates
from postgrad.records.outcomes import Outcomes, write_outcomes

SECRET = "zebra crossing"  # stands for a post's text: it must never reach the report


def entry(predictor, right, dataset="ages/dev", auc=0.75):
    """A made-up score of 20 posts, 10 a class, `right` of each class right."""
    share = right / 10
    values = {
        key: share for key in ("official", "accuracy", "precision", "recall", "f1", "macro_f1")
    }
    per_class = [
        {"label": label, "precision": share, "recall": share, "f1": share, "support": 10}
        for label in ("no", "yes")
    ]
    name, *axes = predictor.split("@")
    return {
        "predictor": predictor,
        "node": name,
        "axes": dict(axis.split("=") for axis in axes),
        "dataset": dataset,
        "task": "smm4h24-task6",
        "n": 20,
        "metric": "f1",
        "positive": [1],
        "values": {**values, "auc": auc},
        "per_class": per_class,
        "confusion": [[right, 10 - right], [10 - right, right]],
        "abstained": 0,
    }


def answered(entry):
    """Outcomes of a made-up score: of each class, the first `right` posts are right."""
    gold = [code for code in (0, 1) for _ in range(10)]
    right = entry["confusion"][0][0]
    labels = [code if place % 10 < right else 1 - code for place, code in enumerate(gold)]
    return pd.DataFrame(
        {
            "predictor": entry["predictor"],
            "dataset": entry["dataset"],
            "post_id": [f"p{place:02}" for place in range(20)],
            "group": range(20),
            "gold": gold,
            "label": labels,
            "probs": [[1.0 - label, float(label)] for label in labels],
            "platform": "Twitter",
            "words": 9,
        }
    )


ENTRIES = [
    entry("ages-plain@seed=1", 6),
    entry("ages-plain@seed=2", 8),
    entry("ages-expert@seed=1", 8),
    entry("ages-expert@seed=2", 9, auc=None),
    entry("ages-drawn@seed=1", 7),
    entry("ages-drawn@seed=2", 8),
    entry("ages-floor", 5),
    {
        "predictor": "ages-floor",
        "node": "ages-floor",
        "axes": {},
        "dataset": "ages/test",
        "task": "smm4h24-task6",
        "n": 0,
        "reason": "no gold labels",
    },
]
OUTCOMES = [answered(one) for one in ENTRIES if one["n"]]
SCORE = {
    "recipe": "ctyun",
    "entries": ENTRIES,
    "estimates": node_estimates(ENTRIES, Outcomes(pd.concat(OUTCOMES))),
}
CONTROLS = {"ages-drawn": "ages-expert"}
COMPARE = {
    "recipe": "ctyun",
    "chains": {
        "ages": {
            "sets": {
                dataset: compare_chain(ENTRIES, ["ages-plain", "ages-expert"], CONTROLS, dataset)
                | {
                    "differences": chain_differences(
                        ENTRIES,
                        Outcomes(pd.concat(OUTCOMES)),
                        ["ages-plain", "ages-expert"],
                        CONTROLS,
                        dataset,
                        margin=0.01,
                    )
                }
                for dataset in ("ages/dev", "ages/test")
            }
        }
    },
}
FLOW = {
    "node": "agreed",
    "keep": "agreement",
    "balance": "gold",
    "pool": 40,
    "scored": 40,
    "agreed": {"0": 20, "1": 10},
    "beside": None,
    "budget": None,
    "share": None,
    "above": None,
    "fit": "ages/dev",
    "train": {"0": 60, "1": 40},
    "kept": {"0": 12, "1": 8},
    "shortfall": {"0": 0, "1": 0},
    "teachers": ["qwen", "qwen15"],
    "classes": ["no", "yes"],
    "temperatures": [1.2, 0.9],
    "gold": {
        "n": 20,
        "posts": {"0": 14, "1": 6},
        "agreed": 0.8,
        "kappa": 0.6,
        "error_correlation": 0.25,
        "by_confidence": {"accuracy": 0.9375, "classes": {"0": 1.0, "1": 0.75}},
        "accuracy": [0.9, 0.85],
        "classes": {
            "0": {"agreed": 12, "accuracy": 1.0, "coverage": 0.9},
            "1": {"agreed": 4, "accuracy": 0.5, "coverage": 0.7},
        },
    },
}
GUESSED = {
    "node": "guessed@fold=2",
    "keep": "confidence",
    "balance": "gold",
    "share": 0.1,
    "above": None,
    "fit": "ages/held-out",
    "pool": 40,
    "scored": 40,
    "answered": {"0": 20, "1": 19},
    "beside": {"0": 20, "1": 17},
    "budget": None,
    "train": {"0": 60, "1": 40},
    "kept": {"0": 2, "1": 1},
    "shortfall": {"0": 0, "1": 0},
    "teachers": ["jury"],
    "classes": ["no", "yes"],
    "temperatures": [None],
    "gold": {
        "n": 20,
        "posts": {"0": 12, "1": 8},
        "answered": 0.95,
        "kappa": None,
        "error_correlation": None,
        "by_confidence": None,
        "accuracy": [0.8],
        "classes": {
            "0": {"answered": 12, "accuracy": 0.75, "coverage": 1.0},
            "1": {"answered": 7, "accuracy": 1.0, "coverage": 0.875},
        },
    },
}
SPEC = {
    "study": "demo",
    "title": "Made-up <posts>",
    "scale": "demo",
    "margin": 0.01,
    "mode": "recommended",
    "posts": "work/demo/posts",
    "made_up": True,
    "page": "results/demo/report.html",
    "recipes": {
        "ctyun": {
            "title": "CTYUN-AI",
            "tasks": {"ages": "smm4h24-task6"},
            "floors": {"ages": "ages-floor"},
            "not_run": [{"node": "outdoors-digits", "reason": "no prompt at this scale"}],
            "deviations": [
                {
                    "node": "ages-plain",
                    "key": "lr",
                    "paper": 5e-6,
                    "used": 1e-3,
                    "why": "scale demo",
                },
                {
                    "node": "ages-expert",
                    "key": "lr",
                    "paper": 5e-6,
                    "used": 1e-3,
                    "why": "scale demo",
                },
                {
                    "node": "ages-plain",
                    "key": "seed",
                    "paper": [1, 2, 3],
                    "used": [1, 2],
                    "why": "study",
                },
                {"node": "", "key": "qwen", "paper": None, "used": "tiny", "why": "scale demo"},
            ],
            "overrides": ["ages-drawn: lr 1e-5 overrides the scale's 3e-3"],
            "equal": ["jury: one and two give equal predictions at this scale (tiny)"],
            "marks": {"transductive": [], "stand_in": [], "fitted": {}},
            "nodes": {
                id: {"name": id.partition("@")[0], "axes": {"seed": "1"}}
                for id in ("ages-plain@seed=1", "ages-expert@seed=1")
            }
            | {"guessed@fold=2": {"name": "guessed", "axes": {"fold": "2"}}},
            "readings": ["Labels are answered as words."],
        }
    },
}
FLOORS = {"ctyun": {"ages": "ages-floor"}}


def marked(**marks):
    """SPEC, in which the recipe has these marks."""
    spec = json.loads(json.dumps(SPEC))
    spec["recipes"]["ctyun"]["marks"] |= marks
    return spec


def ledger(split="train", fates=("kept", "kept", "kept", "rejected", "decoy")):
    ids = [f"{split}{i}" for i in range(len(fates))]
    reasons = ["no text" if fate == "rejected" else None for fate in fates]
    return pd.DataFrame(
        {"split": split, "fate": fates, "reason": reasons, "post_id": ids, "text": SECRET}
    )


def dropped(*ids, split="train"):
    return pd.DataFrame(
        {"post_id": list(ids), "split": split, "reason": "duplicate"},
        columns=["post_id", "split", "reason"],
    )


def near(*pairs):
    """Near-copies, each as (post_id, partner, similarity)."""
    frame = pd.DataFrame(list(pairs), columns=["post_id", "partner", "similarity"])
    return frame.assign(split="train", reason="near-duplicate")


def inputs(folder):
    """Every input of the CLI in the folder, in the workflow's layout, and its arguments but for the
    outputs.
    """
    files = {
        "scores": ("ctyun/score/score.json", SCORE),
        "compare": ("ctyun/compare/compare.json", COMPARE),
        "flow": ("ctyun/label/agreed.json", FLOW),
    }
    arguments = ["--spec", json.dumps(SPEC)]
    for option, (name, content) in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(content))
        arguments += [
            f"--{option}",
            *(["ctyun", "agreed"] if option == "flow" else []),
            str(folder / name),
        ]
    write_outcomes(OUTCOMES, folder / "ctyun/score/outcomes.parquet")
    arguments += ["--outcomes", "ctyun", str(folder / "ctyun/score/outcomes.parquet")]
    for option, name, frame in (
        (
            "ledger",
            "clean/smm4h24-task6/ledger.parquet",
            pd.concat([ledger(), ledger("dev", ("kept",))]),
        ),
        ("audit", "audit/smm4h24-task6/drop.parquet", dropped("train1")),
        ("near", "audit/smm4h24-task6/near.parquet", near(("train1", "train0", 0.8123))),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        frame.to_parquet(folder / name)
        arguments += [f"--{option}", "smm4h24-task6", str(folder / name)]
    return arguments


def report(arguments, out):
    return subprocess.run(
        [
            sys.executable,
            "workflow/scripts/report.py",
            *arguments,
            "--out",
            f"{out}/report.html",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


class Page(html.parser.HTMLParser):
    """Checks that every tag is closed in order, and collects what the page would fetch or run."""

    VOID = {"meta", "br", "link", "img", "input", "hr"}

    def __init__(self, text):
        super().__init__()
        self.open, self.fetched, self.words = [], [], ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        if tag not in self.VOID:
            self.open.append(tag)
        links = [
            value
            for key, value in attributes
            if key in ("src", "href") and not value.startswith("#")
        ]
        self.fetched += links + ([tag] if tag in ("script", "link", "iframe") else [])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.words += data
