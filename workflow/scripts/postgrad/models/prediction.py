"""Options of a prediction, and the posts that are predicted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from postgrad.records.names import HELD_OUT
from postgrad.records.posts import first_by_hash

# A function of n posts and a slice. It cuts all posts into batches, scores the batches in the
# slice, and returns the positions of their m posts, ascending, and the (m, K) float64 logits of
# these posts.
Scorer = Callable[[pd.DataFrame, slice], tuple[Sequence[int] | np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class PredictOptions:
    """Options of one file of predictions.

    An option that a kind of model does not read has its default.
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
    """Return the spec of one dataset's predictions, which is part of the key of their result.

    Parameters
    ----------
    spec
        The spec of a whole file. Its `pool` concerns unlabelled splits only.
    dataset
        "<task>/<split>".

    Examples
    --------
    >>> dataset_spec({"datasets": ["rain/dev"], "pool": 9, "seed": 1}, "rain/dev")
    {'seed': 1, 'dataset': 'rain/dev'}
    """
    left_out = ("datasets",) if is_pool(dataset) else ("datasets", "pool")
    return {key: value for key, value in spec.items() if key not in left_out} | {"dataset": dataset}


def is_pool(dataset: str) -> bool:
    """Return whether a dataset is the unlabelled split of its task."""
    return dataset.endswith("/unlabeled")


def posts_to_predict(posts: pd.DataFrame, dataset: str, pool: int | None) -> pd.DataFrame:
    """Return the posts of a dataset that are predicted.

    Parameters
    ----------
    posts
        The posts of the dataset's file.
    dataset
        "<task>/<split>". Of a held-out split only the posts held out are predicted.
    pool
        How many posts of a pool are predicted: the first by hash. Default: all.
    """
    if dataset.endswith(f"/{HELD_OUT}"):
        return posts[posts["held_out"]].reset_index(drop=True)
    return first_by_hash(posts, pool) if is_pool(dataset) else posts
