"""Data frames as Parquet files with a declared schema."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from postgrad.records.files import atomic_write


@contextmanager
def table_writer(
    path: Path | str, schema: pa.Schema
) -> Iterator[Callable[[pa.Table | pa.RecordBatch], None]]:
    """Yield a function that writes the next part of a Parquet file.

    The file gets its name, by means of `atomic_write`, when the body ends without an error.
    """
    is_empty = True
    with (
        atomic_write(path) as temporary,
        pq.ParquetWriter(temporary, schema, compression="zstd") as writer,
    ):

        def write_part(table: pa.Table | pa.RecordBatch) -> None:
            nonlocal is_empty
            is_empty = False
            writer.write(table)

        yield write_part
        if is_empty:
            writer.write(schema.empty_table())


def write_table(frame: pd.DataFrame, path: Path | str, schema: pa.Schema) -> None:
    """Write the columns of `schema` to a Parquet file, by means of `atomic_write`.

    Columns that `frame` lacks are null in the file; columns that `schema` lacks are left out.
    """
    frame = frame.reindex(columns=schema.names)
    table = (
        pa.Table.from_pandas(frame, schema=schema, preserve_index=False)
        if len(frame)
        else schema.empty_table()
    )
    with atomic_write(path) as temporary:
        pq.write_table(table.replace_schema_metadata(), temporary, compression="zstd")


def write_private_table(frame: pd.DataFrame, path: Path | str, schema: pa.Schema) -> None:
    """Write a table, as `write_table` does, that only its owner can read.

    The mode of the file is 0600, and that of its folder 0700.
    """
    folder = Path(path).parent
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    previous_mask = os.umask(0o077)
    try:
        write_table(frame, path, schema)
    finally:
        os.umask(previous_mask)
