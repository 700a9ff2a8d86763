"""Posts, specs and answers for the tests of posts that language models write."""

import pandas as pd
from tree import ROOT

from postgrad.config.yaml_files import read_yaml
from postgrad.llm.answer_cache import Answer
from postgrad.llm.synthesis import SynthesizeOptions
from postgrad.records.options import read_options

PROMPT = read_yaml(ROOT / "config/prompts/synthesize-posts.yaml")
THINGS = ["rain", "tea", "trains", "bread", "snow", "books", "chairs", "songs", "boots", "lamps"]
STAND_IN = {"base": "stand-in", "kind": "stand-in"}


def posts(n=24, split="train"):
    """n posts with label i % 2; each holds a word that names its split, label and number."""
    rows = [
        (
            f"{split}-{i}",
            f"{split}{i % 2}x{i} said {THINGS[i % 10]} and {THINGS[i * 3 % 7]} today",
            i % 2,
            "gold",
        )
        for i in range(n)
    ]
    frame = pd.DataFrame(rows, columns=["post_id", "text", "label", "origin"]).astype(
        {"label": "Int64"}
    )
    return frame.assign(keyword=None, platform="twitter", author=None, parent=None)


def spec(**options):
    return {
        "node": "made",
        "asked": [STAND_IN],
        "labels": [
            {"name": "no", "about": "nothing of rain"},
            {"name": "yes", "about": "the author tells of rain"},
        ],
        "platform": "twitter",
        "prompt": PROMPT,
        "count": 6,
        "per_call": 3,
        "calls": 4,
        "shots": {"own": 2, "other": 3},
        "temperature": 0.0,
        "seed": 1,
    } | options


def synthesize_options(**options):
    return read_options(SynthesizeOptions, spec(**options))


def text(k):
    """A text that shares hardly a word with that of another number."""
    return " ".join(f"{word}{k}" for word in ("one", "more", "post", "about", "weather"))


def numbered(*texts):
    return "\n".join(f"{k}. {text}" for k, text in enumerate(texts, 1))


def written(made, replies, model="stand-in"):
    """Let a model answer its requests with these texts, in order, and return the requests.

    None stands for no answer.
    """
    asked = []
    for reply, request in zip(replies, made.requests(model)):
        asked.append(request)
        made.add_answer(Answer(reply, None if reply else "no answer: status 500", reply, 10, 5))
    return asked
