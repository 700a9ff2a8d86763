"""One predicted label re-checked by a language model: what it is asked, what its answers change,
and from which margin.

A margin is the difference of a prediction's two highest probabilities: 0 where the classifier
cannot tell, 1 where it is certain.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import numpy as np
import pandas as pd
import pyarrow as pa

from postgrad.evaluation.bootstrap import no_gain
from postgrad.evaluation.metrics import official_metric
from postgrad.llm.answer_cache import Answer, Request, tally
from postgrad.llm.templates import defined, messages, shots
from postgrad.predictors.calibration import first_best
from postgrad.records.posts import input_texts
from postgrad.records.predictions import matrix, softmax

REASON = r"^\s*(\S+\s+){0,29}\S+\s*$"  # 1 to 30 words
LONGEST = 200  # tokens of an answer
PROPOSED = "proposed"
# What a model answered on each post: for the study's owner alone, since a reason may repeat the
# post.
CHECKED = pa.schema(
    [
        ("asked_for", pa.string()),  # gate, to fit it, or the dataset whose predictions are changed
        ("post_id", pa.string()),
        ("margin", pa.float64()),
        ("verdict", pa.bool_()),
        ("new_label", pa.string()),
        ("reason", pa.string()),
        ("abstained", pa.string()),  # why there is no verdict, else null
        ("stand_in", pa.bool_()),
    ]
)


@dataclass(frozen=True)
class ReviewOptions:
    """The options of one file of reviewed predictions."""

    node: str
    of: list[str]  # the one predictor
    fit: (
        str | None
    )  # the dataset of the gold posts on which the gate is fitted; None without a gate
    check: str  # the label whose predictions are re-checked
    otherwise: str  # the label that a rejected prediction gets, or PROPOSED
    shots: int
    gate: list[float] | str  # the margins that are tried, or always
    seed: int
    labels: list[dict[str, str]]  # name and about, in class order
    positive: list[int]  # codes of the positive classes
    metric: str
    prompt: dict[str, str]  # the text of each turn
    asked: list[dict[str, Any]]  # the one base that is asked, and what decides its answers
    datasets: list[str]  # in the order of the file
    alpha: float | None = None


class Reviewed(NamedTuple):
    """The answers on m of n predictions.

    rows (m,): their places; codes (m,): the classes that they have then.
    """

    rows: np.ndarray
    codes: np.ndarray
    table: pd.DataFrame  # CHECKED without asked_for
    counts: dict[
        str, Any
    ]  # predicted, checked, confirmed, rejected, changed, and as answer_cache.tally says
    kept: int  # answers that were there before: no part of the counts, which a rerun writes again


def answer_schema(names: list[str]) -> dict[str, Any]:
    """The JSON schema of an answer. names: the task's labels."""
    properties = {
        "verdict": {"type": "boolean"},
        "new_label": {"enum": names},
        "reason": {"type": "string", "pattern": REASON},
    }
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [*properties],
        "properties": properties,
    }


def margins(probs: np.ndarray) -> np.ndarray:
    """(n,) the highest less the second of each row of (n, K) probabilities."""
    highest = np.sort(probs, axis=1)
    return highest[:, -1] - highest[:, -2]


def examples(posts: pd.DataFrame, labels: Sequence[Mapping[str, Any]], each: int, seed: int) -> str:
    """The text of the examples in a prompt: `each` posts of train of every class, a line each at
    its label.

    posts: labelled posts. labels: {name, about} in class order.
    """
    rows = list(zip(posts["post_id"], posts["label"].astype(int), input_texts(posts)))
    drawn = shots(rows, len(labels), each, seed)
    return "\n".join(f"- {labels[code]['name']}: {text}" for code, text in drawn)


def reviewed(
    options: ReviewOptions,
    shown: str,
    frame: pd.DataFrame,
    posts: pd.DataFrame,
    most: float | None,
    ask: Callable[[Iterable[Request]], Iterable[Answer]],
) -> Reviewed:
    """Reviewed: the answers on all predictions of the label `check` whose margin is at most `most`
    (None: all of them).

    shown: the examples' text. frame: n predictions; posts: their posts. ask: a function of Requests
    that gives their Answers. Where a model abstains, the prediction stays.
    """
    names = [label["name"] for label in options.labels]
    code, far = names.index(options.check), margins(matrix(frame)) if len(frame) else np.zeros(0)
    predicted = (frame["label"] == code).to_numpy()
    rows = np.flatnonzero(predicted if most is None else predicted & (far <= most))
    texts = dict(zip(posts["post_id"], input_texts(posts)))
    ids = frame["post_id"].to_numpy()[rows]
    fields = {
        "label": names[code],
        "about": options.labels[code].get("about") or "",
        "labels": defined(options.labels),
    }
    schema = answer_schema(names)
    answers = list(
        ask(
            Request(messages(options.prompt, {**fields, "examples": shown, "text": texts[id]}), schema,
                    max_tokens=LONGEST, seed=options.seed)
            for id in ids
        )
    )  # fmt: skip
    values = [answer.value or {} for answer in answers]
    codes = np.array([code_after(options, names, value) for value in values], dtype=int)
    verdicts = [value.get("verdict") for value in values]
    table = pd.DataFrame(
        {"post_id": ids, "margin": far[rows], "verdict": pd.array(verdicts, dtype="boolean")}
    )
    for key in ("new_label", "reason"):
        table[key] = [value.get(key) for value in values]
    table = table.assign(
        abstained=[a.reason for a in answers], stand_in=[a.stand_in for a in answers]
    )
    counts = {
        "predicted": int(predicted.sum()),
        "checked": len(rows),
        "changed": int((codes != code).sum()),
    }
    counts |= {
        "confirmed": verdicts.count(True),
        "rejected": verdicts.count(False),
        **tally(answers),
    }
    return Reviewed(rows, codes, table, counts, counts.pop("kept"))


def code_after(options: ReviewOptions, names: list[str], value: Mapping[str, Any]) -> int:
    """The class of a prediction after an answer, {} where the model abstained."""
    if value.get("verdict", True):
        return names.index(options.check)
    return names.index(value["new_label"] if options.otherwise == PROPOSED else options.otherwise)


def changed(
    frame: pd.DataFrame, review: Reviewed, most: float | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """(labels (n,), logits (n, K)) of predictions after a review; of its answers only those at most
    at margin `most`.

    A prediction that changes swaps the logits of its two classes: it is as sure of the new one as
    it was of the old.
    """
    labels, logits = frame["label"].to_numpy().copy(), matrix(frame, "logits")
    for row, code, margin in zip(review.rows, review.codes, review.table["margin"]):
        if code != labels[row] and (most is None or margin <= most):
            logits[row, [labels[row], code]] = logits[row, [code, labels[row]]]
            labels[row] = code
    return labels, logits


def gate(
    options: ReviewOptions, gold: np.ndarray, frame: pd.DataFrame, review: Reviewed
) -> dict[str, Any]:
    """The record of the gate fitted on n gold posts: margin, on, before, after, p, tried.

    margin: the best official metric, of equals the smallest. on: whether it is better than no
    review and p, of a paired bootstrap over the posts and multiplied by the number of margins
    (Bonferroni), is at most alpha. tried: [margin, metric] pairs.
    """
    task = (len(options.labels), options.positive, options.metric)

    def score(most: float | None, rows: Any = slice(None)) -> Any:
        labels, logits = after[most]
        return official_metric(gold[rows], labels[rows], softmax(logits[rows]), *task)

    margins_tried = sorted(cast(list[float], options.gate))
    after: dict[float | None, tuple[np.ndarray, np.ndarray]] = {
        None: (frame["label"].to_numpy(), matrix(frame, "logits"))
    }
    after |= {most: changed(frame, review, most) for most in margins_tried}
    best, found = first_best(margins_tried, score)
    before, p = score(None), 1.0
    if max(found) > before:
        p = no_gain(
            len(gold), lambda rows: score(None, rows), lambda rows: score(best, rows), options.seed
        )
    p = min(1.0, p * len(margins_tried))
    on = max(found) > before and p <= (options.alpha or 0.0)
    tried = [list(pair) for pair in zip(margins_tried, found)]
    return {"margin": best, "on": on, "before": before, "after": max(found), "p": p, "tried": tried}
