"""What a trained model predicts, and with which options."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from postgrad.records.names import HELD_OUT
from postgrad.records.posts import first_by_hash

# A function of n posts and a slice. It cuts all posts into batches, runs those in the slice, and
# returns (m positions of the posts in these batches, ascending; (m, K) float64 logits of these
# posts).
Scorer = Callable[[pd.DataFrame, slice], tuple[Sequence[int] | np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class PredictOptions:
    """The options of one file of predictions.

    What a kind of model does not read keeps its default.
    """

    node: str
    kind: str  # linear, encoder, causal
    datasets: list[str]  # in the order of the file
    labels: list[dict[str, str]]  # name, and for a causal model word and digit, in class order
    threads: int
    input: str = "raw"
    pool: int | None = None
    max_length: int = 0
    batch_tokens: int = 0
    precision: str = "fp32"
    attention: str = "eager"
    answers: str = "words"
    prompt: str = ""


def dataset_spec(spec: dict[str, Any], dataset: str) -> dict[str, Any]:
    """The spec of one dataset's predictions, which is part of the key under which they are kept.

    spec: that of a whole file. Only an unlabelled split hangs on `pool`.
    """
    left_out = ("datasets",) if is_pool(dataset) else ("datasets", "pool")
    return {key: value for key, value in spec.items() if key not in left_out} | {"dataset": dataset}


def is_pool(dataset: str) -> bool:
    return dataset.endswith("/unlabeled")


def wanted_posts(posts: pd.DataFrame, dataset: str, pool: int | None) -> pd.DataFrame:
    """The posts of a dataset that are predicted.

    Those held out, or the first ones of a pool by hash, or all.
    """
    if dataset.endswith(f"/{HELD_OUT}"):
        return posts[posts["held_out"]].reset_index(drop=True)
    return first_by_hash(posts, pool) if is_pool(dataset) else posts
