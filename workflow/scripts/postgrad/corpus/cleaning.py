"""Turn the raw rows of a corpus into posts, and record in a ledger what became of every raw row.

Every run checks that the rows read are as many as those kept, rejected and decoys together. A bad
row is rejected with a reason. A file that cannot be trusted (a missing column, a label that the
task does not have) ends the run.

The raw files are read once. Their cleaned texts wait in a compressed scratch file while it is
settled which rows are kept (see `settling`), and are then written to their splits. So memory does
not grow with the texts.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from postgrad.corpus.clean_options import CleanOptions, ListedLabel
from postgrad.corpus.cleaning_steps import Cleaner
from postgrad.corpus.raw_posts import UNDIVIDED, RawPost, RawSplit
from postgrad.corpus.settling import (
    BY_ID,
    BY_LINE,
    BY_PREFIX,
    CLAIMS,
    FATES,
    Hashes,
    RowIndex,
    Rows,
    check_losses,
    divide,
    leave_out,
    replace_rounded_ids,
    settle_repeated_ids,
    text_hash,
)
from postgrad.corpus.text_forms import normalize_text
from postgrad.records.names import SPLITS
from postgrad.records.parquet_files import table_writer
from postgrad.records.posts import GROUPED_POSTS, POSTS, post_id_rank

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
CHUNK = 20_000  # rows that are read, or written, at a time
_SCRATCH = pa.schema([(key, pa.string()) for key in ("post_id", "text", "keyword", "platform")])
_GROUPS = GROUPED_POSTS.field("groups")


def clean_corpus(
    options: CleanOptions,
    folder: Path | str,
    cleaner: Cleaner,
    out: Path | str,
    notes: list[str] | None = None,
) -> dict[tuple[str, str, str | None], int]:
    """Read all posts of a task, and write them with a record of what became of each raw row.

    Parameters
    ----------
    options
        The options by which the raw files are read.
    folder
        The folder of the raw files.
    cleaner
        Cleans the texts, titles and keywords, and counts what its steps changed.
    out
        The folder for <split>.parquet, one file for each split in `SPLITS`, and ledger.parquet,
        which has one row a raw row with the columns of `LEDGER`.
    notes
        Gets a sentence for each thing that is changed or assumed.

    Returns
    -------
    dict
        The number of rows by split, fate and reason.

    Raises
    ------
    FileNotFoundError
        If a raw file is missing.
    ValueError
        If a file cannot be read as the task file says, or if too many rows are lost.
    """
    notes = [] if notes is None else notes
    bodies = {split: body for split, body in options.splits.items() if body and body.patterns}
    if options.divide:
        bodies[UNDIVIDED] = options.divide
    splits = [
        RawSplit(split, body, options, Path(folder), cleaner, notes)
        for split, body in bodies.items()
    ]
    for split in splits:
        split.check_files()
    scratch = Path(out).with_name(f".{Path(out).name}.scratch")
    scratch.parent.mkdir(parents=True, exist_ok=True)
    try:
        rows = CleanedRows(scratch, bool(options.groups))
        rows.read(splits)
        _check_listed_labels(splits, options.task)
        _check_groups(splits, options)
        index = rows.index
        replace_rounded_ids(index, notes)
        settle_repeated_ids(index, rows.text_hashes, notes)
        check_losses(index, options.task, options.allow_loss)
        if options.divide and "split" not in options.divide.columns:
            divide(index, rows.text_hashes, options.divide.parts, options.divide.seed)
        # This happens here, so that audit, folds and class priors all see the same posts.
        if options.most_train is not None:
            ranks = map(post_id_rank, rows.final_ids(index.kept_in("train")))
            leave_out(index, ranks, options.most_train)
        written = rows.write(out, options.task)
    finally:
        scratch.unlink(missing_ok=True)
    counts = index.count_fates()
    not_posts = sum(count for (_, fate, _), count in counts.items() if fate != "kept")
    if len(index) != written + not_posts:
        raise RuntimeError(
            f"{options.task}: {len(index)} rows in, but not as many kept, rejected or decoys."
        )
    return counts


def _check_listed_labels(splits: list[RawSplit], task: str) -> None:
    """Raise `ValueError` if the value of a `ListedLabel` occurs in no split."""
    seen: dict[ListedLabel, set[str]] = {}
    for split in splits:
        label = split.columns.get("label")
        if isinstance(label, ListedLabel):
            seen.setdefault(label, set()).update(split.listed)
    for label, values in seen.items():
        if label.among.strip() not in values:
            raise ValueError(
                f"{task}: no row has {label.among!r} in its column {label.column}; correct "
                f"`among` or `separator` in config/tasks/{task}.yaml."
            )


def _check_groups(splits: list[RawSplit], options: CleanOptions) -> None:
    """Raise `ValueError` if no file has a column that the task names under `groups`."""
    found = {column for split in splits for column in split.grouped}
    for column in options.groups:
        if column not in found:
            raise ValueError(
                f"{options.task}: no file has the column {column}; correct `groups` in "
                f"config/tasks/{options.task}.yaml."
            )


class CleanedRows:
    """The cleaned rows of all files: their texts in a scratch file, and the rest in an index.

    Parameters
    ----------
    scratch
        The path of the scratch file.
    has_groups
        Whether the posts have the column `groups`.
    """

    def __init__(self, scratch: Path, has_groups: bool) -> None:
        self.index = RowIndex()
        self._scratch = scratch
        self._scratch_schema = _SCRATCH.append(_GROUPS) if has_groups else _SCRATCH
        self._posts_schema = GROUPED_POSTS if has_groups else POSTS

    def read(self, splits: list[RawSplit]) -> None:
        """Read the files of all splits.

        Raise `ValueError` if a file holds no post, or if a gold file does not fit its split.
        """
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        schema = self._scratch_schema
        with pa.ipc.new_stream(str(self._scratch), schema, options=options) as stream:
            chunk: list[tuple[Any, ...]] = []
            for post in self._posts(splits):
                # The text of a row that is no post is not needed any more.
                text = post.text if post.fate == "kept" else None
                groups = list(post.groups.items())
                chunk.append((post.post_id, text, post.keyword, post.platform, groups))
                if len(chunk) == CHUNK:
                    stream.write_batch(_batch(chunk, schema))
                    chunk = []
            if chunk:
                stream.write_batch(_batch(chunk, schema))

    def _posts(self, splits: list[RawSplit]) -> Iterator[RawPost]:
        """Yield the post of each row, after it was added to the index."""
        for split in splits:
            split.read_gold()
            unfound = set(split.gold or ())
            for name in split.names:
                self.index.begin_file(split.split, name)
                start, has_post, first_reason = len(self.index), False, None
                for post in split.read_posts(name):
                    unfound.discard(post.post_id)
                    if len(self.index) == start:
                        first_reason = post.reason
                    has_post = has_post or post.fate != "rejected"
                    self.index.append(post)
                    yield post
                count = len(self.index) - start
                if count and not has_post and split.split != "unlabeled":
                    raise ValueError(
                        f"{name}: none of its {count} rows is a post; the first: {first_reason}."
                    )
            if unfound:
                raise ValueError(
                    f"{split.body.gold}: {len(unfound)} of its {len(split.gold or ())} ids do not "
                    f"occur in {', '.join(split.names)}; both must come from the same release."
                )

    def _chunks(self) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Yield the number of the first row, and the columns, of each chunk."""
        start = 0
        with pa.ipc.open_stream(str(self._scratch)) as stream:
            for batch in stream:
                yield start, batch
                start += len(batch)

    def text_hashes(self, rows: Rows) -> Hashes:
        """Return the hashes of the normalised texts of some rows, whose numbers ascend."""
        found = np.zeros(len(rows), np.uint64)
        for start, batch in self._chunks():
            first, last = np.searchsorted(rows, (start, start + len(batch)))
            texts = batch["text"].take(pa.array(rows[first:last] - start)).to_pylist()
            found[first:last] = [text_hash(normalize_text(text)) for text in texts]
        return found

    def final_ids(self, rows: Rows) -> Iterator[str]:
        """Yield the ids by which the posts of some rows, whose numbers ascend, are named."""
        for start, batch in self._chunks():
            first, last = np.searchsorted(rows, (start, start + len(batch)))
            ids = self._final_ids(start, batch["post_id"].to_pylist())
            for row in rows[first:last].tolist():
                yield ids[row - start]

    def _final_ids(self, start: int, ids: list[str]) -> list[str]:
        """Return the ids by which the posts of a chunk are named."""
        index = self.index
        names = index.names[start : start + len(ids)]
        changed = np.flatnonzero(names != BY_ID)
        sections = index.files_of(start + changed)
        for place, section in zip(changed.tolist(), sections.tolist(), strict=True):
            if names[place] == BY_LINE:
                line = index.lines[start + place]
                ids[place] = f"{index.sections[section].file}:{line}"
            else:
                ids[place] = f"{index.prefixes[names[place] - BY_PREFIX]}:{ids[place]}"
        return ids

    def write(self, out: Path | str, task: str) -> int:
        """Write <split>.parquet and ledger.parquet to a folder, and return the number of posts."""
        written = 0
        with ExitStack() as stack:
            write_ledger = stack.enter_context(table_writer(f"{out}/ledger.parquet", LEDGER))
            write_posts = {
                split: stack.enter_context(
                    table_writer(f"{out}/{split}.parquet", self._posts_schema)
                )
                for split in SPLITS
            }
            for start, batch in self._chunks():
                rows = np.arange(start, start + len(batch))
                own_ids = batch["post_id"].to_pylist()
                ids = self._final_ids(start, own_ids.copy())
                write_ledger(self._ledger(rows, ids, own_ids, task))
                is_kept = self.index.fates[rows] == FATES.index("kept")
                for split in SPLITS:
                    here = is_kept & (self.index.splits[rows] == CLAIMS.index(split))
                    if here.any():
                        write_posts[split](self._posts_table(rows, ids, batch, split, here))
                        written += int(here.sum())
        return written

    def _ledger(self, rows: Rows, ids: list[str], own_ids: list[str], task: str) -> pa.Table:
        """Return the rows of a chunk as the ledger shows them."""
        index = self.index
        names = index.names[rows].tolist()
        files = pa.array([section.file for section in index.sections], pa.string())
        notes = [
            None if name == BY_ID
            else "its id was rounded" if name == BY_LINE
            else f"its id is {id}, as that of another post"
            for name, id in zip(names, own_ids, strict=True)
        ]  # fmt: skip
        columns = [
            pa.array([task] * len(rows)),
            pa.array(CLAIMS).take(pa.array(index.splits[rows])),
            files.take(pa.array(index.files_of(rows))),
            pa.array(index.lines[rows].astype(np.int64)),
            pa.array([id or None for id in ids], pa.string()),
            pa.array(FATES).take(pa.array(index.fates[rows])),
            pa.array(index.reasons, pa.string()).take(pa.array(index.reason_codes[rows])),
            pa.array(notes, pa.string()),
        ]
        return pa.Table.from_arrays(columns, schema=LEDGER)

    def _posts_table(
        self, rows: Rows, ids: list[str], batch: pa.RecordBatch, split: str, here: np.ndarray
    ) -> pa.Table:
        """Return the posts of a chunk that belong to a split."""
        labels = self.index.labels[rows].astype(np.int64)
        origin = "pool" if split == "unlabeled" else "gold"
        nulls = pa.nulls(len(rows), pa.string())
        columns = {
            "post_id": pa.array(ids, pa.string()),
            "text": batch["text"],
            "keyword": batch["keyword"],
            "label": pa.array(labels, mask=labels < 0),
            "platform": batch["platform"],
            "author": nulls,
            "origin": pa.array([origin] * len(rows)),
            "parent": nulls,
        }
        if "groups" in self._posts_schema.names:
            columns["groups"] = batch["groups"]
        return pa.table(columns, schema=self._posts_schema).filter(pa.array(here))


def _batch(chunk: list[tuple[Any, ...]], schema: pa.Schema) -> pa.RecordBatch:
    """Return rows as a batch. What a row holds behind the columns of the schema is left out."""
    columns = [
        pa.array(column, field.type)
        for field, column in zip(schema, zip(*chunk, strict=True), strict=False)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)
