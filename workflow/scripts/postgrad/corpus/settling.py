"""Settle what can only be decided over all raw rows of a task: ids, losses, division, limits.

Of each row only a few numbers are kept in memory: its line, the hash of its id, its class, its
split and what became of it. Hashes have 64 bits, so that two of ten million ids have the same hash
by chance in three of a million corpora.
"""

import hashlib
import math
import random
import re
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from postgrad.corpus.raw_posts import UNDIVIDED, RawPost

# Of two splits that hold the same id, the first in this order keeps it.
CLAIMS = ("test", "cross", "dev", "train", UNDIVIDED, "unlabeled")
FATES = ("kept", "rejected", "decoy")
# Rows that a task or a spreadsheet leaves out on purpose are no loss.
WANTED_LOSSES = ("not selected", "no id and no text")

# Ids that a spreadsheet or a data frame has rounded: 1.29E+18, 1,29e18, 1290000000000000000.0.
_ROUNDED_ID = re.compile(r"\d+([.,]\d+)?[eE]\+?\d+|\d{16,}[.,]0+")
_LONG_ID = re.compile(r"\d{16,}")
# What is remembered of the form of an id.
_IS_ROUNDED, _IS_LONG, _ENDS_IN_ZEROS = 1, 2, 4
# How a post is named: by its id, by file and line, or (from here on) by a prefix and its id.
BY_ID, BY_LINE, BY_PREFIX = 0, 1, 2
_KEPT, _REJECTED = FATES.index("kept"), FATES.index("rejected")

Rows = NDArray[np.int64]  # row numbers, ascending
Hashes = NDArray[np.uint64]
# Returns the hashes of the normalised texts of some rows.
TextHashes = Callable[[Rows], Hashes]


def text_hash(text: str) -> int:
    """Return a hash of a text with 64 bits, which is the same in every run."""
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little")


@dataclass(frozen=True)
class Section:
    """The rows of one file of a split: row `start` and those after it, up to the next section."""

    split: str
    file: str
    start: int


class RowIndex:
    """A few numbers for each raw row, in the order of reading.

    Attributes
    ----------
    sections : list of Section
        The files in the order of reading.
    reasons : list of str or None
        The reasons of rejections; the first is None.
    prefixes : list of str
        The prefixes of ids that other posts have as well; the code of the first is `BY_PREFIX`.
    """

    def __init__(self) -> None:
        self.sections: list[Section] = []
        self.reasons: list[str | None] = [None]
        self.prefixes: list[str] = []
        self._reason_codes: dict[str | None, int] = {None: 0}
        self._splits, self._fates, self._labels = array("b"), array("b"), array("h")
        self._reasons, self._forms = array("H"), array("b")
        self._lines, self._ids, self._names = array("I"), array("Q"), array("i")

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._fates)

    def begin_file(self, split: str, file: str) -> None:
        """Let the rows that follow belong to a file of a split."""
        self.sections.append(Section(split, file, len(self)))

    def append(self, post: RawPost) -> None:
        """Remember a row."""
        id = post.post_id
        long = _IS_LONG if len(id) > 15 and _LONG_ID.fullmatch(id) else 0
        zeros = _ENDS_IN_ZEROS if long and not id[15:].strip("0") else 0
        rounded = _IS_ROUNDED if id[:1].isdigit() and _ROUNDED_ID.fullmatch(id) else 0
        self._splits.append(CLAIMS.index(post.split))
        self._fates.append(FATES.index(post.fate))
        self._labels.append(-1 if post.label is None else post.label)
        self._reasons.append(self.reason_code(post.reason))
        self._forms.append(rounded | long | zeros)
        self._lines.append(post.line)
        self._ids.append(text_hash(id))
        self._names.append(BY_ID)

    def reason_code(self, reason: str | None) -> int:
        """Return the code of a reason, which gets one if it is new."""
        code = self._reason_codes.get(reason)
        if code is None:
            code = self._reason_codes[reason] = len(self.reasons)
            self.reasons.append(reason)
        return code

    # Views of the numbers, which may be written. No row can be appended while one is in use.

    @property
    def splits(self) -> NDArray[np.int8]:
        """The split of each row, as its place in `CLAIMS`."""
        return np.frombuffer(self._splits, np.int8)

    @property
    def fates(self) -> NDArray[np.int8]:
        """What became of each row, as its place in `FATES`."""
        return np.frombuffer(self._fates, np.int8)

    @property
    def labels(self) -> NDArray[np.int16]:
        """The class code of each row, or -1."""
        return np.frombuffer(self._labels, np.int16)

    @property
    def reason_codes(self) -> NDArray[np.uint16]:
        """The reason of each row, as its place in `reasons`."""
        return np.frombuffer(self._reasons, np.uint16)

    @property
    def lines(self) -> NDArray[np.uint32]:
        """The line in which each row starts."""
        return np.frombuffer(self._lines, np.uint32)

    @property
    def ids(self) -> Hashes:
        """The hash of the id of each row."""
        return np.frombuffer(self._ids, np.uint64)

    @property
    def names(self) -> NDArray[np.int32]:
        """How each post is named: `BY_ID`, `BY_LINE`, or `BY_PREFIX` and more."""
        return np.frombuffer(self._names, np.int32)

    def files_of(self, rows: Rows) -> NDArray[np.int64]:
        """Return the place in `sections` of some rows."""
        starts = [section.start for section in self.sections]
        return np.searchsorted(starts, rows, side="right") - 1

    def kept_in(self, split: str) -> Rows:
        """Return the kept rows of a split."""
        code = CLAIMS.index(split)
        return np.flatnonzero((self.fates == _KEPT) & (self.splits == code))

    def reject(self, rows: Any, reason: str) -> None:
        """Reject rows for a reason."""
        self.fates[rows] = _REJECTED
        self.reason_codes[rows] = self.reason_code(reason)

    def count_fates(self) -> dict[tuple[str, str, str | None], int]:
        """Return the number of rows by split, fate and reason, in the order of the first rows."""
        width = len(self.reasons)
        codes = (self.splits.astype(np.int32) * len(FATES) + self.fates) * width
        values, first, counts = np.unique(
            codes + self.reason_codes, return_index=True, return_counts=True
        )
        found: dict[tuple[str, str, str | None], int] = {}
        for place in np.argsort(first):
            code, reason = divmod(int(values[place]), width)
            split, fate = divmod(code, len(FATES))
            found[CLAIMS[split], FATES[fate], self.reasons[reason]] = int(counts[place])
        return found


def replace_rounded_ids(index: RowIndex, notes: list[str]) -> None:
    """Name the posts whose ids were rounded by a spreadsheet by file and line.

    An id of more than 15 digits that ends in zeros counts as rounded if most of the long ids of
    its file do.
    """
    ends = [section.start for section in index.sections[1:]] + [len(index)]
    for section, end in zip(index.sections, ends, strict=True):
        forms = np.frombuffer(index._forms, np.int8)[section.start : end]
        ending = (forms & _ENDS_IN_ZEROS) > 0
        are_rounded = 2 * ending.sum() > ((forms & _IS_LONG) > 0).sum()
        rows = section.start + np.flatnonzero(((forms & _IS_ROUNDED) > 0) | (are_rounded & ending))
        index.names[rows] = BY_LINE
        for row in rows:
            index.ids[row] = text_hash(f"{section.file}:{index.lines[row]}")
        if len(rows):
            notes.append(
                f"{section.file}: {len(rows)} ids were rounded by a spreadsheet or a data frame; "
                "these posts are named by file and line"
            )


def settle_repeated_ids(index: RowIndex, text_hashes: TextHashes, notes: list[str]) -> None:
    """Decide which of the kept rows that share an id are one post.

    Rows of different files whose texts differ are different posts: ids may begin anew in each file.
    Their ids get the name of the split, or of the file if several files of a split share the id.
    Otherwise the first row of the split that comes first in `CLAIMS` is kept, and the others are
    rejected. Decoys claim no id.
    """
    rows = _rows_that_share(index)
    if not len(rows):
        return
    ascending = np.sort(rows)
    texts = text_hashes(ascending)[np.searchsorted(ascending, rows)]
    files, renamed, start = index.files_of(rows), 0, 0
    codes: dict[str, int] = {}
    for end in [*np.flatnonzero(np.diff(index.ids[rows])) + 1, len(rows)]:
        group, group_files, group_texts = (
            values[start:end].tolist() for values in (rows, files, texts)
        )
        group_splits = index.splits[group].tolist()
        start = end
        places = set(zip(group_splits, group_files, strict=True))
        are_different = len(places) > 1 and len(set(group_texts)) > 1
        files_of_split = [split for split, _ in places]
        # By what a row is the same post as an earlier one. The words keep texts and places apart.
        owners: dict[tuple[Any, ...], int] = {}
        for row, split, file, text in zip(
            group, group_splits, group_files, group_texts, strict=True
        ):
            keys = [("text", text), ("place", split, file)] if are_different else [("id",)]
            owner = next((owners[key] for key in keys if key in owners), None)
            if owner is not None:
                same = index.splits[owner] == split
                reason = "repeated id" if same else f"id also in {CLAIMS[index.splits[owner]]}"
                index.reject(row, reason)
                continue
            owners |= dict.fromkeys(keys, row)
            if are_different:
                is_only_file = files_of_split.count(split) == 1
                prefix = CLAIMS[split] if is_only_file else index.sections[file].file
                if prefix not in codes:
                    codes[prefix] = BY_PREFIX + len(index.prefixes)
                    index.prefixes.append(prefix)
                index.names[row] = codes[prefix]
                renamed += 1
    if renamed:
        notes.append(
            f"{renamed} posts share their ids with other posts in other files; their ids begin "
            "with the name of the split or the file"
        )


def _rows_that_share(index: RowIndex) -> Rows:
    """Return the kept rows whose id another kept row has, by id, place in `CLAIMS` and row."""
    is_kept = index.fates == _KEPT
    ids = index.ids[is_kept]
    ids.sort()
    shared = np.unique(ids[1:][ids[1:] == ids[:-1]])
    if not len(shared):
        return np.empty(0, np.int64)
    place = np.minimum(np.searchsorted(shared, index.ids), len(shared) - 1)
    rows = np.flatnonzero(is_kept & (shared[place] == index.ids))
    return rows[np.lexsort((rows, index.splits[rows], index.ids[rows]))]


def check_losses(index: RowIndex, task: str, allow_loss: float) -> None:
    """Raise `ValueError` if too many rows of a split are rejected for one reason.

    Parameters
    ----------
    index
        All rows.
    task
        The name of the task, for the message.
    allow_loss
        The share of a split that may be rejected for one reason.
    """
    counts = index.count_fates()
    for split in CLAIMS:
        rows = sum(count for (of, _, _), count in counts.items() if of == split)
        losses = {
            reason: count
            for (of, fate, reason), count in counts.items()
            if of == split and fate == "rejected" and reason not in WANTED_LOSSES
        }
        most = max(losses.values(), default=0)
        if most > allow_loss * rows:
            ranked = sorted(losses.items(), key=lambda item: -item[1])
            shown = ", ".join(f"{count} for {reason!r}" for reason, count in ranked)
            raise ValueError(
                f"{task}: of {rows} rows of {split}, posts would be lost: {shown}. "
                "Correct the files, or `columns` in the task file; if this loss is right, write "
                f"allow_loss: {math.ceil(most / rows * 100) / 100:g} in config/tasks/{task}.yaml."
            )


def divide(index: RowIndex, text_hashes: TextHashes, parts: Mapping[str, Any], seed: int) -> None:
    """Give each kept row of the divided file its split, by a draw."""
    rows = index.kept_in(UNDIVIDED)
    shares = {split: float(str(share)) for split, share in parts.items()}
    drawn = split_posts(text_hashes(rows), index.labels[rows], list(shares.values()), seed)
    codes = np.array([CLAIMS.index(split) for split in shares], np.int8)
    index.splits[rows] = codes[drawn]


def split_posts(
    texts: Hashes | Sequence[int],
    labels: NDArray[np.int16] | Sequence[int],
    shares: Sequence[float],
    seed: int,
) -> NDArray[np.int64]:
    """Return the split of each post, stratified by label and drawn with a seed.

    Posts whose normalised texts are equal go to one split, which is drawn by the label of the first
    of them. Each class fills the splits in the order of their size, the smallest first, so that the
    largest takes what rounding leaves.

    Parameters
    ----------
    texts, labels
        The hashes of the normalised texts, and the class codes, of n posts.
    shares
        The share of the posts that each split gets.
    seed
        The seed of the draw.

    Returns
    -------
    array of shape (n,)
        The place in `shares` of the split of each post.

    Examples
    --------
    >>> split_posts([5, 6, 7, 5], [0, 0, 1, 1], [0.5, 0.5], seed=1).tolist()
    [0, 0, 1, 0]
    """
    _, first, group_of = np.unique(np.asarray(texts), return_index=True, return_inverse=True)
    sizes = np.bincount(group_of, minlength=len(first))
    label_of = np.asarray(labels)[first]
    order = sorted(range(len(shares)), key=lambda split: shares[split])
    split_of = np.zeros(len(first), np.int64)
    for label in np.unique(label_of):
        groups = np.flatnonzero(label_of == label)
        groups = groups[np.argsort(first[groups])]  # in the order in which they occur
        drawn = list(range(len(groups)))
        random.Random(f"{seed} {label if label >= 0 else None}").shuffle(drawn)
        groups = groups[drawn]
        placed = np.cumsum(sizes[groups]) - sizes[groups]
        bounds = np.cumsum([sizes[groups].sum() * shares[split] for split in order]).round()
        place = np.minimum(np.searchsorted(bounds, placed, side="right"), len(order) - 1)
        split_of[groups] = np.asarray(order)[place]
    return split_of[group_of]


def leave_out(index: RowIndex, ranks: Iterator[int], most: int) -> None:
    """Reject the posts of train beyond the `most` posts of the lowest ranks.

    Parameters
    ----------
    index
        All rows.
    ranks
        The rank of each kept row of train.
    most
        How many posts of train stay.
    """
    rows = index.kept_in("train")
    order = np.argsort(np.fromiter(ranks, np.uint64, len(rows)), kind="stable")
    index.reject(rows[order[most:]], f"left out: the study reads {most} train posts")
