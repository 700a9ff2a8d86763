"""From the raw rows of a corpus to posts, and a ledger in which every raw row has its fate.

rows in = kept + rejected + decoys, checked on every run. A row that alone is bad is rejected with a
reason; a file that cannot be trusted (no such column, a label outside the task) ends the run.
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

from postgrad.corpus.readers import Row, raw_rows, shown
from postgrad.corpus.text_forms import normalized
from postgrad.records.names import SPLITS
from postgrad.records.posts import first_by_hash

CLAIMS = (
    "test",
    "cross",
    "dev",
    "train",
    "undivided",
    "unlabeled",
)  # who keeps an id that two splits hold
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
# What spreadsheets and data frames write where there is nothing.
NOTHING = {"", "nan", "NaN", "#VALUE!", "#N/A", "#REF!", "#NAME?"}
REMOVED = {"[deleted]", "[removed]"}  # Reddit's words for a post that is gone

_RECORD = ["split", "file", "line", "post_id", "text", "keyword", "label", "platform"]
_SPACE = re.compile(r"\s+")
_UNSEEN = "\u200b\u200c\u200d\u2060\ufeff\ufe0f "
_CONTROL = dict.fromkeys(
    code
    for code in [*range(0x20), *range(0x7F, 0xA0), 0xFEFF, *range(0xD800, 0xE000)]
    if not chr(code).isspace()
)  # C0, C1, a BOM in mid-text, and halves of surrogate pairs, which UTF-8 cannot hold
_TWO_DIGITS = re.compile(
    r"(?<![\d.,])\d\d(?!\d|[.,]\d)"
)  # 27, but not 270, 27.5 or the cents of 8.27
_DAMAGED_ID = re.compile(r"\d(\.\d+)?[eE]\+\d+")  # 1.29E+18: a spreadsheet has rounded the id away


@dataclass(frozen=True)
class Among:
    """A label that is positive if `among` is one of the values of a column."""

    column: str
    among: str
    separator: str | None = None  # between the values; default: white space


Column = (
    str | list[str] | Among
)  # a column's name, or several names of which the first that is there counts


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which posts of a pool are read."""

    two_digit_number: bool = False
    min_words: int = 0
    max_words: int | None = None


@dataclass(frozen=True, kw_only=True)
class SplitFiles:
    """The files of one split, as a task file describes them; none where `divide` cuts the split."""

    columns: dict[str, Column] = field(default_factory=dict)  # ours -> the file's
    file: str | None = None
    files: str | list[str] | None = None  # several files or a pattern
    gold: str | None = None  # a file of labels
    encoding: str = "utf-8"
    sheet: str | None = None  # of a spreadsheet; default: its only one
    platform: str | None = None  # default: the task's
    window: int | None = None  # so many first words of a post count; default: all
    select: Selection = Selection()

    @property
    def patterns(self) -> list[str]:
        """The names of its files, which may be patterns."""
        return _as_list(self.file if self.files is None else self.files)


@dataclass(frozen=True, kw_only=True)
class Division(SplitFiles):
    """One file that is cut into splits."""

    from_: str
    parts: dict[str, float]  # split -> share of the posts
    seed: int

    @property
    def patterns(self) -> list[str]:
        return [self.from_]


@dataclass(frozen=True, kw_only=True)
class CleanOptions:
    """How the raw files of a task are read."""

    task: str
    labels: list[dict[str, str | int]]  # name and value, in class order
    splits: dict[str, SplitFiles | None]
    platform: str | None = None
    source: str | None = None  # who hands the files out
    divide: Division | None = None
    most_train: int | None = None  # the most posts of train that the study reads; default: all
    bytes: dict[str, int] | None = (
        None  # file -> its size, which tells a new file; nothing here reads it
    )


def cleaned_text(text: str | None) -> str:
    """A post as models read it: entities resolved, NFC, no control characters, white space as one
    blank.

    Mentions, links, emoji and case stay. A text of nothing visible becomes empty.
    """
    text = unicodedata.normalize("NFC", html.unescape(text or ""))
    text = _SPACE.sub(" ", text.translate(_CONTROL)).strip()
    return text if text.strip(_UNSEEN) and text not in NOTHING else ""


def selected(text: str, select: Selection) -> bool:
    """Whether a pool post is read."""
    words = len(text.split())
    long_enough = (
        select.min_words <= words <= (words if select.max_words is None else select.max_words)
    )
    return long_enough and (not select.two_digit_number or bool(_TWO_DIGITS.search(text)))


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _column(wanted: Column | None, columns: Sequence[str], name: str, task: str) -> str | None:
    """The first of the wanted names that stands in a file.

    None gives None.
    Raises ValueError with the columns that are there.
    """
    if isinstance(wanted, Among):
        wanted = wanted.column
    for column in _as_list(wanted):
        if column in columns:
            return column
    if wanted is None:
        return None
    raise ValueError(
        f"{name}, line 1: no column {' or '.join(_as_list(wanted))}; the file has {shown(columns)}; "
        f"name the right one under `columns` in config/tasks/{task}.yaml."
    )


def _codes(labels: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Class code of each label value, the value as a string."""
    return {str(label["value"]): code for code, label in enumerate(labels)}


def _code(value: str | None, codes: Mapping[str, int], wanted: Column, where: str) -> int | None:
    """The class code of a cell, or None where it is empty.

    Raises ValueError, and does not show the value.
    """
    value = (value or "").strip()
    if value in NOTHING:
        return None
    if isinstance(wanted, Among):
        return int(wanted.among in value.split(wanted.separator))
    value = (
        value if value in codes else re.sub(r"\.0+$", "", value)
    )  # 1.0: a data frame's way to write 1
    if value not in codes:
        raise ValueError(
            f"{where}: the value is not a label of the task ({', '.join(codes)}); "
            "correct the row, or the labels in the task file."
        )
    return codes[value]


def _path(folder: Path | str, name: str, body: SplitFiles, options: CleanOptions) -> Path:
    """The path of a raw file.

    Raises FileNotFoundError: name, columns expected, who hands it out.
    """
    path = Path(folder) / name
    if path.is_file():
        return path
    names = [
        " or ".join(_as_list(c.column if isinstance(c, Among) else c))
        for c in body.columns.values()
    ]
    source = f"; {options.source.rstrip('.')}" if options.source else ""
    raise FileNotFoundError(
        f"{name} is not in {folder}; expected are the columns {', '.join(names)}{source}."
    )


def _names(folder: Path | str, body: SplitFiles) -> list[str]:
    """The raw files of a split, relative to the folder, patterns filled in and sorted."""
    names = []
    for pattern in body.patterns:
        found = sorted(glob.glob(pattern, root_dir=folder)) if glob.has_magic(pattern) else []
        names += found or [pattern]
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
    columns, rows = raw_rows(Path(folder) / name, name, body.encoding)
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
    """Why a row alone is no post, or None."""
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
    if not selected(post["text"], select):
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
    """One record a raw row: its fate, and the post that it holds."""
    columns, rows = raw_rows(path, name, body.encoding, body.sheet)
    wanted = body.columns
    from_file = [key for key in wanted if key != "label" or body.gold is None]
    at = {key: _column(wanted[key], columns, name, options.task) for key in from_file}
    codes = _codes(options.labels)
    labelled = "label" in at
    for line, row in rows:
        cell = {key: row.get(column) or "" for key, column in at.items()}
        text = cleaned_text(cell["text"])
        if text and text not in REMOVED and "title" in cell:
            text = f"{cleaned_text(cell['title'])} {text}".strip()
        post: dict[str, Any] = {
            "post_id": cell["id"].strip()
            if "id" in at
            else f"{Path(name).name.partition('.')[0]}-{line}",
            "text": text,
            "keyword": cleaned_text(cell.get("keyword")) or None,
            "label": None,
            "platform": cell.get("source", "").strip().lower() or body.platform or options.platform,
        }
        if labelled:
            where = f"{name}, line {line}, column {at['label']}"
            # A row without id or text is a spreadsheet's own: whatever stands in its label column
            # is none.
            beside = text and post["post_id"] not in NOTHING and None not in row
            post["label"] = _code(cell["label"], codes, wanted["label"], where) if beside else None
        reason = _rejection(post, row, body.select, labelled)
        if body.window is not None:
            post["text"] = " ".join(text.split()[: body.window])
        fate = "rejected" if reason else "kept"
        if gold is not None and not reason:
            fate = "kept" if post["post_id"] in gold else "decoy"
            post["label"] = gold.get(post["post_id"])
        yield {"split": split, "file": name, "line": line, **post, "fate": fate, "reason": reason}


def _reject_repeated_ids(records: Sequence[dict[str, Any]]) -> None:
    """Of the rows that share an id, the first of the split that comes first in CLAIMS stands.

    Decoys claim none.
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


def divided(
    texts: Sequence[str], labels: Sequence[Any], parts: Mapping[str, float], seed: int
) -> list[str]:
    """The part of each post: stratified by label, by lot from the seed, equal texts (normalised)
    together.

    parts: {name: share}; each class fills the parts in the order of their size, smallest first, so
    that the largest takes what rounding leaves. Duplicates follow the label of the first of them.
    """
    first: dict[str, int] = {}
    members: dict[int, list[int]] = {}
    for i, text in enumerate(map(normalized, texts)):
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
        whole, divided(texts, labels, division.parts, division.seed), strict=True
    ):
        record["split"] = part


def _leave_out(table: pd.DataFrame, most: int) -> None:
    """Reject what stands in train beyond `most` posts, drawn by their ids.

    A smaller number is a subset of a larger.
    """
    train = table[(table["fate"] == "kept") & (table["split"] == "train")]
    left = train.index[~train["post_id"].isin(first_by_hash(train, most)["post_id"])]
    table.loc[left, ["fate", "reason"]] = (
        "rejected",
        f"left out: the study reads {most} train posts",
    )


def corpus(
    options: CleanOptions, folder: Path | str
) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """All posts of a task and the ledger of its raw rows.

    folder: where the raw files lie. Returns ({split: posts} with all of SPLITS, ledger). Raises
    FileNotFoundError for a raw file that is not there, ValueError for one that cannot be read as
    the task file says.
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
        found = list(_file_rows(path, name, split, body, options, gold))
        unfound = set(gold or ()) - {record["post_id"] for record in found}
        if unfound:
            raise ValueError(
                f"{body.gold}: {len(unfound)} of its {len(gold or ())} ids stand nowhere in {name}; "
                "both must come from the same release."
            )
        records += found
        rows_in += len(found)
    _reject_repeated_ids(records)
    for split, _, name in files:
        found = [
            record for record in records if record["file"] == name and record["split"] == split
        ]
        if found and split != "unlabeled" and all(record["fate"] == "rejected" for record in found):
            raise ValueError(
                f"{name}: none of its {len(found)} rows is a post; the first: {found[0]['reason']}."
            )
    if options.divide:
        _divide(records, options.divide)
    table = pd.DataFrame(records, columns=[*_RECORD, "fate", "reason"]).assign(task=options.task)
    if (
        options.most_train is not None
    ):  # here, so that audit, folds and priors all see the same posts
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
