"""Predictions as tables: the posts of one or more datasets, each in the order of its file.

Every predictor (a model, a vote, a calibration, a review) writes this form, so that any of them can
take the place of another.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import ArrayLike

from postgrad.records.parquet_files import write_table

ABSTAIN = -1  # the label of a post for which a predictor gives no answer
PREDICTIONS = pa.schema(
    [
        ("post_id", pa.string()),
        ("dataset", pa.string()),  # as the recipe names it: ages/dev
        ("logits", pa.list_(pa.float64())),
        ("probs", pa.list_(pa.float64())),
        ("label", pa.int64()),
        ("answer", pa.string()),  # the raw answer of a language model, or null
    ]
)


def softmax(logits: ArrayLike) -> np.ndarray:
    """Return the (n, K) probabilities of (n, K) logits, in float64.

    Examples
    --------
    >>> softmax([[0, 0], [1000, 0]]).tolist()
    [[0.5, 0.5], [1.0, 0.0]]
    """
    shifted = np.asarray(logits, dtype=np.float64)
    shifted = np.exp(shifted - shifted.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def prediction_rows(
    post_ids: Iterable[str],
    logits: ArrayLike,
    labels: ArrayLike | None = None,
    answers: Iterable[str] | None = None,
) -> pd.DataFrame:
    """Return n predictions of K classes as a frame.

    Parameters
    ----------
    post_ids
        The n ids of the posts.
    logits
        (n, K) logits. The column `probs` is their softmax.
    labels
        (n,) codes of classes; `ABSTAIN` if there is no answer. Default: the class with the highest
        logit; the first of equal classes wins.
    answers
        The n raw answers of a language model. Default: null.

    Returns
    -------
    DataFrame
        All columns of `PREDICTIONS` except `dataset`.
    """
    logits = np.asarray(logits, dtype=np.float64)
    if labels is None:
        labels = np.array([int(row.argmax()) for row in logits])
    return pd.DataFrame(
        {
            "post_id": list(post_ids),
            "logits": list(logits),
            "probs": list(softmax(logits)) if len(logits) else [],
            "label": np.asarray(labels),
            "answer": None if answers is None else list(answers),
        }
    )


def write_predictions(frames: Mapping[str, pd.DataFrame], path: Path | str) -> None:
    """Write the predictions of several datasets to one file, one dataset after the other.

    Parameters
    ----------
    frames
        The rows of each dataset, by the name of the dataset.
    path
        The file to write.
    """
    named = [frame.assign(dataset=dataset) for dataset, frame in frames.items() if len(frame)]
    write_table(pd.concat(named, ignore_index=True) if named else pd.DataFrame(), path, PREDICTIONS)


def read_predictions(path: Path | str) -> pd.DataFrame:
    """Return all predictions of a file as a frame with the columns of `PREDICTIONS`.

    The values of `logits` and `probs` are arrays.
    """
    return pq.read_table(path).to_pandas()


def dataset_predictions(predictions: pd.DataFrame, dataset: str | None) -> pd.DataFrame:
    """Return the rows of one dataset, which are none if the dataset has no posts.

    Parameters
    ----------
    predictions
        The predictions of a file, as `read_predictions` returns them.
    dataset
        The name of the dataset, for example "ages/dev".
    """
    return predictions[predictions["dataset"] == dataset].reset_index(drop=True)


def join_shards(
    post_ids: Iterable[str], shards: Sequence[pd.DataFrame], folder: Path | str
) -> np.ndarray:
    """Return the logits of the posts of a dataset from the shards that predicted them.

    Parameters
    ----------
    post_ids
        The n ids of the posts of the dataset, in the order of the result.
    shards
        The predictions of each shard.
    folder
        The folder of the shards, which the error names.

    Returns
    -------
    ndarray
        (n, K) logits.

    Raises
    ------
    ValueError
        If the shards do not contain every post exactly once and no other post.
    """
    frame = pd.concat(shards).set_index("post_id")
    expected = pd.Index(post_ids)
    is_complete = (
        len(frame) == len(expected) and frame.index.is_unique and expected.isin(frame.index).all()
    )
    if not is_complete:
        raise ValueError(
            f"the shards in {Path(folder)} hold {len(frame)} predictions, which are not those of "
            f"the {len(expected)} posts; remove the folder and predict again"
        )
    return prediction_matrix(frame.loc[expected], "logits")


def prediction_matrix(frame: pd.DataFrame, column: str = "probs") -> np.ndarray:
    """Return the column `logits` or `probs` of n predictions as an (n, K) array.

    Without predictions the shape is (0, 0).
    """
    return np.stack(frame[column].to_list()) if len(frame) else np.zeros((0, 0))


def align_with_gold(
    gold: pd.DataFrame, predictions: pd.DataFrame, names: tuple[Path | str, Path | str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the gold posts that have a label, and the prediction of each.

    Parameters
    ----------
    gold
        The posts of a dataset.
    predictions
        Predictions of this dataset, in any order.
    names
        The file of the gold posts and that of the predictions, which errors name.

    Returns
    -------
    gold : DataFrame
        The posts with a label, in their order.
    predictions : DataFrame
        Their predictions, in the same order.

    Raises
    ------
    ValueError
        If a prediction is missing, or a post is predicted twice.
    """
    gold_file, predictions_file = names
    gold = gold[gold["label"].notna()]
    by_id = predictions.set_index("post_id")
    if not by_id.index.is_unique:
        raise ValueError(f"{predictions_file} predicts a post twice; predict again.")
    missing = int((~gold["post_id"].isin(by_id.index)).sum())
    if missing:
        raise ValueError(
            f"{predictions_file} lacks {missing} of {len(gold)} gold posts of {gold_file}; "
            "predict again."
        )
    return gold, by_id.loc[gold["post_id"]].reset_index()
