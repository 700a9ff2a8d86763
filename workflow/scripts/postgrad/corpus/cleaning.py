"""Turn the raw rows of a corpus into posts, and record in a ledger what became of every raw row.

Every run checks that the rows read are as many as those kept, rejected and decoys together. A bad
row is rejected with a reason. A file that cannot be trusted (a missing column, a label that the
task does not have) ends the run.
"""

import glob
import html
import random
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from postgrad.corpus.readers import Row, column_list, read_raw_rows
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
    ]
)
# What spreadsheets and data frames write into an empty cell.
NOTHING = {"", "nan", "NaN", "#VALUE!", "#N/A", "#REF!", "#NAME?"}
REMOVED = {"[deleted]", "[removed]"}  # what Reddit shows for a deleted post

_RECORD = ["split", "file", "line", "post_id", "text", "keyword", "label", "platform"]
_SPACE = re.compile(r"\s+")
_UNSEEN = "\u200b\u200c\u200d\u2060\ufeff\ufe0f "
# C0, C1, a BOM inside the text, and halves of surrogate pairs, which UTF-8 cannot hold.
_CONTROL = dict.fromkeys(
    code
    for code in [*range(0x20), *range(0x7F, 0xA0), 0xFEFF, *range(0xD800, 0xE000)]
    if not chr(code).isspace()
)
# 27, but not 270, 27.5 or the cents of 8.27.
_TWO_DIGITS = re.compile(r"(?<![\d.,])\d\d(?!\d|[.,]\d)")
_DAMAGED_ID = re.compile(r"\d(\.\d+)?[eE]\+\d+")  # 1.29E+18: a spreadsheet has rounded the id away


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
    encoding: str = "utf-8"
    sheet: str | None = None  # of a spreadsheet; default: its only one
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
    parts: dict[str, float]  # split -> share of the posts
    seed: int

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
    platform: str | None = None
    source: str | None = None  # who distributes the files
    divide: Division | None = None
    most_train: int | None = None  # the most posts of train that the study reads; default: all
    # The size of each file. It stands in the spec so that a changed file is cleaned again.
    bytes: dict[str, int] | None = None


def clean_text(text: str | None) -> str:
    r"""Return the text of a post in the form in which it is stored.

    HTML entities are resolved, the text is brought to NFC, control characters are removed, and
    white space is reduced to single blanks. Mentions, links, emoji and case stay as they are. A
    text without a visible character becomes the empty string.

    Examples
    --------
    >>> clean_text("  fever &amp; chills\n")
    'fever & chills'
    """
    text = unicodedata.normalize("NFC", html.unescape(text or ""))
    text = _SPACE.sub(" ", text.translate(_CONTROL)).strip()
    return text if text.strip(_UNSEEN) and text not in NOTHING else ""


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


def _column(wanted: Column | None, columns: Sequence[str], name: str, task: str) -> str | None:
    """Return the first of the wanted names that is a column of a file, or None if `wanted` is None.

    Raise `ValueError` with the columns of the file if it has none of them.
    """
    if isinstance(wanted, ListedLabel):
        wanted = wanted.column
    for column in _as_list(wanted):
        if column in columns:
            return column
    if wanted is None:
        return None
    raise ValueError(
        f"{name}, line 1: no column {' or '.join(_as_list(wanted))}; the file has "
        f"{column_list(columns)}; name the right one under `columns` in config/tasks/{task}.yaml."
    )


def _codes(labels: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Return the class code of each label value, with the values as strings."""
    return {str(label["value"]): code for code, label in enumerate(labels)}


def _code(value: str | None, codes: Mapping[str, int], wanted: Column, where: str) -> int | None:
    """Return the class code of a cell, or None if the cell is empty.

    Raise `ValueError`, which does not show the value, if it is no label of the task.
    """
    value = (value or "").strip()
    if value in NOTHING:
        return None
    if isinstance(wanted, ListedLabel):
        return int(wanted.among in value.split(wanted.separator))
    # A data frame may write the label 1 as 1.0.
    value = value if value in codes else re.sub(r"\.0+$", "", value)
    if value not in codes:
        raise ValueError(
            f"{where}: the value is not a label of the task ({', '.join(codes)}); "
            "correct the row, or the labels in the task file."
        )
    return codes[value]


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


def _gold_labels(
    folder: Path | str, body: SplitFiles, options: CleanOptions
) -> dict[str, int] | None:
    """Return the class code of each post_id in the gold file of a split.

    None if the split has no gold file or the file does not exist.
    """
    name = body.gold
    if name is None or not (Path(folder) / name).is_file():
        return None
    columns, rows = read_raw_rows(Path(folder) / name, name, body.encoding)
    wanted = body.columns
    id_column, label_column = (
        _column(wanted[key], columns, name, options.task) for key in ("id", "label")
    )
    codes, gold = _codes(options.labels), {}
    for line, row in rows:
        post_id = (row.get(id_column) or "").strip()
        code = _code(
            row.get(label_column),
            codes,
            wanted["label"],
            f"{name}, line {line}, column {label_column}",
        )
        if post_id in gold or post_id in NOTHING or code is None:
            raise ValueError(f"{name}, line {line}: a gold row needs an id of its own and a label.")
        gold[post_id] = code
    return gold


def _rejection(post: Mapping[str, Any], row: Row, select: Selection, labelled: bool) -> str | None:
    """Return why a row cannot be a post, or None if it can."""
    if None in row:
        return "more cells than columns"
    if post["post_id"] in NOTHING:
        return "no id"
    if _DAMAGED_ID.fullmatch(post["post_id"]):
        return "id rounded by a spreadsheet"
    if not post["text"]:
        return "no text"
    if post["text"] in REMOVED:
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
) -> Iterator[dict[str, Any]]:
    """Yield one record a raw row: what became of it, and the post that it holds."""
    columns, rows = read_raw_rows(path, name, body.encoding, body.sheet)
    wanted = body.columns
    from_file = [key for key in wanted if key != "label" or body.gold is None]
    at = {key: _column(wanted[key], columns, name, options.task) for key in from_file}
    codes = _codes(options.labels)
    labelled = "label" in at
    for line, row in rows:
        cell = {key: row.get(column) or "" for key, column in at.items()}
        text = clean_text(cell["text"])
        if text and text not in REMOVED and "title" in cell:
            text = f"{clean_text(cell['title'])} {text}".strip()
        post: dict[str, Any] = {
            "post_id": cell["id"].strip()
            if "id" in at
            else f"{Path(name).name.partition('.')[0]}-{line}",
            "text": text,
            "keyword": clean_text(cell.get("keyword")) or None,
            "label": None,
            "platform": cell.get("source", "").strip().lower() or body.platform or options.platform,
        }
        if labelled:
            where = f"{name}, line {line}, column {at['label']}"
            # A row without id or text comes from the spreadsheet itself (a sum, a note), so its
            # label is not read.
            is_post = text and post["post_id"] not in NOTHING and None not in row
            post["label"] = _code(cell["label"], codes, wanted["label"], where) if is_post else None
        reason = _rejection(post, row, body.select, labelled)
        if body.window is not None:
            post["text"] = " ".join(text.split()[: body.window])
        fate = "rejected" if reason else "kept"
        if gold is not None and not reason:
            fate = "kept" if post["post_id"] in gold else "decoy"
            post["label"] = gold.get(post["post_id"])
        yield {"split": split, "file": name, "line": line, **post, "fate": fate, "reason": reason}


def _reject_repeated_ids(records: Sequence[dict[str, Any]]) -> None:
    """Of the kept rows that share an id, keep the first of the split that comes first in `CLAIMS`.

    Decoys claim no id.
    """
    owner: dict[str, dict[str, Any]] = {}
    for record in sorted(records, key=lambda record: CLAIMS.index(record["split"])):
        if record["fate"] == "kept":
            first = owner.setdefault(record["post_id"], record)
            if first is not record:
                same = first["split"] == record["split"]
                record.update(
                    fate="rejected",
                    reason="repeated id" if same else f"id also in {first['split']}",
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
    whole = [
        record for record in records if record["split"] == "undivided" and record["fate"] == "kept"
    ]
    texts, labels = ([record[key] for record in whole] for key in ("text", "label"))
    for record, part in zip(
        whole, split_posts(texts, labels, division.parts, division.seed), strict=True
    ):
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
    options: CleanOptions, folder: Path | str
) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """Read all posts of a task, and record what became of each raw row.

    Parameters
    ----------
    options
        The options by which the raw files are read.
    folder
        The folder of the raw files.

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
        If a file cannot be read as the task file says.
    """
    records: list[dict[str, Any]] = []
    rows_in = 0
    bodies = {split: body for split, body in options.splits.items() if body and body.patterns}
    if options.divide:
        bodies["undivided"] = options.divide
    files = [(split, body, name) for split, body in bodies.items() for name in _names(folder, body)]
    paths = [_path(folder, name, body, options) for _, body, name in files]
    for (split, body, name), path in zip(files, paths, strict=True):
        gold = _gold_labels(folder, body, options)
        file_records = list(_file_rows(path, name, split, body, options, gold))
        unfound = set(gold or ()) - {record["post_id"] for record in file_records}
        if unfound:
            raise ValueError(
                f"{body.gold}: {len(unfound)} of its {len(gold or ())} ids do not occur in "
                f"{name}; both must come from the same release."
            )
        records += file_records
        rows_in += len(file_records)
    _reject_repeated_ids(records)
    for split, _, name in files:
        file_records = [
            record for record in records if record["file"] == name and record["split"] == split
        ]
        if (
            file_records
            and split != "unlabeled"
            and all(record["fate"] == "rejected" for record in file_records)
        ):
            raise ValueError(
                f"{name}: none of its {len(file_records)} rows is a post; the first: "
                f"{file_records[0]['reason']}."
            )
    if options.divide:
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
