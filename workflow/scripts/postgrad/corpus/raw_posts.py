"""Read the raw files of one split as posts, one for each raw row, kept or with a reason against it.

A row whose label the task does not have, and a file without a column that is wanted, end the run.
"""

import glob
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from postgrad.corpus.clean_options import (
    CleanOptions,
    Column,
    Division,
    ListedLabel,
    Selection,
    SplitFiles,
    as_list,
)
from postgrad.corpus.cleaning_steps import NOTHING, Cleaner
from postgrad.corpus.readers import (
    DELIMITERS,
    Layout,
    Other,
    Row,
    column_list,
    fitting_delimiter,
    has_header,
    read_raw_rows,
)

# What Reddit shows for a post that is gone, such as [deleted] or [ Removed by Reddit ].
REMOVED = re.compile(r"\[\s*(deleted|removed)(\s+by\s+[\w ]+)?\s*\]", re.I)
# The name of the split of a file before it is divided.
UNDIVIDED = "undivided"
# The most characters of a value by which posts are grouped; a longer one may be a text.
LONGEST_GROUP = 60

# 27, but not 270, 27.5 or the cents of 8.27.
_TWO_DIGITS = re.compile(r"(?<![\d.,])\d\d(?!\d|[.,]\d)")
_FLOAT_ID = re.compile(r"(\d{1,15})[.,]0+")  # 123.0, which is 123


@dataclass(slots=True)
class RawPost:
    """What a raw row holds.

    Attributes
    ----------
    split : str
        The split to which it belongs, or `UNDIVIDED`.
    line : int
        The line in which the row starts.
    post_id, text, keyword, label, platform
        The fields of a post. `label` is a class code, or None.
    fate : str
        "kept", "rejected" or "decoy".
    reason : str or None
        Why it was rejected.
    groups : dict
        The values of the columns that the task names under `groups`.
    """

    split: str
    line: int
    post_id: str
    text: str
    keyword: str | None
    label: int | None
    platform: str | None
    fate: str
    reason: str | None
    groups: dict[str, str] = field(default_factory=dict)


def is_selected(text: str, select: Selection) -> bool:
    """Return whether the post of a pool is read.

    Examples
    --------
    >>> is_selected("I turned 27 today", Selection(two_digit_number=True, max_words=4))
    True
    """
    words = len(text.split())
    long_enough = (
        select.min_words <= words <= (words if select.max_words is None else select.max_words)
    )
    return long_enough and (not select.two_digit_number or bool(_TWO_DIGITS.search(text)))


def find_column(wanted: Column | None, columns: Sequence[str], name: str, task: str) -> str | None:
    """Return the first of the wanted names that is a column of a file, or None if `wanted` is None.

    Raise `ValueError` with the columns of the file if it has none of them, or has one twice.
    """
    if wanted is None:
        return None
    names = as_list(wanted.column if isinstance(wanted, ListedLabel) else wanted)
    for column in names:
        if columns.count(column) > 1:
            raise ValueError(
                f"{name}, line 1: the column {column} occurs twice; rename one of the two."
            )
        if column in columns:
            return str(column)
    place = f"{name}, line 1: no column {' or '.join(names)}"
    if delimiter := fitting_delimiter(columns, names):
        raise ValueError(
            f"{place}; its cells seem to be separated by {DELIMITERS[delimiter]}; write "
            f"`delimiter: {json.dumps(delimiter)}` beside the file in config/tasks/{task}.yaml."
        )
    if not has_header(columns):
        raise ValueError(
            f"{place}; its first line does not look like the names of columns. Does the file have "
            "a header? Add one."
        )
    raise ValueError(
        f"{place}; the file has {column_list(columns)}; name the right one under `columns` in "
        f"config/tasks/{task}.yaml."
    )


def label_codes(labels: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Return the class code of each spelling of a label.

    A label is known by its value and by its name, exactly or without regard to case, as far as that
    is unambiguous.
    """
    exact = {str(label["value"]): code for code, label in enumerate(labels)}
    codes = dict(exact)
    for spell in (lambda label: str(label["value"]), lambda label: str(label.get("name", ""))):
        for case in (str, str.casefold):
            spellings = [case(spell(label)) for label in labels]
            for code, spelling in enumerate(spellings):
                if spelling and spellings.count(spelling) == 1:
                    codes.setdefault(spelling, code)
    return codes


def label_code(
    value: Any, codes: Mapping[str, int], wanted: Column, where: str, seen: set[str]
) -> int | None:
    """Return the class code of a cell, or None if the cell is empty.

    Raise `ValueError`, which shows the value only if it is short, if it is no label of the task.
    `seen` gets the values of a `ListedLabel` that occur.
    """
    if isinstance(wanted, ListedLabel):
        if isinstance(value, Other):
            values = [item.strip() for item in value.values]
        else:
            values = [item.strip() for item in str(value or "").split(wanted.separator)]
        if not any(values):
            return None
        seen.update(values)
        return int(wanted.among.strip() in values)
    value = str(value or "").strip()
    if value in NOTHING and value.casefold() not in codes:
        return None
    # A data frame may write the label 1 as 1.0.
    for spelling in (value, re.sub(r"\.0+$", "", value), value.casefold()):
        if spelling in codes:
            return codes[spelling]
    shown = f" {value!r}" if len(value) <= 20 and value.count(" ") < 2 else ""
    labels = ", ".join(dict.fromkeys(name for name in codes if name == name.strip()))
    raise ValueError(
        f"{where}: the value{shown} is not a label of the task ({labels}); "
        "correct the row, or the labels in the task file."
    )


def post_id_of(value: Any) -> str:
    """Return an id as text; a data frame may write 123 as 123.0.

    Examples
    --------
    >>> post_id_of(" 123.0 "), post_id_of(None)
    ('123', '')
    """
    text = value.strip() if isinstance(value, str) else ""
    return _FLOAT_ID.sub(r"\1", text) if _FLOAT_ID.fullmatch(text) else text


@dataclass
class RawSplit:
    """The raw files of one split, and how they are read.

    Attributes
    ----------
    split : str
        The name of the split, or `UNDIVIDED`.
    body : SplitFiles
        Its part of the task file.
    options : CleanOptions
        The options of the whole task.
    folder : Path
        The folder of the raw files.
    cleaner : Cleaner
        Cleans the texts.
    notes : list of str
        Gets a sentence for each thing that is assumed about a file.
    listed : set of str
        Gets the values of a `ListedLabel` that occur.
    gold : dict or None
        The class code of each post_id in the gold file, if the split has one.
    grouped : set of str
        Gets the columns under `groups` that its files have.
    """

    split: str
    body: SplitFiles
    options: CleanOptions
    folder: Path
    cleaner: Cleaner
    notes: list[str]
    listed: set[str] = field(default_factory=set)
    gold: dict[str, int] | None = None
    grouped: set[str] = field(default_factory=set)

    @property
    def names(self) -> list[str]:
        """The names of the raw files, in the order of the patterns and sorted within each."""
        names = []
        for pattern in self.body.patterns:
            is_pattern = glob.has_magic(pattern)
            matches = sorted(glob.glob(pattern, root_dir=self.folder)) if is_pattern else []
            names += matches or [pattern]
        return names

    @property
    def columns(self) -> dict[str, Column]:
        """How its files name their columns."""
        return self.body.columns or {"text": "text", "label": "label"}

    def check_files(self) -> None:
        """Raise `FileNotFoundError`, with the columns and the source, if a raw file is missing."""
        for name in self.names:
            if not (self.folder / name).is_file():
                names = [" or ".join(_names_of(column)) for column in self.body.columns.values()]
                source = self.options.source
                by = f"; {source.rstrip('.')}" if source else ""
                raise FileNotFoundError(
                    f"{name} is not in {self.folder}; expected are the columns "
                    f"{', '.join(names)}{by}."
                )

    def read_gold(self) -> None:
        """Read the labels of the gold file, if the split names one and the file exists.

        Raise `ValueError` if a row of it has no label, or an id that is missing or repeated.
        """
        name, wanted = self.body.gold, self.body.columns
        if name is None or not (self.folder / name).is_file():
            return
        columns, rows = self._read_rows(name, wanted, [])
        id_column, label_column = (
            find_column(wanted[key], columns, name, self.options.task) for key in ("id", "label")
        )
        codes = label_codes(self.options.labels)
        self.gold = {}
        for line, row in rows:
            post_id = post_id_of(row.get(id_column))
            where = f"{name}, line {line}, column {label_column}"
            code = label_code(row.get(label_column), codes, wanted["label"], where, set())
            if post_id in self.gold or post_id in NOTHING or code is None:
                raise ValueError(
                    f"{name}, line {line}: a gold row needs an id of its own and a label."
                )
            self.gold[post_id] = code

    def read_posts(self, name: str) -> Iterator[RawPost]:
        """Yield one post for each raw row of a file."""
        body, cleaner, gold, wanted = self.body, self.cleaner, self.gold, self.columns
        columns, rows = self._read_rows(name, wanted, self.notes)
        from_file = [key for key in wanted if key != "label" or body.gold is None]
        at = {key: find_column(wanted[key], columns, name, self.options.task) for key in from_file}
        codes, split_of = label_codes(self.options.labels), self._split_of_value()
        has_id, labelled = "id" in at, "label" in at
        label_column = wanted.get("label", "")
        grouping = [column for column in self.options.groups if column in columns]
        self.grouped.update(grouping)
        is_listed = isinstance(label_column, ListedLabel)
        for line, row in rows:
            cell: dict[str, Any] = {}
            strange = None
            for key, column in at.items():
                value = row.get(column)
                if isinstance(value, Other) and not (key == "label" and is_listed):
                    strange = strange or f"{key} is {value.kind}"
                    value = ""
                cell[key] = value if key == "label" else value or ""
            text = cleaner.clean(cell["text"])
            if text and "title" in cell and not REMOVED.fullmatch(text):
                text = f"{cleaner.clean(cell['title'])} {text}".strip()
            post_id = post_id_of(cell["id"]) if has_id else f"{name}:{line}"
            label = None
            # A row without id or text comes from the spreadsheet itself (a sum, a note), so its
            # label is not read.
            if labelled and not strange and text and post_id not in NOTHING and None not in row:
                where = f"{name}, line {line}, column {at['label']}"
                label = label_code(cell["label"], codes, label_column, where, self.listed)
            reason = strange or _rejection(
                row, post_id, text, body.select, lacks_label=labelled and label is None
            )
            split = self.split
            if split_of is not None:
                part = split_of.get(str(cell["split"]).strip().casefold())
                reason = reason or ("of no split" if part is None else None)
                split = part or split
            if body.window is not None:
                text = " ".join(text.split()[: body.window])
            fate = "rejected" if reason else "kept"
            if gold is not None and not reason:
                fate = "kept" if post_id in gold else "decoy"
                label = gold.get(post_id)
            keyword = cleaner.clean(cell["keyword"]) or None if "keyword" in cell else None
            platform = (
                str(cell.get("source", "")).strip().lower()
                or body.platform
                or self.options.platform
            )
            groups = {}
            for column in grouping if fate == "kept" else ():
                if value := _group(row.get(column), column, name, line):
                    groups[column] = value
            yield RawPost(
                split, line, post_id, text, keyword, label, platform, fate, reason, groups
            )

    def _read_rows(
        self, name: str, columns: Mapping[str, Column], notes: list[str]
    ) -> tuple[list[str], Iterator[tuple[int, Row]]]:
        body = self.body
        paired = None if body.labels_file is None else str(self.folder / body.labels_file)
        layout = Layout(body.encoding, body.sheet, body.delimiter, body.quotes, paired)
        # All names of columns that are read, to find them inside nested JSON.
        wanted = [name for column in columns.values() for name in _names_of(column)]
        wanted += self.options.groups
        return read_raw_rows(self.folder / name, name, layout, wanted, notes)

    def _split_of_value(self) -> dict[str, str] | None:
        """Return the split of each value of the column `split`; None without such a column."""
        body = self.body
        if not isinstance(body, Division) or "split" not in body.columns:
            return None
        return {
            value.casefold(): split
            for split, values in body.parts.items()
            for value in as_list(values)
        }


def _names_of(column: Column) -> list[str]:
    """Return all names by which a column is known."""
    return as_list(column.column if isinstance(column, ListedLabel) else column)


def _group(value: Any, column: str, name: str, line: int) -> str:
    """Return the value of a column under `groups`, and an empty string if it says nothing.

    Raise `ValueError` if it is no single value, or longer than `LONGEST_GROUP` characters.
    """
    text = "" if value is None or isinstance(value, Other) else str(value).strip()
    if isinstance(value, Other) or len(text) > LONGEST_GROUP:
        raise ValueError(
            f"{name}, line {line}: the column {column} has no single value of at most "
            f"{LONGEST_GROUP} characters; name another column under `groups` in the task file."
        )
    return "" if text in NOTHING else text


def _rejection(
    row: Row, post_id: str, text: str, select: Selection, lacks_label: bool
) -> str | None:
    """Return why a row cannot be a post, or None if it can."""
    if isinstance(row.get(None), Other):
        return "a number of too many digits"
    if None in row:
        return "more cells than columns"
    if post_id in NOTHING:
        return "no id" if text else "no id and no text"
    if not text:
        return "no text"
    if REMOVED.fullmatch(text):
        return "text removed"
    if lacks_label:
        return "no label"
    if not is_selected(text, select):
        return "not selected"
    return None
