"""Turn the raw rows of a corpus into posts, and record in a ledger what became of every raw row.

Every run checks that the rows read are as many as those kept, rejected and decoys together. A bad
row is rejected with a reason. A file that cannot be trusted (a missing column, a label that the
task does not have) ends the run.
"""

import glob
import json
import math
import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from postgrad.corpus.cleaning_steps import DEFAULT_STEPS, NOTHING, Cleaner
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
from postgrad.corpus.text_forms import normalize_text
from postgrad.records.names import SPLITS
from postgrad.records.posts import first_by_hash

# Of two splits that hold the same id, the first in this order keeps it.
CLAIMS = ("test", "cross", "dev", "train", "undivided", "unlabeled")
LEDGER = pa.schema(
    [
        ("task", pa.string()),
        ("split", pa.string()),
        ("file", pa.string()),
        ("line", pa.int64()),
        ("post_id", pa.string()),
        ("fate", pa.string()),  # kept, rejected or decoy
        ("reason", pa.string()),  # of a rejection, else null
        ("note", pa.string()),  # what was changed or assumed, else null
    ]
)
# What Reddit shows for a post that is gone, such as [deleted] or [ Removed by Reddit ].
REMOVED = re.compile(r"\[\s*(deleted|removed)(\s+by\s+[\w ]+)?\s*\]", re.I)

_RECORD = ["split", "file", "line", "post_id", "text", "keyword", "label", "platform", "note"]
# 27, but not 270, 27.5 or the cents of 8.27.
_TWO_DIGITS = re.compile(r"(?<![\d.,])\d\d(?!\d|[.,]\d)")
# Ids that a spreadsheet or a data frame has rounded: 1.29E+18, 1,29e18, 1290000000000000000.0.
_ROUNDED_ID = re.compile(r"\d+([.,]\d+)?[eE]\+?\d+|\d{16,}[.,]0+")
_FLOAT_ID = re.compile(r"(\d{1,15})[.,]0+")  # 123.0, which is 123
LOSS = 0.1  # the share of a split that may be rejected for one reason
# Rows that a task or a spreadsheet leaves out on purpose are no loss.
WANTED_LOSSES = ("not selected", "no id and no text")


@dataclass(frozen=True)
class ListedLabel:
    """A label that is positive if `among` is one of the values listed in a column."""

    column: str
    among: str
    separator: str | None = None  # between the values; default: white space


# The name of a column, or several names, of which the first that the file has is read.
Column = str | list[str] | ListedLabel


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which posts of a pool are read."""

    two_digit_number: bool = False
    min_words: int = 0
    max_words: int | None = None


@dataclass(frozen=True, kw_only=True)
class SplitFiles:
    """The files of one split, as a task file describes them.

    A split that `divide` makes has no files.
    """

    columns: dict[str, Column] = field(default_factory=dict)  # ours -> the file's
    file: str | None = None
    files: str | list[str] | None = None  # several files or a pattern
    gold: str | None = None  # a file of labels
    labels_file: str | None = None  # a file with the label of each line of a text file
    encoding: str | None = None  # default: it is found
    sheet: str | None = None  # of a workbook; default: the first with cells
    delimiter: str | None = None  # default: a comma, or a tab in TSV files
    quotes: str | None = None  # csv or none; default: none in TSV files, else csv
    platform: str | None = None  # default: the task's
    window: int | None = None  # the number of words that are kept of a post; default: all
    select: Selection = Selection()

    @property
    def patterns(self) -> list[str]:
        """The names of its files, which may be glob patterns."""
        return _as_list(self.file if self.files is None else self.files)


@dataclass(frozen=True, kw_only=True)
class Division(SplitFiles):
    """A single file that is divided into splits."""

    from_: str
    # The share of the posts in each split, or the values of the column `split` that belong to it.
    parts: dict[str, float | str | list[str]]
    seed: int = 0

    @property
    def patterns(self) -> list[str]:
        """The name of its single file."""
        return [self.from_]


@dataclass(frozen=True, kw_only=True)
class CleanOptions:
    """The options by which the raw files of a task are read."""

    task: str
    labels: list[dict[str, str | int]]  # name and value, in class order
    splits: dict[str, SplitFiles | None]
    clean: list[str] = field(default_factory=lambda: list(DEFAULT_STEPS))  # steps, in order
    platform: str | None = None
    source: str | None = None  # who distributes the files
    divide: Division | None = None
    most_train: int | None = None  # the most posts of train that the study reads; default: all
    allow_loss: float = LOSS  # the share of a split that may be lost for one reason
    # The size of each file. It stands in the spec so that a changed file is cleaned again.
    bytes: dict[str, int] | None = None


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


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def find_column(wanted: Column | None, columns: Sequence[str], name: str, task: str) -> str | None:
    """Return the first of the wanted names that is a column of a file, or None if `wanted` is None.

    Raise `ValueError` with the columns of the file if it has none of them, or has one twice.
    """
    if wanted is None:
        return None
    names = _as_list(wanted.column if isinstance(wanted, ListedLabel) else wanted)
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


def _path(folder: Path | str, name: str, body: SplitFiles, options: CleanOptions) -> Path:
    """Return the path of a raw file.

    Raise `FileNotFoundError` with the name, the expected columns and the source if it is missing.
    """
    path = Path(folder) / name
    if path.is_file():
        return path
    names = [
        " or ".join(_as_list(c.column if isinstance(c, ListedLabel) else c))
        for c in body.columns.values()
    ]
    source = f"; {options.source.rstrip('.')}" if options.source else ""
    raise FileNotFoundError(
        f"{name} is not in {folder}; expected are the columns {', '.join(names)}{source}."
    )


def _names(folder: Path | str, body: SplitFiles) -> list[str]:
    """Return the names of a split's raw files, sorted, with patterns expanded in the folder."""
    names = []
    for pattern in body.patterns:
        matches = sorted(glob.glob(pattern, root_dir=folder)) if glob.has_magic(pattern) else []
        names += matches or [pattern]
    return names


def _layout(folder: Path | str, body: SplitFiles) -> Layout:
    """Return how the files of a split are written."""
    paired = None if body.labels_file is None else str(Path(folder) / body.labels_file)
    return Layout(body.encoding, body.sheet, body.delimiter, body.quotes, paired)


def _columns(body: SplitFiles) -> dict[str, Column]:
    """Return how the files of a split name their columns."""
    return body.columns or {"text": "text", "label": "label"}


def _wanted(columns: Iterable[Column]) -> list[str]:
    """Return all names of columns that are read, to find them inside nested JSON."""
    return [
        name
        for column in columns
        for name in _as_list(column.column if isinstance(column, ListedLabel) else column)
    ]


def _gold_labels(
    folder: Path | str, body: SplitFiles, options: CleanOptions
) -> dict[str, int] | None:
    """Return the class code of each post_id in the gold file of a split.

    None if the split has no gold file or the file does not exist.
    """
    name = body.gold
    if name is None or not (Path(folder) / name).is_file():
        return None
    wanted = body.columns
    columns, rows = read_raw_rows(
        Path(folder) / name, name, _layout(folder, body), _wanted(wanted.values())
    )
    id_column, label_column = (
        find_column(wanted[key], columns, name, options.task) for key in ("id", "label")
    )
    codes, gold = label_codes(options.labels), {}
    for line, row in rows:
        post_id = _post_id(row.get(id_column))
        where = f"{name}, line {line}, column {label_column}"
        code = label_code(row.get(label_column), codes, wanted["label"], where, set())
        if post_id in gold or post_id in NOTHING or code is None:
            raise ValueError(f"{name}, line {line}: a gold row needs an id of its own and a label.")
        gold[post_id] = code
    return gold


def _post_id(value: Any) -> str:
    """Return an id as text; a data frame may write 123 as 123.0."""
    text = value.strip() if isinstance(value, str) else ""
    return _FLOAT_ID.sub(r"\1", text) if _FLOAT_ID.fullmatch(text) else text


def _rejection(post: Mapping[str, Any], row: Row, select: Selection, labelled: bool) -> str | None:
    """Return why a row cannot be a post, or None if it can."""
    if isinstance(row.get(None), Other):
        return "a number of too many digits"
    if None in row:
        return "more cells than columns"
    if post["post_id"] in NOTHING:
        return "no id" if post["text"] else "no id and no text"
    if not post["text"]:
        return "no text"
    if REMOVED.fullmatch(post["text"]):
        return "text removed"
    if labelled and post["label"] is None:
        return "no label"
    if not is_selected(post["text"], select):
        return "not selected"
    return None


def _file_rows(
    path: Path,
    name: str,
    split: str,
    body: SplitFiles,
    options: CleanOptions,
    gold: Mapping[str, int] | None,
    folder: Path | str,
    notes: list[str],
    seen: set[str],
    cleaner: Cleaner,
) -> Iterator[dict[str, Any]]:
    """Yield one record a raw row: what became of it, and the post that it holds."""
    wanted = _columns(body)
    columns, rows = read_raw_rows(
        path, name, _layout(folder, body), _wanted(wanted.values()), notes
    )
    from_file = [key for key in wanted if key != "label" or body.gold is None]
    at = {key: find_column(wanted[key], columns, name, options.task) for key in from_file}
    codes = label_codes(options.labels)
    labelled = "label" in at
    for line, row in rows:
        cell = {key: row.get(column) for key, column in at.items()}
        strange = next(
            (
                f"{key} is {value.kind}"
                for key, value in cell.items()
                if isinstance(value, Other)
                and not (key == "label" and isinstance(wanted[key], ListedLabel))
            ),
            None,
        )
        cell = {
            key: value if key == "label" else "" if isinstance(value, Other) else value or ""
            for key, value in cell.items()
        }
        text = cleaner.clean(cell["text"])
        if text and not REMOVED.fullmatch(text) and "title" in cell:
            text = f"{cleaner.clean(cell['title'])} {text}".strip()
        post: dict[str, Any] = {
            "post_id": _post_id(cell["id"]) if "id" in at else f"{name}:{line}",
            "text": text,
            "keyword": cleaner.clean(cell.get("keyword")) or None,
            "label": None,
            "platform": str(cell.get("source", "")).strip().lower()
            or body.platform
            or options.platform,
            "part": str(cell.get("split", "")).strip(),
            "note": None,
        }
        if labelled and strange is None:
            where = f"{name}, line {line}, column {at['label']}"
            # A row without id or text comes from the spreadsheet itself (a sum, a note), so its
            # label is not read.
            is_post = text and post["post_id"] not in NOTHING and None not in row
            code = (
                label_code(cell["label"], codes, wanted["label"], where, seen) if is_post else None
            )
            post["label"] = code
        reason = strange or _rejection(post, row, body.select, labelled)
        if body.window is not None:
            post["text"] = " ".join(text.split()[: body.window])
        fate = "rejected" if reason else "kept"
        if gold is not None and not reason:
            fate = "kept" if post["post_id"] in gold else "decoy"
            post["label"] = gold.get(post["post_id"])
        yield {"split": split, "file": name, "line": line, **post, "fate": fate, "reason": reason}


def _replace_rounded_ids(records: Sequence[dict[str, Any]], notes: list[str]) -> None:
    """Name the posts of one file whose ids were rounded by a spreadsheet by file and line.

    An id of more than 15 digits that ends in zeros counts as rounded if most of the long ids of
    its file do.
    """
    digits = [
        record["post_id"] for record in records if re.fullmatch(r"\d{16,}", record["post_id"])
    ]
    ending = {id for id in digits if not id[15:].strip("0")}
    are_rounded = len([id for id in digits if id in ending]) > len(digits) / 2
    count = 0
    for record in records:
        id = record["post_id"]
        if _ROUNDED_ID.fullmatch(id) or (are_rounded and id in ending):
            record["post_id"] = f"{record['file']}:{record['line']}"
            record["note"] = "its id was rounded"
            count += 1
    if count:
        notes.append(
            f"{records[0]['file']}: {count} ids were rounded by a spreadsheet or a data frame; "
            "these posts are named by file and line"
        )


def _settle_repeated_ids(records: Sequence[dict[str, Any]], notes: list[str]) -> None:
    """Decide which of the kept rows that share an id are one post.

    Rows of different files whose texts differ are different posts: ids may begin anew in each file.
    Their ids get the name of the split, or of the file if several files of a split share the id.
    Otherwise the first row of the split that comes first in `CLAIMS` is kept, and the others are
    rejected. Decoys claim no id.
    """
    groups: dict[str, list[dict[str, Any]]] = {}
    for record in sorted(records, key=lambda record: CLAIMS.index(record["split"])):
        if record["fate"] == "kept":
            groups.setdefault(record["post_id"], []).append(record)
    renamed = 0
    for id, group in groups.items():
        places = {(record["split"], record["file"]) for record in group}
        texts = {normalize_text(record["text"]) for record in group} if len(places) > 1 else set()
        owners: dict[tuple[str, ...], dict[str, Any]] = {}
        splits = [split for split, _ in places]
        for record in group:
            # By what a row is the same post as an earlier one. The words keep texts, places and
            # ids apart: a text may be a number, too.
            keys = (
                [
                    ("text", normalize_text(record["text"])),
                    ("place", record["split"], record["file"]),
                ]
                if len(texts) > 1
                else [("id", id)]
            )
            owner = next((owners[key] for key in keys if key in owners), None)
            if owner is None:
                owners |= dict.fromkeys(keys, record)
                if len(texts) > 1:
                    is_only_file = splits.count(record["split"]) == 1
                    name = record["split"] if is_only_file else record["file"]
                    record["post_id"] = f"{name}:{id}"
                    record["note"] = f"its id is {id}, as that of another post"
                    renamed += 1
            else:
                same = owner["split"] == record["split"]
                record["fate"] = "rejected"
                record["reason"] = "repeated id" if same else f"id also in {owner['split']}"
    if renamed:
        notes.append(
            f"{renamed} posts share their ids with other posts in other files; their ids begin "
            "with the name of the split or the file"
        )


def _check_losses(records: Sequence[dict[str, Any]], options: CleanOptions) -> None:
    """Raise `ValueError` if too many rows of a split are rejected for one reason."""
    for split in CLAIMS:
        rows = [record for record in records if record["split"] == split]
        reasons = Counter(record["reason"] for record in rows if record["fate"] == "rejected")
        for wanted in WANTED_LOSSES:
            reasons.pop(wanted, None)
        if reasons and max(reasons.values()) > options.allow_loss * len(rows):
            losses = ", ".join(f"{count} for {reason!r}" for reason, count in reasons.most_common())
            share = max(reasons.values()) / len(rows)
            raise ValueError(
                f"{options.task}: of {len(rows)} rows of {split}, posts would be lost: {losses}. "
                "Correct the files, or `columns` in the task file; if this loss is right, write "
                f"allow_loss: {math.ceil(share * 100) / 100:g} in config/tasks/{options.task}.yaml."
            )


def split_posts(
    texts: Sequence[str], labels: Sequence[Any], parts: Mapping[str, float], seed: int
) -> list[str]:
    """Return the split of each post, stratified by label and drawn with a seed.

    Posts whose normalised texts are equal go to one split, which is drawn by the label of the first
    of them. Each class fills the splits in the order of their size, the smallest first, so that the
    largest takes what rounding leaves.

    Parameters
    ----------
    texts, labels
        The texts and the labels of n posts.
    parts
        The share of the posts that each split gets.
    seed
        The seed of the draw.

    Returns
    -------
    list of str
        The n names of the splits.
    """
    first: dict[str, int] = {}
    members: dict[int, list[int]] = {}
    for i, text in enumerate(map(normalize_text, texts)):
        members.setdefault(first.setdefault(text, i), []).append(i)
    part_of = [""] * len(texts)
    order = sorted(parts, key=lambda name: parts[name])
    for label in sorted({labels[i] for i in members}):
        groups = [members[i] for i in members if labels[i] == label]
        random.Random(f"{seed} {label}").shuffle(groups)
        size, placed, bound, k = sum(map(len, groups)), 0, 0.0, -1
        for group in groups:
            while placed >= round(bound) and k + 1 < len(order):
                k += 1
                bound += size * parts[order[k]]
            for i in group:
                part_of[i] = order[k]
            placed += len(group)
    return part_of


def _divide(records: Sequence[dict[str, Any]], division: Division) -> None:
    """Give each kept post of a divided file its split, by the column `split` or by a draw."""
    whole = [record for record in records if record["split"] == "undivided"]
    if "split" in division.columns:
        split_of = {
            value.casefold(): split
            for split, values in division.parts.items()
            for value in _as_list(values)
        }
        for record in whole:
            split = split_of.get(record["part"].casefold())
            if split is not None:
                record["split"] = split
            elif record["fate"] == "kept":
                record["fate"], record["reason"] = "rejected", "of no split"
        return
    kept = [record for record in whole if record["fate"] == "kept"]
    texts, labels = ([record[key] for record in kept] for key in ("text", "label"))
    shares = {split: float(str(share)) for split, share in division.parts.items()}
    for record, part in zip(kept, split_posts(texts, labels, shares, division.seed), strict=True):
        record["split"] = part


def _leave_out(table: pd.DataFrame, most: int) -> None:
    """Reject the posts of train beyond the `most` posts that are drawn by their ids.

    The posts of a smaller number are a subset of those of a larger one.
    """
    train = table[(table["fate"] == "kept") & (table["split"] == "train")]
    left = train.index[~train["post_id"].isin(first_by_hash(train, most)["post_id"])]
    table.loc[left, ["fate", "reason"]] = (
        "rejected",
        f"left out: the study reads {most} train posts",
    )


def clean_corpus(
    options: CleanOptions, folder: Path | str, cleaner: Cleaner, notes: list[str] | None = None
) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """Read all posts of a task, and record what became of each raw row.

    Parameters
    ----------
    options
        The options by which the raw files are read.
    folder
        The folder of the raw files.
    cleaner
        Cleans the texts, titles and keywords, and counts what its steps changed.
    notes
        Gets a sentence for each thing that is changed or assumed.

    Returns
    -------
    splits
        The posts of each split in `SPLITS`.
    ledger
        One row a raw row, with the columns of `LEDGER`.

    Raises
    ------
    FileNotFoundError
        If a raw file is missing.
    ValueError
        If a file cannot be read as the task file says, or if too many rows are lost.
    """
    notes = [] if notes is None else notes
    records: list[dict[str, Any]] = []
    bodies = {split: body for split, body in options.splits.items() if body and body.patterns}
    if options.divide:
        bodies["undivided"] = options.divide
    names = {split: _names(folder, body) for split, body in bodies.items()}
    paths = {
        (split, name): _path(folder, name, body, options)
        for split, body in bodies.items()
        for name in names[split]
    }
    listed: dict[ListedLabel, set[str]] = {}
    for split, body in bodies.items():
        gold = _gold_labels(folder, body, options)
        label = _columns(body).get("label")
        seen = listed.setdefault(label, set()) if isinstance(label, ListedLabel) else set()
        unfound = set(gold or ())
        for name in names[split]:
            file_records = list(
                _file_rows(
                    paths[split, name],
                    name,
                    split,
                    body,
                    options,
                    gold,
                    folder,
                    notes,
                    seen,
                    cleaner,
                )
            )
            unfound -= {record["post_id"] for record in file_records}
            _replace_rounded_ids(file_records, notes)
            are_lost = all(record["fate"] == "rejected" for record in file_records)
            if file_records and are_lost and split != "unlabeled":
                raise ValueError(
                    f"{name}: none of its {len(file_records)} rows is a post; the first: "
                    f"{file_records[0]['reason']}."
                )
            records += file_records
        if unfound:
            raise ValueError(
                f"{body.gold}: {len(unfound)} of its {len(gold or ())} ids do not occur in "
                f"{', '.join(names[split])}; both must come from the same release."
            )
    for label, seen in listed.items():
        if label.among.strip() not in seen:
            raise ValueError(
                f"{options.task}: no row has {label.among!r} in its column {label.column}; correct "
                f"`among` or `separator` in config/tasks/{options.task}.yaml."
            )
    rows_in = len(records)
    if options.divide and "split" in options.divide.columns:
        _divide(records, options.divide)
    _settle_repeated_ids(records, notes)
    _check_losses(records, options)
    if options.divide and "split" not in options.divide.columns:
        _divide(records, options.divide)
    table = pd.DataFrame(records, columns=[*_RECORD, "fate", "reason"]).assign(task=options.task)
    # This happens here, so that audit, folds and class priors all see the same posts.
    if options.most_train is not None:
        _leave_out(table, options.most_train)
    kept = table[table["fate"] == "kept"]
    splits = {}
    for split in SPLITS:
        origin = "pool" if split == "unlabeled" else "gold"
        splits[split] = kept[kept["split"] == split].assign(origin=origin)
        splits[split]["label"] = splits[split]["label"].astype("Int64")
    ledger = table[LEDGER.names].replace({"post_id": {"": None}})
    decoys, rejected = (int((ledger["fate"] == fate).sum()) for fate in ("decoy", "rejected"))
    if rows_in != sum(map(len, splits.values())) + rejected + decoys:
        raise RuntimeError(
            f"{options.task}: {rows_in} rows in, but not as many kept, rejected or decoys."
        )
    return splits, ledger
