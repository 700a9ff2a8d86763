"""What each predictor of a recipe answered for each scored post, beside the gold label.

The file `outcomes.parquet` holds all that intervals, comparisons and curves are computed from. It
has one row for each predictor, dataset and post, in the order of score.json. It has no text.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from postgrad.records.parquet_files import write_table
from postgrad.records.posts import GROUPED_POSTS
from postgrad.records.predictions import prediction_matrix

OUTCOMES = pa.schema(
    [
        ("predictor", pa.string()),  # the id of a node
        ("dataset", pa.string()),  # as the recipe names it: ages/dev
        ("post_id", pa.string()),
        # Posts of one dataset share a number if they have an author or a group of duplicates in
        # common, and are then drawn together.
        ("group", pa.int64()),
        ("gold", pa.int64()),  # the code of the class
        ("label", pa.int64()),  # the code of the predicted class, or ABSTAIN
        ("probs", pa.list_(pa.float64())),
        ("platform", pa.string()),
        ("keyword", pa.string()),
        ("words", pa.int64()),  # the number of words of the post
    ]
)
# Where a task names columns under `groups`: the values of these columns, as in `GROUPED_POSTS`.
GROUPED_OUTCOMES = OUTCOMES.append(GROUPED_POSTS.field("groups"))


def write_outcomes(frames: Sequence[pd.DataFrame], path: Path | str) -> None:
    """Write the outcomes of several predictors and datasets to one file, in this order.

    The file has a column `groups` only if a frame has one.
    """
    rows = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
    write_table(rows, path, GROUPED_OUTCOMES if "groups" in rows else OUTCOMES)


class Outcomes:
    """The outcomes of a recipe, by predictor and dataset.

    Parameters
    ----------
    frame
        Rows with the columns of `OUTCOMES`.
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        self._parts: dict[tuple[str, str], pd.DataFrame] = {
            (predictor, dataset): part.sort_values("post_id", ignore_index=True)
            for (predictor, dataset), part in frame.groupby(["predictor", "dataset"], sort=False)
        }

    def posts(self, predictor: str, dataset: str) -> pd.DataFrame | None:
        """Return the outcomes of a predictor on a dataset, sorted by post_id.

        Return None if the predictor has no scored post there.
        """
        return self._parts.get((predictor, dataset))

    def same_posts(self, predictors: Sequence[str], dataset: str) -> list[pd.DataFrame] | None:
        """Return the outcomes of several predictors, if they are of the same posts, else None."""
        parts = [self._parts.get((predictor, dataset)) for predictor in predictors]
        found = [part for part in parts if part is not None]
        if not found or len(found) < len(parts):
            return None
        first = found[0]["post_id"].to_numpy()
        is_same = all(np.array_equal(part["post_id"].to_numpy(), first) for part in found[1:])
        return found if is_same else None


def read_outcomes(path: Path | str) -> Outcomes:
    """Return the outcomes of a file."""
    return Outcomes(pq.read_table(path).to_pandas())


def stacked_labels(parts: Sequence[pd.DataFrame]) -> np.ndarray:
    """Return the predicted labels of S predictors for the same n posts as an (S, n) array."""
    return np.stack([part["label"].to_numpy() for part in parts])


def stacked_probs(parts: Sequence[pd.DataFrame]) -> np.ndarray:
    """Return the probabilities of S predictors for the same n posts as an (S, n, K) array."""
    return np.stack([prediction_matrix(part) for part in parts])
