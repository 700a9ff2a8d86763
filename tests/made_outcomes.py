"""Made-up outcomes of two seeds of a node and of a floor, and the recipe that they belong to."""

import numpy as np
import pandas as pd

from postgrad.evaluation.metrics import score_predictions
from postgrad.records.outcomes import Outcomes
from postgrad.records.predictions import ABSTAIN
from postgrad.report.probability_tables import shown_nodes
from postgrad.report.score_tables import node_scores

POSTS = 60
GOLD = np.arange(POSTS) % 2
DATASET = "rain/test"


def answers(predictor, seed, unsure=0, labels=("no", "yes"), positive=(1,)):
    """(score entry, outcomes) of 60 posts; the last `unsure` of them have no answer."""
    classes = len(labels)
    probs = np.random.default_rng(seed).dirichlet(np.ones(classes), POSTS)
    probs[: POSTS // 2] += 2 * np.eye(classes)[GOLD[: POSTS // 2]]  # the first half is right
    probs /= probs.sum(axis=1, keepdims=True)
    label = probs.argmax(axis=1)
    label[POSTS - unsure :] = ABSTAIN
    frame = pd.DataFrame(
        {
            "predictor": predictor,
            "dataset": DATASET,
            "post_id": [f"p{place:02}" for place in range(POSTS)],
            "group": range(POSTS),
            "gold": GOLD,
            "label": label,
            "probs": list(probs),
            "platform": "twitter",
            "keyword": None,
            "words": 5,
        }
    )
    node, *axes = predictor.split("@")
    named = {
        "predictor": predictor,
        "node": node,
        "axes": dict(axis.split("=") for axis in axes),
        "dataset": DATASET,
        "task": "weather",
        "positive": list(positive),
    }
    scores = score_predictions(GOLD, label, probs, labels, list(positive), "macro_f1")
    return {**scores, **named}, frame


def study(*answered, last="plain", floor="floor"):
    """(shown nodes, rows, outcomes) of a recipe whose chain ends with the node `last`."""
    entries, frames = zip(*answered, strict=True)
    rows = node_scores(
        [{"recipe": "sky", "entries": list(entries), "estimates": []}], {"sky": {"rain": floor}}
    )
    chain = {"metric": "macro_f1", "nodes": [{"node": last}], "steps": [], "controls": []}
    compare = {"recipe": "sky", "chains": {"rain": {"sets": {DATASET: chain}}}}
    return shown_nodes(rows, [compare]), rows, {"sky": Outcomes(pd.concat(frames))}


PLAIN = [answers("plain@seed=1", 1), answers("plain@seed=2", 2, unsure=6)]


def grouped(**columns):
    """The outcomes of the two seeds with other columns."""
    return [(entry, frame.assign(**columns)) for entry, frame in PLAIN]
