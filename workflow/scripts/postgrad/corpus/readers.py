"""Read raw files of posts row by row, with line numbers: csv, tsv, xlsx, jsonl and jsonl.zst.

Whatever is wrong with a file is raised as a `ValueError` of one sentence that names the file and
the line and never shows a post.
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


def read_raw_rows(
    path: Path | str, name: str, encoding: str = "utf-8", sheet: str | None = None
) -> tuple[list[str], Iterator[tuple[int, Row]]]:
    """Return the columns of a raw file and an iterator over its rows.

    Parameters
    ----------
    path
        The file.
    name
        The name of the file in messages. Its ending decides the format.
    encoding
        The encoding of a text file.
    sheet
        The sheet of an xlsx file. Default: the first one.

    Returns
    -------
    columns
        The names in the header, or the keys of the first JSON object.
    rows
        Pairs of a line number and a row. Lines count from 1, and the number is the line in which
        the row starts (for xlsx, its row in the sheet). Values are strings, or None for an empty
        cell of a sheet. Blank lines are skipped. A row with more filled cells than the header has
        names has the key None.

    Raises
    ------
    ValueError
        If the file cannot be read: wrong encoding, unbalanced quotes, invalid JSON, a damaged
        archive.
    """
    try:
        if name.endswith(".xlsx"):
            rows = _sheet_rows(path, name, sheet)
        elif name.endswith((".jsonl", ".jsonl.zst")):
            rows = _json_rows(path, name, encoding)
        elif name.endswith((".csv", ".tsv")):
            rows = _table_rows(path, name, encoding, "\t" if name.endswith(".tsv") else ",")
        else:
            raise ValueError(
                f"{name}: the name does not end in .csv, .tsv, .xlsx, .jsonl or .jsonl.zst; rename "
                "the file."
            )
        columns = next(rows)
    except StopIteration:
        raise ValueError(f"{name}: the file is empty; it has not even a header.") from None
    return columns, rows


def column_list(columns: Sequence[str]) -> str:
    """Return column names as text for a message.

    A cell that looks like a sentence, as in a file without a header, is not shown.

    Examples
    --------
    >>> column_list(["id", "text", "I have had a fever since Monday"])
    'id, text and 1 more'
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
    """Return the value of a cell as a string, a whole number without ".0"; None stays None."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return None if value is None else str(value)


def _paired(columns: Sequence[str], values: Sequence[str | None]) -> Row:
    """Return columns with their values; a filled cell beyond the header goes under the key None."""
    row: Row = {column: value for column, value in zip(columns, values, strict=False) if column}
    if any(value not in (None, "") for value in values[len(columns) :]):
        row[None] = True
    return row


def _undecodable_line(path: Path | str, encoding: str) -> int | None:
    """Return the number of the first line that cannot be decoded.

    Return None where there is none, as for a codec whose lines do not end in a byte 10.
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
        f"{where}: not valid {encoding}; name the file's encoding under `encoding` in the task "
        "file."
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
                f"{name}, row that starts in line {line}: {fault}; a quote inside a quoted cell is "
                "written twice."
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
