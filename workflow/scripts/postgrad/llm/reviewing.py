"""Review of one predicted label by a language model, and the gate up to which it is reviewed.

The margin of a prediction is the difference of its two highest probabilities: 0 if the classifier
cannot decide, 1 if it is certain. A gate is the margin up to which predictions are reviewed.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import numpy as np
import pandas as pd
import pyarrow as pa

from postgrad.evaluation.bootstrap import GoldPosts, SeedPredictions, bootstrap_p_value
from postgrad.evaluation.metrics import official_metric
from postgrad.llm.answer_cache import Answer, Request, answer_counts
from postgrad.llm.templates import draw_examples, fill_messages, label_definitions
from postgrad.predictors.calibration import first_best
from postgrad.records.posts import input_texts
from postgrad.records.predictions import prediction_matrix, softmax

REASON = r"^\s*(\S+\s+){0,29}\S+\s*$"  # 1 to 30 words
ANSWER_TOKENS = 200  # most tokens of an answer
PROPOSED = "proposed"
# What a model answered on each post. Only the study's owner may read it, because a reason may
# repeat the post.
REVIEW_SCHEMA = pa.schema(
    [
        ("asked_for", pa.string()),  # gate if it fits a gate, or the dataset that is reviewed
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
    """Options of one file of reviewed predictions."""

    node: str
    of: list[str]  # the one predictor
    fit: str | None  # dataset of the gold posts on which a gate is fitted; None without a gate
    check: str  # the label whose predictions are reviewed
    otherwise: str  # the label that a rejected prediction gets, or PROPOSED
    shots: int
    gate: list[float] | str  # the margins to try, or always
    seed: int
    labels: list[dict[str, str]]  # name and about, in class order
    positive: list[int]  # codes of the positive classes
    metric: str
    prompt: dict[str, str]  # the text of each turn
    asked: list[dict[str, Any]]  # the one base that is asked, and what decides its answers
    datasets: list[str]  # in the order of the file
    alpha: float | None = None


class ReviewedPredictions(NamedTuple):
    """The answers on m of n predictions.

    Attributes
    ----------
    rows
        (m,) positions of the reviewed predictions.
    codes
        (m,) class codes after the review.
    table
        The columns of `REVIEW_SCHEMA` without asked_for.
    counts
        predicted, checked, confirmed, rejected, changed, and the counts of `answer_counts`.
    kept
        Answers that were kept by earlier requests. They are no part of the counts, which a rerun
        writes again.
    """

    rows: np.ndarray
    codes: np.ndarray
    table: pd.DataFrame
    counts: dict[str, Any]
    kept: int


def verdict_schema(names: list[str]) -> dict[str, Any]:
    """Return the JSON schema of an answer: verdict, new label and reason. names: of the labels."""
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


def probability_margins(probs: np.ndarray) -> np.ndarray:
    """Return the highest less the second highest of each row of (n, K) probabilities, (n,).

    Examples
    --------
    >>> probability_margins(np.array([[0.25, 0.5, 0.25], [0.0, 1.0, 0.0]])).tolist()
    [0.25, 1.0]
    """
    ascending = np.sort(probs, axis=1)
    return ascending[:, -1] - ascending[:, -2]


def example_lines(
    posts: pd.DataFrame, labels: Sequence[Mapping[str, Any]], each: int, seed: int
) -> str:
    """Return the examples of a prompt: posts of every class, one line for each, with its label.

    Parameters
    ----------
    posts
        Labelled posts of train.
    labels
        The labels of the task, in class order.
    each
        Examples of each class.
    seed
        Seed of the draw.
    """
    rows = list(zip(posts["post_id"], posts["label"].astype(int), input_texts(posts)))
    drawn = draw_examples(rows, len(labels), each, seed)
    return "\n".join(f"- {labels[code]['name']}: {text}" for code, text in drawn)


def review_predictions(
    options: ReviewOptions,
    examples: str,
    frame: pd.DataFrame,
    posts: pd.DataFrame,
    max_margin: float | None,
    ask: Callable[[Iterable[Request]], Iterable[Answer]],
) -> ReviewedPredictions:
    """Ask a language model about the predictions of the label `check`.

    If the model abstains, the prediction stays.

    Parameters
    ----------
    options
        Options of the review.
    examples
        The examples of the prompt; see `example_lines`.
    frame
        n predictions.
    posts
        Their posts, in any order.
    max_margin
        Only predictions of at most this margin are reviewed; None for all predictions.
    ask
        Function of requests that returns their answers.
    """
    names = [label["name"] for label in options.labels]
    code = names.index(options.check)
    margins = probability_margins(prediction_matrix(frame)) if len(frame) else np.zeros(0)
    predicted = (frame["label"] == code).to_numpy()
    rows = np.flatnonzero(predicted if max_margin is None else predicted & (margins <= max_margin))
    texts = dict(zip(posts["post_id"], input_texts(posts)))
    ids = frame["post_id"].to_numpy()[rows]
    fields = {
        "label": names[code],
        "about": options.labels[code].get("about") or "",
        "labels": label_definitions(options.labels),
        "examples": examples,
    }
    schema = verdict_schema(names)
    requests = (
        Request(
            fill_messages(options.prompt, {**fields, "text": texts[id]}),
            schema,
            max_tokens=ANSWER_TOKENS,
            seed=options.seed,
        )
        for id in ids
    )
    answers = list(ask(requests))
    values = [answer.value or {} for answer in answers]
    codes = np.array([reviewed_code(options, names, value) for value in values], dtype=int)
    verdicts = [value.get("verdict") for value in values]
    table = pd.DataFrame(
        {"post_id": ids, "margin": margins[rows], "verdict": pd.array(verdicts, dtype="boolean")}
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
        **answer_counts(answers),
    }
    return ReviewedPredictions(rows, codes, table, counts, counts.pop("kept"))


def reviewed_code(options: ReviewOptions, names: list[str], value: Mapping[str, Any]) -> int:
    """Return the class code of a prediction after an answer; {} is an abstention."""
    if value.get("verdict", True):
        return names.index(options.check)
    return names.index(value["new_label"] if options.otherwise == PROPOSED else options.otherwise)


def apply_review(
    frame: pd.DataFrame, review: ReviewedPredictions, max_margin: float | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the labels and logits of predictions after a review.

    If a prediction changes, the logits of its two classes are swapped: it is as certain of the new
    class as it was of the old one.

    Parameters
    ----------
    frame
        n predictions.
    review
        The answers on some of them.
    max_margin
        Only answers on predictions of at most this margin are applied; None for all answers.

    Returns
    -------
    labels : ndarray
        (n,) class codes.
    logits : ndarray
        (n, K).
    """
    labels, logits = frame["label"].to_numpy().copy(), prediction_matrix(frame, "logits")
    for row, code, margin in zip(review.rows, review.codes, review.table["margin"]):
        if code != labels[row] and (max_margin is None or margin <= max_margin):
            logits[row, [labels[row], code]] = logits[row, [code, labels[row]]]
            labels[row] = code
    return labels, logits


def fit_gate(
    options: ReviewOptions, gold: np.ndarray, frame: pd.DataFrame, review: ReviewedPredictions
) -> dict[str, Any]:
    """Choose the margin up to which predictions are reviewed, on gold posts.

    Parameters
    ----------
    options
        Options of the review, of which gate, alpha, labels, positive, metric and seed are read.
    gold
        (n,) class codes of the gold posts.
    frame
        Their n predictions.
    review
        The answers on predictions of at most the largest margin.

    Returns
    -------
    dict
        margin: that of the best official metric; the smallest of equal margins wins. before, after:
        the metric without a review and at that margin. p: of a paired bootstrap over the posts,
        multiplied by the number of margins (Bonferroni). on: whether the metric is better than
        before and p is at most alpha. tried: pairs of margin and metric.
    """
    task = (len(options.labels), options.positive, options.metric)

    def score(margin: float | None) -> Any:
        labels, logits = after[margin]
        return official_metric(gold, labels, softmax(logits), *task)

    def answers(margin: float | None) -> SeedPredictions:
        labels, logits = after[margin]
        return SeedPredictions(labels[None], softmax(logits)[None])

    margins = sorted(cast(list[float], options.gate))
    after: dict[float | None, tuple[np.ndarray, np.ndarray]] = {
        None: (frame["label"].to_numpy(), prediction_matrix(frame, "logits"))
    }
    after |= {margin: apply_review(frame, review, margin) for margin in margins}
    best, metrics = first_best(margins, score)
    before, p = score(None), 1.0
    if max(metrics) > before:
        posts = GoldPosts(gold, np.arange(len(gold)), len(options.labels), options.positive)
        p = bootstrap_p_value(posts, answers(None), answers(best), options.metric, options.seed)
    p = min(1.0, p * len(margins))
    on = max(metrics) > before and p <= (options.alpha or 0.0)
    tried = [list(pair) for pair in zip(margins, metrics)]
    return {
        "margin": best,
        "on": on,
        "before": before,
        "after": max(metrics),
        "p": p,
        "tried": tried,
    }
