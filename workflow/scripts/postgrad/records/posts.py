"""Posts as records: one Parquet file per dataset, with a declared schema.

A post has a `post_id` that is unique within its corpus, a `text`, a `label`
(the class code 0..K-1, null where there is none) and the facts that keep
derived posts beside their source: `origin` (gold, pool, augment, synthesize, label) and
`parent` (the post_id of the source post, null for a post of the corpus and for one that a
language model wrote).
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
        ("keyword", pa.string()),  # the term the label is about (a keyword, a therapy), else null
        ("label", pa.int64()),
        ("platform", pa.string()),
        ("author", pa.string()),  # keyed hash, null where unknown
        ("origin", pa.string()),
        ("parent", pa.string()),
    ]
)
DROPPED = pa.schema([("post_id", pa.string()), ("split", pa.string()), ("reason", pa.string())])


def write_posts(frame: pd.DataFrame, path: Path | str, schema: pa.Schema = POSTS) -> None:
    """Write posts in the order given. Columns that `frame` lacks become null."""
    write_table(frame, path, schema)


def read_posts(path: Path | str) -> pd.DataFrame:
    """Posts of one file as a frame; `label` is a nullable integer."""
    frame = pq.read_table(path).to_pandas()
    frame["label"] = frame["label"].astype("Int64")
    return frame


def read_union(paths: Iterable[Path | str], drops: Iterable[Path | str] = ()) -> pd.DataFrame:
    """The posts of several files, in the order given (gold first), without those that any of
    `drops` names.

    drops: Parquet files with a column `post_id`, audit's and a fold's. What derives from such a
    post goes with it.
    """
    dropped = set()
    for drop in drops:
        dropped.update(pd.read_parquet(drop, columns=["post_id"])["post_id"])
    union = pd.concat([read_posts(path) for path in paths], ignore_index=True)
    return union[~(union["post_id"].isin(dropped) | union["parent"].isin(dropped))].reset_index(
        drop=True
    )


def input_texts(frame: pd.DataFrame) -> list[str]:
    """Each post as a classifier without a prompt reads it: `keyword: text`, or the text alone."""
    return [
        text if pd.isna(word) else f"{word}: {text}"
        for word, text in zip(frame["keyword"], frame["text"])
    ]


def first_by_hash(frame: pd.DataFrame, n: int | None) -> pd.DataFrame:
    """n posts chosen by the SHA-1 of their post_id, in the order of `frame`.

    A smaller n gives a subset.
    """
    if n is None or n >= len(frame):
        return frame
    digests = frame["post_id"].map(lambda post_id: hashlib.sha1(post_id.encode()).hexdigest())
    return frame.loc[digests.sort_values().index[:n].sort_values()].reset_index(drop=True)


def class_sizes(path: Path | str | None) -> dict[int, int] | None:
    """{class.

    How many posts} of a file of posts, without those that have no label; None without a file.
    """
    return read_posts(path)["label"].dropna().astype(int).value_counts().to_dict() if path else None
