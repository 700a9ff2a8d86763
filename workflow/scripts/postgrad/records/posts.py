"""Posts as tables: one Parquet file for each dataset, with a declared schema.

A post has a `post_id` that is unique within its corpus, a `text`, and a `label`, which is the code
0..K-1 of its class or null. Two columns connect a derived post with its source: `origin` is gold,
pool, augment, synthesize or label, and `parent` is the post_id of the source post. `parent` is null
for a post of the corpus and for a post that a language model wrote.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from postgrad.records.parquet_files import write_table

POSTS = pa.schema(
    [
        ("post_id", pa.string()),
        ("text", pa.string()),
        ("keyword", pa.string()),  # what the label is about (a keyword, a therapy) or null
        ("label", pa.int64()),
        ("platform", pa.string()),
        ("author", pa.string()),  # a keyed hash, or null if unknown
        ("origin", pa.string()),
        ("parent", pa.string()),
    ]
)
# The posts of a task that names columns under `groups`: a map from such a column to its value.
GROUPED_POSTS = POSTS.append(pa.field("groups", pa.map_(pa.string(), pa.string())))
DROPPED = pa.schema([("post_id", pa.string()), ("split", pa.string()), ("reason", pa.string())])


def write_posts(frame: pd.DataFrame, path: Path | str, schema: pa.Schema = POSTS) -> None:
    """Write posts in the order of `frame`. Columns that `frame` lacks become null."""
    write_table(frame, path, schema)


def read_posts(path: Path | str) -> pd.DataFrame:
    """Return the posts of one file as a frame in which `label` is a nullable integer."""
    frame = pq.read_table(path).to_pandas()
    frame["label"] = frame["label"].astype("Int64")
    return frame


def read_posts_without_dropped(
    paths: Iterable[Path | str], drops: Iterable[Path | str] = ()
) -> pd.DataFrame:
    """Return the posts of several files, one after the other, without the dropped ones.

    A post that derives from a dropped post is left out as well.

    Parameters
    ----------
    paths
        Files of posts, gold first.
    drops
        Parquet files whose column `post_id` names the dropped posts: the one of the audit, and
        that of a fold.
    """
    dropped = set()
    for drop in drops:
        dropped.update(pd.read_parquet(drop, columns=["post_id"])["post_id"])
    union = pd.concat([read_posts(path) for path in paths], ignore_index=True)
    return union[~(union["post_id"].isin(dropped) | union["parent"].isin(dropped))].reset_index(
        drop=True
    )


def input_texts(frame: pd.DataFrame) -> list[str]:
    """Return each post as a classifier without a prompt reads it.

    This is `keyword: text`, or the text alone if the post has no keyword.

    Examples
    --------
    >>> input_texts(pd.DataFrame({"keyword": ["rain", None], "text": ["It pours.", "Sun."]}))
    ['rain: It pours.', 'Sun.']
    """
    return [
        text if pd.isna(keyword) else f"{keyword}: {text}"
        for keyword, text in zip(frame["keyword"], frame["text"])
    ]


def first_by_hash(frame: pd.DataFrame, n: int | None) -> pd.DataFrame:
    """Return the `n` posts with the smallest `post_id_rank`, in the order of `frame`.

    The choice looks random but is the same in every run, and a smaller `n` gives a subset.

    Parameters
    ----------
    frame
        Posts.
    n
        How many posts are chosen. None, or a number that is not below the number of posts, gives
        all of them.
    """
    if n is None or n >= len(frame):
        return frame
    ranks = frame["post_id"].map(post_id_rank)
    return frame.loc[ranks.sort_values(kind="stable").index[:n].sort_values()].reset_index(
        drop=True
    )


def post_id_rank(post_id: str) -> int:
    """Return the number by which posts are drawn: the first 64 bits of the SHA-1 of a post_id.

    Examples
    --------
    >>> post_id_rank("1")
    3848916506047131724
    """
    return int.from_bytes(hashlib.sha1(post_id.encode()).digest()[:8])


def read_class_counts(path: Path | str | None) -> dict[int, int] | None:
    """Return how many posts of a file each class has; None if `path` is None.

    Posts without a label are not counted.
    """
    return read_posts(path)["label"].dropna().astype(int).value_counts().to_dict() if path else None
