"""Frames written as Parquet files with a declared schema, for everyone or for their owner alone."""

import os
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from postgrad.records.files import atomic_write


def write_table(frame: pd.DataFrame, path: Path | str, schema: pa.Schema) -> None:
    """Write `frame` to `path` under `schema`, by `atomic_write`.

    Columns that `frame` lacks become null.
    """
    frame = frame.reindex(columns=schema.names)
    table = (
        pa.Table.from_pandas(frame, schema=schema, preserve_index=False)
        if len(frame)
        else schema.empty_table()
    )
    with atomic_write(path) as beside:
        pq.write_table(table.replace_schema_metadata(), beside, compression="zstd")


def write_private(frame: pd.DataFrame, path: Path | str, schema: pa.Schema) -> None:
    """`write_table` for the owner alone: the file's mode is 0600, its folder's 0700."""
    folder = Path(path).parent
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    before = os.umask(0o077)
    try:
        write_table(frame, path, schema)
    finally:
        os.umask(before)
