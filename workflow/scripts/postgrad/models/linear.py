"""The linear baseline of every task: TF-IDF of word n-grams and logistic regression.

A model folder holds vocabulary.json (term -> column) and linear.safetensors: `idf` (F,), `weights`
(K, F) and `bias` (K,), all float64. scikit-learn is imported for training only; reading and scoring
need NumPy alone, so that a prediction starts in half a second.
"""

import json
import math
import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from postgrad.models.model_folder import read_base_record, write_model_folder
from postgrad.models.prediction import PredictOptions, Scorer
from postgrad.records.files import write_text
from postgrad.records.posts import input_texts
from postgrad.runtime.result_cache import open_work, store_result

WORD = re.compile(r"(?u)\b\w\w+\b")  # scikit-learn's default: two or more letters or digits
# The bias of a class without training posts: next to a logit of 0 its probability is below 1e-8.
UNSEEN_BIAS = -20.0


@dataclass(frozen=True, kw_only=True)
class LinearOptions:
    """Options of `finetune` for a linear model."""

    node: str
    kind: str  # linear
    seed: int
    threads: int
    labels: list[dict[str, str]]  # name, in class order
    class_weights: str | list[float]  # none, balanced, or a weight for each of the K classes
    ngrams: list[int]  # the fewest and the most words of a term
    c: float  # inverse strength of the L2 penalty
    input: str = "raw"


def word_ngrams(text: str, ngrams: Sequence[int]) -> list[str]:
    """Return the lower-case word n-grams of a text, of ngrams[0] to ngrams[1] words.

    Examples
    --------
    >>> word_ngrams("No more pain", (1, 2))
    ['no', 'more', 'pain', 'no more', 'more pain']
    """
    words = WORD.findall(text.lower())
    spans = range(ngrams[0], ngrams[1] + 1)
    return [" ".join(words[i : i + n]) for n in spans for i in range(len(words) - n + 1)]


def finetune_linear_classifier(
    options: LinearOptions,
    base: Path | str,
    frame: pd.DataFrame,
    facts: dict[str, Any],
    work: Path | str,
    out: Path | str,
) -> None:
    """Train a linear model on labelled posts, write its folder and keep it in `work`.

    Parameters
    ----------
    options
        Options of the fine-tuning.
    base
        A folder of which only model.json is read.
    frame
        Labelled posts.
    facts
        The content of model.json so far, which is the key of the training.
    work
        Folder in which finished models are kept.
    out
        Folder for the model.

    Raises
    ------
    ValueError
        If the base is no linear one, or all posts have one class.
    """
    read_base_record(base, options.kind)
    open_work(work, facts)
    start, texts = time.monotonic(), input_texts(frame)
    model = train_linear_classifier(texts, frame["label"].tolist(), options)
    tokens = sum(len(word_ngrams(text, (1, 1))) for text in texts)
    timing = {"seconds": round(time.monotonic() - start, 2), "tokens": tokens, "threads": 1}
    with write_model_folder(out, facts | {"tokens": tokens}, timing) as folder:
        save_linear_model(model, folder)
    store_result(work, facts, out)


def train_linear_classifier(
    texts: Sequence[str], labels: Sequence[int], options: LinearOptions
) -> dict[str, Any]:
    """Fit TF-IDF and logistic regression to labelled texts.

    The term frequency is 1 + log(count), the inverse document frequency is
    log((1 + n) / (1 + df)) + 1, and rows have length 1 (scikit-learn's TfidfVectorizer). Two
    classes get the logits [0, z], where z is the log-odds.

    Parameters
    ----------
    texts
        n texts.
    labels
        n class codes 0 to K - 1, where K is the number of `options.labels`.
    options
        Of which ngrams, c, class_weights, labels and node are read.

    Returns
    -------
    dict
        ngrams, vocabulary (term -> column), idf (F,), weights (K, F) and bias (K,).

    Raises
    ------
    ValueError
        If all posts have one class.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    codes = np.asarray(labels, dtype=np.int64)
    seen = np.unique(codes)
    if len(seen) < 2:
        raise ValueError(
            f"node {options.node}: all {len(codes)} training posts have one class; "
            "give it two or more"
        )
    ngrams = list(options.ngrams)
    tfidf = TfidfVectorizer(analyzer=partial(word_ngrams, ngrams=ngrams), sublinear_tf=True)
    features = tfidf.fit_transform(texts)
    class_weights = options.class_weights
    weight = (
        {"none": None, "balanced": "balanced"}[class_weights]
        if isinstance(class_weights, str)
        else dict(enumerate(class_weights))
    )
    fit = LogisticRegression(C=options.c, class_weight=weight, max_iter=1000).fit(features, codes)
    two = len(seen) == 2
    classes = len(options.labels)
    weights, bias = np.zeros((classes, features.shape[1])), np.full(classes, UNSEEN_BIAS)
    weights[seen] = np.vstack([np.zeros_like(fit.coef_), fit.coef_]) if two else fit.coef_
    bias[seen] = np.concatenate([[0.0], fit.intercept_]) if two else fit.intercept_
    vocabulary = {term: int(column) for term, column in sorted(tfidf.vocabulary_.items())}
    return {
        "ngrams": ngrams,
        "vocabulary": vocabulary,
        "idf": tfidf.idf_,
        "weights": weights,
        "bias": bias,
    }


def linear_logits(model: dict[str, Any], texts: Sequence[str]) -> np.ndarray:
    """Return the (n, K) float64 logits of n texts; a text without a known term gets the biases."""
    rows = np.tile(model["bias"], (len(texts), 1))
    for row, text in zip(rows, texts):
        counts = Counter(
            term for term in word_ngrams(text, model["ngrams"]) if term in model["vocabulary"]
        )
        if counts:
            columns = [model["vocabulary"][term] for term in counts]
            values = (
                np.array([1 + math.log(count) for count in counts.values()]) * model["idf"][columns]
            )
            row += model["weights"][:, columns] @ (values / np.linalg.norm(values))
    return rows


def load_scorer(options: PredictOptions, folder: Path | str) -> Scorer:
    """Load a linear model once, and return the function that scores posts with it.

    Each post is a batch of its own.

    Parameters
    ----------
    options
        Options of the prediction.
    folder
        The model folder.
    """
    model = load_linear_model(folder)

    def score_posts(frame: pd.DataFrame, part: slice) -> tuple[Sequence[int], np.ndarray]:
        rows = range(len(frame))[part]
        return rows, linear_logits(model, input_texts(frame.iloc[rows]))

    return score_posts


def save_linear_model(model: dict[str, Any], folder: Path | str) -> None:
    """Write vocabulary.json and linear.safetensors into `folder`."""
    from safetensors.numpy import save_file

    words = {"ngrams": model["ngrams"], "vocabulary": model["vocabulary"]}
    write_text(json.dumps(words, ensure_ascii=False), Path(folder) / "vocabulary.json")
    tensors = {name: np.ascontiguousarray(model[name]) for name in ("idf", "weights", "bias")}
    save_file(tensors, Path(folder) / "linear.safetensors")


def load_linear_model(folder: Path | str) -> dict[str, Any]:
    """Return the model that `save_linear_model` wrote."""
    from safetensors.numpy import load_file

    words = json.loads((Path(folder) / "vocabulary.json").read_text(encoding="utf-8"))
    return words | load_file(Path(folder) / "linear.safetensors")
