"""The options by which the raw files of a task are read: files, columns, divisions, steps."""

from dataclasses import dataclass, field
from typing import Any

from postgrad.corpus.cleaning_steps import DEFAULT_STEPS

LOSS = 0.1  # the share of a split that may be rejected for one reason


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
        return as_list(self.file if self.files is None else self.files)


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
    groups: list[str] = field(default_factory=list)  # raw columns that the posts keep
    platform: str | None = None
    source: str | None = None  # who distributes the files
    divide: Division | None = None
    most_train: int | None = None  # the most posts of train that the study reads; default: all
    allow_loss: float = LOSS  # the share of a split that may be lost for one reason
    # The size of each file. It stands in the spec so that a changed file is cleaned again.
    bytes: dict[str, int] | None = None


def as_list(value: Any) -> list[Any]:
    """Return a list as it is, None as an empty list, and another value as a list of one.

    Examples
    --------
    >>> as_list("id"), as_list(None)
    (['id'], [])
    """
    return value if isinstance(value, list) else [] if value is None else [value]
