"""Predictions as records: one row a post, in the order of the dataset that was read.

Every predictor (a model, a vote, a calibration, a review) writes this one shape, so each can stand
wherever another can.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from postgrad.records.parquet_files import write_table

ABSTAIN = -1  # the label of a post on which a predictor gives no answer
PREDICTIONS = pa.schema(
    [
        ("post_id", pa.string()),
        ("logits", pa.list_(pa.float64())),
        ("probs", pa.list_(pa.float64())),
        ("label", pa.int64()),
        ("answer", pa.string()),  # a language model's raw answer, null where none was given
    ]
)


def softmax(logits):
    """Probabilities of an (n, K) array of logits, in float64."""
    shifted = np.asarray(logits, dtype=np.float64)
    shifted = np.exp(shifted - shifted.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def write_predictions(post_ids, logits, path, labels=None, answers=None):
    """Write n predictions of K classes.

    logits: (n, K); probs are their softmax. labels: (n,), by default the first class of the highest
    logit; ABSTAIN where there is no answer.
    """
    logits = np.asarray(logits, dtype=np.float64)
    if labels is None:
        labels = [int(row.argmax()) for row in logits]
    frame = pd.DataFrame(
        {
            "post_id": list(post_ids),
            "logits": list(logits),
            "probs": list(softmax(logits)) if len(logits) else [],
            "label": np.asarray(labels),
            "answer": None if answers is None else list(answers),
        }
    )
    write_table(frame, path, PREDICTIONS)


def read_predictions(path):
    """Predictions of one file as a frame: post_id, label, answer, and `logits` and `probs` as arrays a row."""
    return pq.read_table(path).to_pandas()


def gathered(post_ids, paths):
    """(n, K) logits of the n posts, in their order, from files that share these posts among them.

    Raises ValueError where the files do not hold each post once and no other.
    """
    frame = pd.concat([read_predictions(path) for path in paths]).set_index("post_id")
    wanted = pd.Index(post_ids)
    if len(frame) != len(wanted) or not frame.index.is_unique or not wanted.isin(frame.index).all():
        folder = Path(paths[0]).parent
        raise ValueError(f"the shards in {folder} hold {len(frame)} predictions, which are not those of the "
                         f"{len(wanted)} posts; remove the folder and predict again")  # fmt: skip
    return matrix(frame.loc[wanted], "logits")


def matrix(frame, column="probs"):
    """The (n, K) array of a frame's `logits` or `probs`."""
    return np.stack(frame[column].to_list()) if len(frame) else np.zeros((0, 0))


def aligned(gold, predictions, names):
    """The gold posts that have a label, each with its prediction: two frames in the order of gold.

    names: (gold file, predictions file), for the error. Raises ValueError where predictions are missing
    or a post is predicted twice.
    """
    gold = gold[gold["label"].notna()]
    by_id = predictions.set_index("post_id")
    if not by_id.index.is_unique:
        raise ValueError(f"{names[1]} predicts a post twice; predict again.")
    missing = int((~gold["post_id"].isin(by_id.index)).sum())
    if missing:
        raise ValueError(f"{names[1]} lacks {missing} of {len(gold)} gold posts of {names[0]}; predict again.")
    return gold, by_id.loc[gold["post_id"]].reset_index()
