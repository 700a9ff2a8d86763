"""Read raw files of posts row by row, with line numbers.

The formats are CSV and TSV, JSON and JSON lines, Parquet, workbooks (xlsx, xls, ods) and text files
with one post a line, each also compressed (gz, zst, zip).

Whatever is wrong with a file is raised as a `ValueError` of one sentence that names the file and
the line and never shows a post.
"""

import csv
import datetime
import io
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from postgrad.corpus.raw_files import (
    DAMAGED,
    HEAD,
    file_format,
    find_encoding,
    open_bytes,
    uncompressed_name,
)

Row = dict[str | None, Any]  # {column: value}; the key None stands for cells beyond the header
csv.field_size_limit(10_000_000)  # characters; the library's 131,072 is less than some posts
SHOWN = 12  # column names in a message; Dreaddit has 116
EXACT = 2**53  # a spreadsheet keeps numbers from here on only roughly
DELIMITERS = {"\t": "a tab", ";": "';'", "|": "'|'", ",": "','"}
# Words that a column name of several words may contain; other words may be those of a post.
NAME_WORDS = re.compile(
    r"id|text|label|tweet|post|title|date|user|name|class|body|comment|created|source|score|url|"
    r"lang\w*|unnamed|split|set|author|time|keyword|gold|annotat\w*|category|sentiment|message",
    re.I,
)


@dataclass(frozen=True)
class Other:
    """A value of a cell that is no text.

    Attributes
    ----------
    kind : str
        What it is, for a reason: "a date", "an object" or "a list".
    values : tuple of str
        The values of a list.
    """

    kind: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Layout:
    """How a task file says that a raw file is written; None leaves it to the file.

    Attributes
    ----------
    encoding : str or None
        The encoding of a text file.
    sheet : str or None
        The sheet of a workbook. Default: the first one that has cells.
    delimiter : str or None
        What separates cells. Default: a comma, or a tab in a TSV file.
    quotes : str or None
        "csv" if cells may be in double quotes, "none" if a quotation mark is a letter. Default:
        csv, but none in a TSV file.
    paired : str or None
        The path of a file with the label of each line of a file of lines.
    """

    encoding: str | None = None
    sheet: str | None = None
    delimiter: str | None = None
    quotes: str | None = None
    paired: str | None = None


def read_raw_rows(
    path: Path | str,
    name: str,
    layout: Layout = Layout(),
    wanted: Iterable[str] = (),
    notes: list[str] | None = None,
) -> tuple[list[str], Iterator[tuple[int, Row]]]:
    """Return the columns of a raw file and an iterator over its rows.

    Parameters
    ----------
    path
        The file.
    name
        The name of the file in messages.
    layout
        How the file is written, as far as the task file says.
    wanted
        The columns that are read. In JSON, a name with dots is a path into nested objects, and an
        array of objects on such a path gives a row for each of them.
    notes
        Gets a sentence for whatever is assumed about the file.

    Returns
    -------
    columns
        The names in the header, or the keys of the first JSON object.
    rows
        Pairs of a line number and a row. Lines count from 1, and the number is the line in which
        the row starts (in a workbook, its row in the sheet; in Parquet, its number). Values are
        strings, None for an empty cell, or `Other` for what is no text. Blank lines are skipped. A
        row with more filled cells than the header has names has the key None.

    Raises
    ------
    ValueError
        If the file cannot be read: wrong encoding, unbalanced quotes, invalid JSON, a damaged
        archive.
    """
    notes = [] if notes is None else notes
    try:
        with open_bytes(path, name) as file:
            head = file.read(HEAD)
    except DAMAGED:
        raise _damaged(name, 0) from None
    kind = file_format(name, head)
    try:
        if kind == "workbook":
            rows = _sheet_rows(path, name, layout.sheet, notes)
        elif kind == "parquet":
            rows = _parquet_rows(path, name)
        elif kind == "lines":
            rows = _paired_lines(path, name, layout, notes)
        elif kind == "json":
            rows = _json_rows(path, name, layout, tuple(wanted), notes)
        else:
            rows = _table_rows(path, name, layout, notes)
        columns = next(rows)
    except StopIteration:
        raise ValueError(f"{name}: the file is empty; it has not even a header.") from None
    return columns, rows


def column_list(columns: Sequence[str]) -> str:
    """Return column names as text for a message.

    A cell that may be a part of a post, as in a file without a header, is not shown.

    Examples
    --------
    >>> column_list(["id", "tweet text", "I have had a fever since Monday"])
    'id, tweet text and 1 more'
    """
    names = [name for name in columns if is_column_name(name)]
    more = len(columns) - len(names[:SHOWN])
    return (
        ", ".join(names[:SHOWN]) + (f" and {more} more" if names and more else "")
        or "none that looks like a name"
    )


def is_column_name(cell: str) -> bool:
    """Return whether a cell of the first line is probably the name of a column.

    Examples
    --------
    >>> is_column_name("Tweet_ID"), is_column_name("so sad today"), is_column_name("129")
    (True, False, False)
    """
    if len(cell) > 30 or not re.fullmatch(r"[^\W\d][\w#.:-]*( [\w#.:-]+){0,3}", cell):
        return False
    return " " not in cell or any(NAME_WORDS.fullmatch(word) for word in re.split(r"\W+", cell))


def has_header(columns: Sequence[str]) -> bool:
    """Return whether the first line of a file is probably a header.

    Examples
    --------
    >>> has_header(["id", "text"]), has_header(["129", "so sad today", "1"])
    (True, False)
    """
    named = [column for column in columns if column]
    return all(is_column_name(column) for column in named) or (
        sum(map(is_column_name, named)) >= 2
        and not any(re.fullmatch(r"[\d.,+-]+", column) for column in named)
    )


def fitting_delimiter(columns: Sequence[str], wanted: Iterable[str]) -> str | None:
    """Return the delimiter by which a header would have one of the wanted columns, or None.

    Examples
    --------
    >>> fitting_delimiter(["id;text;label"], ["text"])
    ';'
    """
    for delimiter in DELIMITERS:
        cells = [cell.strip().strip('"') for cell in delimiter.join(columns).split(delimiter)]
        if any(delimiter in column for column in columns) and {*wanted} & {*cells}:
            return delimiter
    return None


def _damaged(name: str, line: int) -> ValueError:
    """Return the error of a file whose compressed content cannot be read on."""
    return ValueError(
        f"{name}, after line {line}: the file is damaged or not complete; fetch it again."
    )


def _as_text(value: Any) -> Any:
    """Return the value of a cell as a string, None for nothing, and `Other` for what is no text.

    A whole number has no ".0". A number that a spreadsheet keeps only roughly is written with an
    exponent, so that an id is known as rounded.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, datetime.date | datetime.time | datetime.timedelta):
        return Other("a date")
    if isinstance(value, dict):
        return Other("an object")
    if isinstance(value, list | tuple):
        texts = (_as_text(item) for item in value)
        return Other("a list", tuple(text for text in texts if isinstance(text, str)))
    if isinstance(value, float):
        if value != value:
            return None
        if abs(value) >= EXACT:
            return f"{value:e}"
        return str(int(value) if value == int(value) else value)
    return str(value)


def _paired(columns: Sequence[str], values: Sequence[Any]) -> Row:
    """Return columns with their values; a filled cell beyond the header goes under the key None."""
    row: Row = {column: value for column, value in zip(columns, values, strict=False) if column}
    if any(value not in (None, "") for value in values[len(columns) :]):
        row[None] = True
    return row


def _open_text(
    path: Path | str, name: str, layout: Layout, notes: list[str], newline: str | None
) -> tuple[io.TextIOWrapper, str]:
    """Open a file as text, and return it with its encoding."""
    try:
        encoding, note = find_encoding(path, name, layout.encoding)
    except DAMAGED:
        raise _damaged(name, 0) from None
    if note:
        notes.append(f"{name}: {note}")
    return io.TextIOWrapper(open_bytes(path, name), encoding, newline=newline), encoding


def _not_decoded(path: Path | str, name: str, encoding: str) -> ValueError:
    """Return the error of a file that is not in its encoding, with the line if it can be found."""
    line = None
    with open_bytes(path, name) as file:
        for number, content in enumerate(file, 1):
            try:
                content.decode(encoding)
            except UnicodeError:
                line = number
                break
    where = (
        f"{name}, line {line}" if line and not encoding.startswith(("utf-16", "utf-32")) else name
    )
    return ValueError(
        f"{where}: not valid {encoding}; name the file's encoding under `encoding` in the task "
        "file."
    )


def _table_rows(path: Path | str, name: str, layout: Layout, notes: list[str]) -> Iterator[Any]:
    """Yield the columns, and then the line number and the row of each line of a CSV or TSV file."""
    is_tsv = uncompressed_name(name).endswith((".tsv", ".tab"))
    delimiter = layout.delimiter or ("\t" if is_tsv else ",")
    plain = layout.quotes == "none" or (layout.quotes is None and is_tsv)
    # newline="": the csv module itself ends lines, so that CR and LF inside quotes stay in the
    # cell. strict: a quote that is never closed would swallow the rows after it in silence.
    file, encoding = _open_text(path, name, layout, notes, "")
    line, short = 1, 0
    with file:
        try:
            first = file.readline()
            if match := re.fullmatch(r"\ufeff?\"?sep=(.)\"?\s*", first):
                delimiter, line = layout.delimiter or match[1], 2
                notes.append(f"{name}: the first line sets the delimiter {delimiter!r}")
                lines: Iterable[str] = file
            else:
                lines = _with_first(first, file)
            reader = (
                csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE)
                if plain
                else csv.reader(lines, delimiter=delimiter, strict=True)
            )
            offset = line - 1
            columns: list[str] = []
            for values in reader:
                if values and not columns:
                    columns = [column.strip().removeprefix("\ufeff") for column in values]
                    yield columns
                elif values:
                    short += plain and values[-1].count('"') % 2 and len(values) < len(columns)
                    yield line, _paired(columns, values)
                line = reader.line_num + 1 + offset
        except UnicodeError:
            raise _not_decoded(path, name, encoding) from None
        except csv.Error as fault:
            raise ValueError(
                f"{name}, row that starts in line {line}: {fault}; a quote inside a quoted cell is "
                "written twice. If a quotation mark is a letter in this file, write quotes: none."
            ) from None
        except DAMAGED:
            raise _damaged(name, line - 1) from None
    if short:
        notes.append(
            f"{name}: {short} lines end inside a quotation; write quotes: csv if its cells are in "
            "double quotes"
        )


def _with_first(first: str, rest: Iterable[str]) -> Iterator[str]:
    """Yield a line that was read already, and then the others."""
    if first:
        yield first
    yield from rest


def _paired_lines(path: Path | str, name: str, layout: Layout, notes: list[str]) -> Iterator[Any]:
    """Yield the columns text and label, and then each line of a file with its label.

    Only LF and CRLF end a line.
    """
    labels: list[str] | None = None
    if layout.paired is not None:
        paired, encoding = _open_text(layout.paired, layout.paired, Layout(), notes, "\n")
        with paired:
            labels = [line.rstrip("\r\n") for line in paired]
    file, encoding = _open_text(path, name, layout, notes, "\n")
    yield ["text"] if labels is None else ["text", "label"]
    count = 0
    with file:
        try:
            for count, text in enumerate(file, 1):
                row: Row = {"text": text.rstrip("\r\n")}
                if labels is not None:
                    row["label"] = labels[count - 1] if count <= len(labels) else None
                yield count, row
        except UnicodeError:
            raise _not_decoded(path, name, encoding) from None
        except DAMAGED:
            raise _damaged(name, count) from None
    if labels is not None and len(labels) != count:
        raise ValueError(
            f"{name} has {count} lines, and the file of its labels has {len(labels)}; both must "
            "have as many lines."
        )


def _sheet_rows(path: Path | str, name: str, sheet: str | None, notes: list[str]) -> Iterator[Any]:
    """Yield the columns, and then the row number and the row of each row of a sheet."""
    import python_calamine as calamine  # here, since other files need not pay for it

    try:
        with open_bytes(path, name) as file:
            book = calamine.CalamineWorkbook.from_filelike(io.BytesIO(file.read()))
    except (calamine.CalamineError, *DAMAGED, ValueError):
        raise ValueError(
            f"{name}: not a readable workbook; save it again as .xlsx or as .csv."
        ) from None
    sheets = [
        data.name for data in book.sheets_metadata if data.typ == calamine.SheetTypeEnum.WorkSheet
    ]
    if sheet is not None and sheet not in sheets:
        raise ValueError(f"{name}: no sheet `{sheet}`; the file has {', '.join(sheets)}.")
    for title in [sheet] if sheet else sheets:
        try:
            page = book.get_sheet_by_name(title)
        except IndexError:  # a sheet without a cell
            continue
        columns: list[str] = []
        start = (page.start or (0, 0))[0] + 1
        for line, cells in enumerate(page.iter_rows(), start):
            values = [_as_text(None if value == "" else value) for value in cells]
            if any(value is not None for value in values) and not columns:
                columns = [value.strip() if isinstance(value, str) else "" for value in values]
                if sheet is None and len(sheets) > 1:
                    others = ", ".join(other for other in sheets if other != title)
                    notes.append(f"{name}: read from sheet {title}; its other sheets are {others}")
                yield columns
            elif any(value is not None for value in values):
                yield line, _paired(columns, values)
        if columns:
            return


def _parquet_rows(path: Path | str, name: str) -> Iterator[Any]:
    """Yield the columns, and then the number and the row of each row of a Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with open(path, "rb") as plain, open_bytes(path, name) as stream:
            is_plain = plain.read(4) == stream.read(4)
        source = Path(path) if is_plain else pa.BufferReader(open_bytes(path, name).read())
        file = pq.ParquetFile(source)
        yield file.schema_arrow.names
        number = 0
        for batch in file.iter_batches(10_000):
            for row in batch.to_pylist():
                number += 1
                yield number, {column: _as_text(value) for column, value in row.items()}
    except (pa.ArrowInvalid, *DAMAGED):
        raise ValueError(f"{name}: not a readable Parquet file; fetch it again.") from None


def _json_rows(
    path: Path | str, name: str, layout: Layout, wanted: tuple[str, ...], notes: list[str]
) -> Iterator[Any]:
    """Yield the columns, and then the line and the row of each JSON object of a file.

    The file has an object a line, or it is a single array or object.
    """
    file, encoding = _open_text(path, name, layout, notes, None)
    columns: list[str] | None = None
    line, unread = 0, []
    with file:
        try:
            for line, record in _json_records(file, name):
                if record is None:  # a number that cannot be read: the row is rejected alone
                    if columns is None:
                        unread.append(line)
                    else:
                        yield line, {None: Other("a number")}
                    continue
                for row in exploded(record, wanted):
                    if columns is None:
                        columns = list(row)
                        yield columns
                        for early in unread:
                            yield early, {None: Other("a number")}
                    keys = {**dict.fromkeys(columns), **row}
                    yield line, {key: _as_text(row.get(key)) for key in keys}
        except UnicodeError:
            raise _not_decoded(path, name, encoding) from None
        except DAMAGED:
            raise _damaged(name, line) from None


def _json_records(file: io.TextIOWrapper, name: str) -> Iterator[tuple[int, Any]]:
    """Yield the line and the content of each JSON object; None for a number that is too long."""
    whole: list[str] = []
    for line, content in enumerate(file, 1):
        content = content.removeprefix("\ufeff") if line == 1 else content
        if not content.strip():
            continue
        if whole or content.lstrip()[0] == "[":
            whole.append(content)
            continue
        try:
            yield line, _parsed(content, name, line)
        except json.JSONDecodeError as fault:
            if line > 1 or fault.pos < len(content.rstrip()) - 1 and content.strip() != "{":
                raise _not_json(name, line) from None
            whole.append(content)  # an object that is written over several lines
    if whole:
        try:
            parsed = _parsed("".join(whole), name, 1)
        except json.JSONDecodeError as fault:
            raise _not_json(name, fault.lineno) from None
        records = parsed if isinstance(parsed, list) else [parsed]
        for number, record in enumerate(records, 1):
            if not isinstance(record, dict):
                raise _not_json(name, number)
            yield number, record


def _not_json(name: str, line: int) -> ValueError:
    """Return the error of a line that is no JSON object."""
    return ValueError(f"{name}, line {line}: not a JSON object; each line holds one.")


def _parsed(text: str, name: str, line: int) -> Any:
    """Return the content of JSON text, or None if it has a number that Python does not read.

    Raise `ValueError` if an object has a key twice, or if it is no object or array.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        counts = Counter(key for key, _ in pairs)
        if repeated := [key for key, count in counts.items() if count > 1]:
            shown = column_list(repeated[:1])
            raise ValueError(f"{name}, line {line}: the key {shown} occurs twice; keep one.")
        return dict(pairs)

    try:
        content = json.loads(text, object_pairs_hook=unique)
    except json.JSONDecodeError:
        raise
    except RecursionError:
        raise _not_json(name, line) from None
    except ValueError as fault:
        if "integer string conversion" in str(fault):
            return None
        raise
    if not isinstance(content, dict) and not text.lstrip().startswith("["):
        raise _not_json(name, line)
    return content


def exploded(record: dict[str, Any], wanted: Sequence[str]) -> list[dict[str, Any]]:
    """Return the rows of a JSON object, with nested values under dotted names.

    An array of objects on the path of a wanted column gives a row for each of its objects.

    Examples
    --------
    >>> exploded({"data": {"id": "1", "text": "x"}}, ["data.text"])
    [{'data.id': '1', 'data.text': 'x'}]
    >>> exploded({"data": [{"id": "1"}, {"id": "2"}], "page": 3}, ["data.id"])
    [{'data.id': '1', 'page': 3}, {'data.id': '2', 'page': 3}]
    """
    for path in wanted:
        keys = path.split(".")
        for depth in range(1, len(keys)):
            value: Any = record
            for key in keys[:depth]:
                value = value.get(key) if isinstance(value, dict) else None
            if isinstance(value, list) and value and isinstance(value[0], dict):
                return [
                    row
                    for item in value
                    if isinstance(item, dict)
                    for row in exploded(_replaced(record, keys[:depth], item), wanted)
                ]
    return [flattened(record, {path.rpartition(".")[0] for path in wanted if "." in path})]


def _replaced(record: dict[str, Any], keys: Sequence[str], value: Any) -> dict[str, Any]:
    """Return a nested mapping with another value at a path."""
    first, *rest = keys
    return {**record, first: _replaced(record[first], rest, value) if rest else value}


def flattened(record: dict[str, Any], opened: set[str], prefix: str = "") -> dict[str, Any]:
    """Return a mapping in which the objects at some paths are replaced by dotted keys.

    Examples
    --------
    >>> flattened({"data": {"id": 1}, "user": {"id": 2}}, {"data"})
    {'data.id': 1, 'user': {'id': 2}}
    """
    flat: dict[str, Any] = {}
    for key, value in record.items():
        path = f"{prefix}{key}"
        if isinstance(value, dict) and any(f"{other}.".startswith(f"{path}.") for other in opened):
            flat |= flattened(value, opened, f"{path}.")
        else:
            flat[path] = value
    return flat
