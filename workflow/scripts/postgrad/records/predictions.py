"""Predictions as records: the posts of one or several datasets, each in the order of the file that
was read.

Every predictor (a model, a vote, a calibration, a review) writes this one shape, so each can stand
wherever another can.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import ArrayLike

from postgrad.records.parquet_files import write_table

ABSTAIN = -1  # the label of a post on which a predictor gives no answer
PREDICTIONS = pa.schema(
    [
        ("post_id", pa.string()),
        ("dataset", pa.string()),  # as the recipe names it: ages/dev
        ("logits", pa.list_(pa.float64())),
        ("probs", pa.list_(pa.float64())),
        ("label", pa.int64()),
        ("answer", pa.string()),  # a language model's raw answer, null where none was given
    ]
)


def softmax(logits: ArrayLike) -> np.ndarray:
    """Probabilities of an (n, K) array of logits, in float64."""
    shifted = np.asarray(logits, dtype=np.float64)
    shifted = np.exp(shifted - shifted.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def prediction_rows(
    post_ids: Iterable[str],
    logits: ArrayLike,
    labels: ArrayLike | None = None,
    answers: Iterable[str] | None = None,
) -> pd.DataFrame:
    """n predictions of K classes as a frame: all columns of PREDICTIONS but the dataset.

    logits: (n, K); probs are their softmax. labels: (n,), by default the first class of the highest
    logit; ABSTAIN where there is no answer.
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
    """Write the predictions of several datasets, {dataset.

    Its rows}, one dataset after the other.
    """
    named = [frame.assign(dataset=dataset) for dataset, frame in frames.items() if len(frame)]
    write_table(pd.concat(named, ignore_index=True) if named else pd.DataFrame(), path, PREDICTIONS)


def read_predictions(path: Path | str) -> pd.DataFrame:
    """All predictions of one file as a frame with the columns of PREDICTIONS.

    `logits` and `probs` are arrays.
    """
    return pq.read_table(path).to_pandas()


def of_dataset(predictions: pd.DataFrame, dataset: str | None) -> pd.DataFrame:
    """The rows of one dataset among the predictions of a file.

    None where the dataset has no post.
    """
    return predictions[predictions["dataset"] == dataset].reset_index(drop=True)


def gathered(
    post_ids: Iterable[str], shards: Sequence[pd.DataFrame], folder: Path | str
) -> np.ndarray:
    """(n, K) logits of the n posts of one dataset, in their order, from frames that share these
    posts among them.

    folder: where the shards lie, for the error. Raises ValueError where the frames do not hold each
    post once and no other.
    """
    frame = pd.concat(shards).set_index("post_id")
    wanted = pd.Index(post_ids)
    if len(frame) != len(wanted) or not frame.index.is_unique or not wanted.isin(frame.index).all():
        raise ValueError(f"the shards in {Path(folder)} hold {len(frame)} predictions, which are not those of the "
                         f"{len(wanted)} posts; remove the folder and predict again")  # fmt: skip
    return matrix(frame.loc[wanted], "logits")


def matrix(frame: pd.DataFrame, column: str = "probs") -> np.ndarray:
    """The (n, K) array of a frame's `logits` or `probs`."""
    return np.stack(frame[column].to_list()) if len(frame) else np.zeros((0, 0))


def aligned(
    gold: pd.DataFrame, predictions: pd.DataFrame, names: tuple[Path | str, Path | str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The gold posts that have a label, each with its prediction: two frames in the order of gold.

    predictions: of the dataset whose posts `gold` are. names: (gold file, predictions file), for
    the error. Raises ValueError where predictions are missing or a post is predicted twice.
    """
    gold = gold[gold["label"].notna()]
    by_id = predictions.set_index("post_id")
    if not by_id.index.is_unique:
        raise ValueError(f"{names[1]} predicts a post twice; predict again.")
    missing = int((~gold["post_id"].isin(by_id.index)).sum())
    if missing:
        raise ValueError(
            f"{names[1]} lacks {missing} of {len(gold)} gold posts of {names[0]}; predict again."
        )
    return gold, by_id.loc[gold["post_id"]].reset_index()
