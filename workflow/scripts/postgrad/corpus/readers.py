"""Raw files of posts, row by row with their line numbers: csv, tsv, xlsx, jsonl and jsonl.zst.

Every fault of a file is a ValueError of one sentence that names file and line, and never shows a
post.
"""

import csv
import io
import json
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

Row = dict[str | None, Any]  # {column: value}; the key None stands for cells beyond the header
csv.field_size_limit(10_000_000)  # characters; the library's 131,072 is less than some posts
SHOWN = 12  # column names in a message; Dreaddit has 116


def raw_rows(
    path: Path | str, name: str, encoding: str = "utf-8", sheet: str | None = None
) -> tuple[list[str], Iterator[tuple[int, Row]]]:
    """The columns of a file and an iterator over (line, {column: value}).

    path: the file; name: what messages call it. line counts from 1 and is where the row starts (the
    row of the sheet for xlsx). Values are strings, or None for an empty cell of a sheet; blank
    lines are no rows. A row with more filled cells than the header has names carries the key None.
    Raises ValueError for what cannot be read: wrong encoding, quotes, JSON, an archive that is
    none.
    """
    try:
        if name.endswith(".xlsx"):
            rows = _sheet_rows(path, name, sheet)
        elif name.endswith((".jsonl", ".jsonl.zst")):
            rows = _json_rows(path, name, encoding)
        elif name.endswith((".csv", ".tsv")):
            rows = _table_rows(path, name, encoding, "\t" if name.endswith(".tsv") else ",")
        else:
            raise ValueError(f"{name}: not a csv, tsv, xlsx, jsonl or jsonl.zst file by its name.")
        columns = next(rows)
    except StopIteration:
        raise ValueError(f"{name}: the file is empty, not even a header stands in it.") from None
    return columns, rows


def shown(columns: Sequence[str]) -> str:
    """Column names for a message.

    A cell that looks like a sentence (a file without header) is not shown.
    """
    names = [
        name
        for name in columns
        if re.fullmatch(r"[\w#.:-]+( [\w#.:-]+){0,2}", name) and len(name) <= 30
    ]
    more = len(columns) - len(names[:SHOWN])
    return (
        ", ".join(names[:SHOWN]) + (f" and {more} more" if names and more else "")
        or "none that looks like a name"
    )


def _as_text(value: Any) -> str | None:
    """A cell's value as a string: a whole number without `.0`; None stays None."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return None if value is None else str(value)


def _paired(columns: Sequence[str], values: Sequence[str | None]) -> Row:
    """Columns with their values; a filled cell beyond the header goes under the key None."""
    row: Row = {column: value for column, value in zip(columns, values, strict=False) if column}
    if any(value not in (None, "") for value in values[len(columns) :]):
        row[None] = True
    return row


def _undecodable_line(path: Path | str, encoding: str) -> int | None:
    """The first line that is not of this encoding, or None (a codec whose lines do not end in a
    byte 10).
    """
    with open(path, "rb") as file:
        for line, content in enumerate(file, 1):
            try:
                content.decode(encoding)
            except UnicodeDecodeError:
                return line
    return None


def _not_decoded(path: Path | str, name: str, encoding: str) -> ValueError:
    line = None if name.endswith(".zst") else _undecodable_line(path, encoding)
    where = f"{name}, line {line}" if line else name
    return ValueError(
        f"{where}: not valid {encoding}; name the file's encoding under `encoding` in the task file."
    )


def _codec(encoding: str) -> str:
    return "utf-8-sig" if encoding == "utf-8" else encoding  # -sig drops a BOM where there is one


def _table_rows(path: Path | str, name: str, encoding: str, delimiter: str) -> Iterator[Any]:
    # newline="": the csv module itself ends lines, so that CR and LF inside quotes stay in the
    # cell. strict: a quote that is never closed would swallow the rows after it in silence.
    with open(path, encoding=_codec(encoding), newline="") as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        line = 1
        try:
            columns: list[str] = []
            for values in reader:
                if values and not columns:
                    columns = [column.strip() for column in values]
                    yield columns
                elif values:
                    yield line, _paired(columns, values)
                line = reader.line_num + 1
        except UnicodeDecodeError:
            raise _not_decoded(path, name, encoding) from None
        except csv.Error as fault:
            raise ValueError(
                f"{name}, row that starts in line {line}: {fault}; a quote inside a quoted cell is written twice."
            ) from None


def _sheet_rows(path: Path | str, name: str, sheet: str | None) -> Iterator[Any]:
    import openpyxl  # here, for it costs 0.2 s that other files need not pay

    unreadable = f"{name}: not a readable xlsx file; save it again as .xlsx or as .csv."
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (
        zipfile.BadZipFile,
        openpyxl.utils.exceptions.InvalidFileException,
        KeyError,
        ValueError,
        OSError,
    ):
        raise ValueError(unreadable) from None
    if sheet is not None and sheet not in book.sheetnames:
        raise ValueError(f"{name}: no sheet `{sheet}`; the file has {', '.join(book.sheetnames)}.")
    page = book[sheet or book.sheetnames[0]]
    page.reset_dimensions()  # some writers declare a sheet of one cell
    columns: list[str] = []
    try:
        for line, cells in enumerate(page.iter_rows(values_only=True), 1):
            values = [_as_text(value) for value in cells]
            if any(values) and not columns:
                columns = [(value or "").strip() for value in values]
                yield columns
            elif any(values):
                yield line, _paired(columns, values + [None] * (len(columns) - len(values)))
    except (zipfile.BadZipFile, zlib.error, SyntaxError):  # SyntaxError: what the XML parser raises
        raise ValueError(unreadable) from None
    finally:
        book.close()


def _json_rows(path: Path | str, name: str, encoding: str) -> Iterator[Any]:
    file: TextIO
    if name.endswith(".zst"):
        import pyarrow as pa

        file = io.TextIOWrapper(
            io.BufferedReader(pa.input_stream(path, compression="zstd")), _codec(encoding)
        )
    else:
        file = open(path, encoding=_codec(encoding))  # noqa: SIM115
    columns, line = None, 0
    with file:
        try:
            for line, content in enumerate(file, 1):
                if content.isspace():
                    continue
                row = {key: _as_text(value) for key, value in json.loads(content).items()}
                if columns is None:
                    columns = list(row)
                    yield columns
                yield (
                    line,
                    {column: row.get(column) for column in {**dict.fromkeys(columns), **row}},
                )
        except UnicodeDecodeError:
            raise _not_decoded(path, name, encoding) from None
        except (json.JSONDecodeError, AttributeError, RecursionError):
            raise ValueError(
                f"{name}, line {line}: not a JSON object; each line holds one."
            ) from None
        except OSError:
            raise ValueError(
                f"{name}, after line {line}: not a readable zstd stream; fetch the file again."
            ) from None
