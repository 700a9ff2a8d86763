"""Guess how raw files of posts are written and which of their columns are which.

The columns are guessed by their names and by what they hold. Nothing here shows the text of a post:
only names that look like those of columns, and values that are short and few, as those of labels.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from postgrad.corpus.raw_checks import MANY, SHORT
from postgrad.corpus.raw_files import BLOCK, HEAD, file_format, find_encoding, open_bytes
from postgrad.corpus.readers import (
    DELIMITERS,
    Layout,
    Other,
    column_list,
    has_header,
    is_column_name,
    read_raw_rows,
)
from postgrad.records.names import SPLITS

# Names of columns without case, blanks and signs; an earlier one is preferred.
TEXT_NAMES = ("text", "fulltext", "tweet", "tweettext", "post", "body", "selftext", "content")
TEXT_WORDS = re.compile(r"text|tweet|post|body|content|message|comment|sentence|review", re.I)
LABEL_NAMES = ("label", "labels", "class", "gold", "goldlabel", "category", "target", "annotation")
LABEL_WORDS = re.compile(
    r"label|class|gold|categor|annot|target|sentiment|stance|emotion|answer", re.I
)
ID_NAME = re.compile(r"(.*[ _.-])?(\w*id|ids|no\.?|nr\.?|number|index|key)", re.I)
# The values of a column that names the split of a row, and the words in the names of files.
SPLIT_WORDS = {
    "train": ("train", "training", "trn"),
    "dev": ("dev", "val", "valid", "validation", "development"),
    "test": ("test", "testing", "tst", "eval", "evaluation"),
}
NEGATIVE = re.compile(r"0|no|n|none|false|f|neg|negative|not?[ _-].*|non.*", re.I)
SEPARATORS = (None, ",", ";", "|")  # between several labels of one post; None: white space
MOST_VALUES = 1000  # different values of a column that are counted
REPEATED = 3  # how often a label occurs on average, from which values may be labels
MOST_CLASSES = 100  # of a column that the user names
PROSE = 15  # characters of a mean cell from which a column may be one of texts


@dataclass
class ColumnProfile:
    """What the cells of one column are like.

    Attributes
    ----------
    name : str
        The name of the column.
    empty : set of str
        What stands for nothing.
    filled : int
        The number of cells that hold something.
    characters : int
        The number of characters in them.
    with_blank : int
        How many of them have white space between words, or are written without it, as Chinese is.
    strange : int
        How many of them are no text, such as a date.
    hashes : set of int
        The hashes of the different values.
    values : Counter or None
        How often each value occurs; None if there are too many.
    """

    name: str
    empty: set[str]
    filled: int = 0
    characters: int = 0
    with_blank: int = 0
    strange: int = 0
    hashes: set[int] = field(default_factory=set)
    values: Counter[str] | None = field(default_factory=Counter)

    def add(self, value: object) -> None:
        """Count one cell."""
        if isinstance(value, Other):
            self.strange += 1
            return
        cell = str(value or "").strip()
        if cell in self.empty:
            return
        self.filled += 1
        self.characters += len(cell)
        self.with_blank += " " in cell or not cell.isascii()
        self.hashes.add(hash(cell))
        if self.values is not None:
            self.values[cell] += 1
            if len(self.values) > MOST_VALUES:
                self.values = None

    @property
    def plain_name(self) -> str:
        """The name without case, blanks and signs."""
        return re.sub(r"[\W_]+", "", self.name).casefold()

    def is_prose(self) -> bool:
        """Return whether the cells may be texts of posts."""
        return (
            self.filled > 0
            and self.characters >= PROSE * self.filled
            and self.with_blank * 2 > self.filled
            and len(self.hashes) * 2 > self.filled
        )

    def is_unique(self) -> bool:
        """Return whether nearly every cell holds a word of its own, as ids do."""
        return self.with_blank == 0 < self.filled and len(self.hashes) >= 0.99 * self.filled


@dataclass(frozen=True)
class LabelGuess:
    """The column that holds the labels.

    Attributes
    ----------
    column : str
        Its name.
    counts : dict
        The number of rows of each class, in the order of the classes.
    separator : str or None
        If a row may have several labels: what separates them, None for white space.
    is_listed : bool
        Whether a row may have several labels.
    """

    column: str
    counts: dict[str, int]
    separator: str | None = None
    is_listed: bool = False


@dataclass(frozen=True)
class CorpusGuess:
    """How the files of a corpus are written, and which of their columns are which.

    Attributes
    ----------
    layouts : list of Layout
        How each file is written; what is None is found by the readers.
    rows : int
        The number of rows of all files.
    columns : list of str
        The columns that all files have.
    id, title, split : str or None
        Columns.
    text : str
        The column of the texts.
    length : int
        The mean number of characters of a text.
    label : LabelGuess
        The column of the labels.
    parts : dict
        For each split, the values of the column `split` that name it.
    remarks : dict
        For some of the keys id, text, label, split and encoding, a sentence on what was assumed.
    """

    layouts: list[Layout]
    rows: int
    columns: list[str]
    id: str | None
    text: str
    length: int
    title: str | None
    label: LabelGuess
    split: str | None
    parts: dict[str, list[str]]
    remarks: dict[str, str]


def guess_corpus(
    files: Sequence[tuple[Path, str, str | None]],
    task: str,
    text: str | None = None,
    label: str | None = None,
) -> CorpusGuess:
    """Guess how the files of a corpus are written, and which of their columns are which.

    Parameters
    ----------
    files
        For each file its path, its name for messages, and the path of a file with the label of each
        of its lines, or None.
    task
        The name of the task; a column of this name is taken for that of the labels.
    text, label
        The columns of the texts and the labels, where the user names them.

    Raises
    ------
    ValueError
        If a file cannot be read, or if it cannot be told where texts or labels are.
    """
    from postgrad.corpus.cleaning_steps import NOTHING  # here, since its import takes long

    layouts: list[Layout] = []
    profiles: dict[str, ColumnProfile] = {}
    rows = 0
    remarks: dict[str, str] = {}
    where = files[0][1]
    asked = [name for name in (text, label) if name]
    common: list[str] | None = None
    for path, name, paired in files:
        layout, remark = guess_layout(path, name, paired)
        layouts.append(layout)
        remarks |= {"encoding": remark} if remark else {}
        columns, lines = read_raw_rows(path, name, layout, asked)
        if not has_header(columns) and not {*asked} & {*columns}:
            raise _no_header(name)
        known = [column for column in columns if column and columns.count(column) == 1]
        known += [column for column in asked if "." in column and column not in known]
        for column in known:
            profiles.setdefault(column, ColumnProfile(column, NOTHING))
        for _, row in lines:
            rows += 1
            for column in known:
                profiles[column].add(row.get(column))
        common = known if common is None else [column for column in common if column in known]
    found = [profiles[column] for column in common or []]
    _check_asked(asked, found, where)
    texts = _text_column(found, text, where)
    if not is_column_name(texts.name) and texts.name != text:  # it may be a post
        raise _no_header(where)
    found = [column for column in found if is_column_name(column.name) or column.name in asked]
    taken = {texts.name}
    split, parts, remark = _split_column(found, taken) if len(files) == 1 else (None, {}, None)
    remarks |= {"split": remark} if remark else {}
    taken |= {split} if split else set()
    labels, remark = _label_column(found, taken, rows, task, label, where)
    remarks |= {"label": remark} if remark else {}
    taken.add(labels.column)
    id_column = _id_column(found, taken, rows)
    if id_column is None:
        remarks["id"] = (
            "no column has an id of its own for each row: posts are named by file and line"
        )
    others = [column.name for column in found if column.is_prose() and column.name not in taken]
    title = next((name for name in others if name.casefold() == "title"), None)
    if text is None and (others := [name for name in others if name != title]):
        remarks["text"] = f"other columns with texts: {column_list(others)}"
    return CorpusGuess(
        layouts=layouts,
        rows=rows,
        columns=[column.name for column in found],
        id=id_column,
        text=texts.name,
        length=round(texts.characters / max(texts.filled, 1)),
        title=title,
        label=labels,
        split=split,
        parts=parts,
        remarks=remarks,
    )


def _no_header(name: str) -> ValueError:
    """Return the error of a file whose first line may be a post."""
    return ValueError(
        f"{name}: its first line does not look like the names of columns. Add a header, or name "
        "the columns with TEXT=column and LABEL=column."
    )


def guess_layout(path: Path, name: str, paired: str | None) -> tuple[Layout, str | None]:
    """Return what a reader has to be told of a file, and a sentence if its encoding is assumed.

    Parameters
    ----------
    path
        The file.
    name
        Its name, for messages.
    paired
        The path of a file with the label of each line, or None.
    """
    layout, remark = Layout(paired=paired), None
    with open_bytes(path, name) as file:
        kind = file_format(name, file.read(HEAD))
    if kind in ("table", "json", "lines"):
        try:
            find_encoding(path, name, None)
        except ValueError:
            encoding = "cp1252" if _is_decodable(path, name, "cp1252") else "latin-1"
            layout = replace(layout, encoding=encoding)
            remark = (
                "some lines are valid UTF-8 and others are not: all are read as "
                f"{encoding}, and the step mojibake repairs the first"
            )
    if kind == "table":
        columns, _ = read_raw_rows(path, name, layout)
        whole = columns[0] if len(columns) == 1 else ""
        delimiter = max(DELIMITERS, key=lambda sign: whole.count(sign))
        if delimiter in whole:
            layout = replace(layout, delimiter=delimiter)
        notes: list[str] = []
        _, rows = read_raw_rows(path, name, layout, notes=notes)
        for _ in rows:
            pass
        if any("quotes: csv" in note for note in notes):
            layout = replace(layout, quotes="csv")
    return layout, remark


def _is_decodable(path: Path, name: str, encoding: str) -> bool:
    """Return whether all bytes of a file are characters of an encoding of one byte each."""
    with open_bytes(path, name) as file:
        try:
            while block := file.read(BLOCK):
                block.decode(encoding)
        except UnicodeDecodeError:
            return False
    return True


def _check_asked(asked: Iterable[str], found: Sequence[ColumnProfile], where: str) -> None:
    """Raise `ValueError` if a column that the user names does not exist."""
    names = [column.name for column in found]
    for name in asked:
        if name not in names:
            raise ValueError(f"{where}: there is no column {name}; it has {column_list(names)}.")


def _text_column(found: Sequence[ColumnProfile], asked: str | None, where: str) -> ColumnProfile:
    """Return the column of the texts: the one that the user names, or the likeliest."""
    if asked:
        return next(column for column in found if column.name == asked)

    def likelihood(column: ColumnProfile) -> tuple[int, float]:
        name = column.plain_name
        rank = len(TEXT_NAMES) - TEXT_NAMES.index(name) + 1 if name in TEXT_NAMES else 0
        rank = rank or int(bool(TEXT_WORDS.search(column.name)))
        return rank, column.characters / column.filled

    likely = [column for column in found if column.is_prose()]
    likely = likely or [
        column for column in found if column.filled and column.plain_name in TEXT_NAMES
    ]
    if not likely:
        nested = " A name with dots is a path into nested objects, such as data.text." * any(
            column.strange for column in found
        )
        raise ValueError(
            f"{where}: no column looks like one of texts; it has "
            f"{column_list([column.name for column in found])}. Name it with TEXT=column.{nested}"
        )
    return max(likely, key=likelihood)


def _id_column(found: Sequence[ColumnProfile], taken: set[str], rows: int) -> str | None:
    """Return the column of the ids, or None.

    It has the name of one, or it is the first column, and each row has its own value.
    """
    named = [column for column in found if ID_NAME.fullmatch(column.name)]
    for column in [*named, *found[:1]]:
        if column.name not in taken and column.is_unique() and column.filled == rows:
            return column.name
    return None


def _split_column(
    found: Sequence[ColumnProfile], taken: set[str]
) -> tuple[str | None, dict[str, list[str]], str | None]:
    """Return the column that names the split of each row, its values by split, and a remark."""
    known = {word: split for split, words in SPLIT_WORDS.items() for word in words}
    for column in found:
        values = sorted(column.values or {})
        if column.name in taken or len(values) < 2:
            continue
        if any(value.casefold() not in known for value in values):
            continue
        parts: dict[str, list[str]] = {}
        for split in SPLITS:
            if names := [value for value in values if known[value.casefold()] == split]:
                parts[split] = names
        if parts.keys() >= SPLIT_WORDS.keys():
            return column.name, parts, None
        lacks = " and ".join(split for split in SPLIT_WORDS if split not in parts)
        remark = (
            f"the column {column.name} names splits, but not {lacks}, which the recipe needs: the "
            "posts are drawn anew"
        )
        return None, {}, remark
    return None, {}, None


def _label_column(
    found: Sequence[ColumnProfile],
    taken: set[str],
    rows: int,
    task: str,
    asked: str | None,
    where: str,
) -> tuple[LabelGuess, str | None]:
    """Return the column of the labels and a remark.

    Raise `ValueError` if no column, or several columns without a telling name, may be that one.
    """
    ranked: dict[int, list[LabelGuess]] = {}
    for column in found:
        if asked and column.name != asked or column.name in taken:
            continue
        rank = 4 if column.name == asked else _label_rank(column, task)
        guess = _as_labels(column, MOST_CLASSES if asked else MANY, rank)
        if guess and (rank > 2 or column.filled * 2 >= rows):
            ranked.setdefault(rank, []).append(guess)
    if not ranked:
        seen = f"the column {asked}" if asked else "no column"
        names = [column.name for column in found if column.name not in taken]
        raise ValueError(
            f"{where}: {seen} {'does not look' if asked else 'looks'} like one of labels, which "
            f"are at least two different short values; it has {column_list(names)}. Name the "
            "column with LABEL=column."
        )
    best = ranked[max(ranked)]
    likely = [guesses for rank, guesses in ranked.items() if rank > 0]
    others = [guess.column for guesses in likely for guess in guesses if guess != best[0]]
    if max(ranked) == 0 and len(best) > 1:
        names = [guess.column for guess in best]
        raise ValueError(
            f"{where}: several columns could hold the labels: {column_list(names)}. Name the one "
            "with LABEL=column."
        )
    if max(ranked) == 0:
        return best[0], f"{best[0].column} is the only column with few different values"
    return best[0], f"other columns that may hold labels: {column_list(others)}" if others else None


def _label_rank(column: ColumnProfile, task: str) -> int:
    """Return how much the name of a column speaks for labels, from 0 to 3."""
    if column.plain_name in (*LABEL_NAMES, re.sub(r"[\W_]+", "", task)):
        return 3
    if column.plain_name.endswith(("label", "labels", "class")):
        return 2
    return int(bool(LABEL_WORDS.search(column.name)))


def _as_labels(column: ColumnProfile, most: int, rank: int) -> LabelGuess | None:
    """Return the classes of a column, or None if it cannot be one of labels.

    Parameters
    ----------
    column
        The column.
    most
        The largest number of classes.
    rank
        How much its name speaks for labels. Without such a name, values have to occur several
        times each, and a cell is not read as a list of labels.
    """
    if not column.values:
        return None
    counts = _merged(column.values)
    if _are_labels(counts, most, 1 if rank > 2 else REPEATED):
        return LabelGuess(column.name, {name: counts[name] for name in _class_order(counts)})
    for separator in SEPARATORS if rank > 0 else ():
        listed: Counter[str] = Counter()
        for cell, count in column.values.items():
            listed.update(dict.fromkeys(filter(None, map(str.strip, cell.split(separator))), count))
        if len(listed) < len(column.values) and _are_labels(listed, most, REPEATED):
            names = dict(listed.most_common())
            return LabelGuess(column.name, names, separator, is_listed=True)
    return None


def _merged(values: Mapping[str, int]) -> dict[str, int]:
    """Return how often each label occurs, if case and a .0 at the end make no difference.

    Examples
    --------
    >>> _merged({"Yes": 3, "yes": 1, "1.0": 2})
    {'Yes': 4, '1': 2}
    """
    spellings: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for value, count in sorted(values.items(), key=lambda item: -item[1]):
        value = re.sub(r"(\d)\.0+$", r"\1", value)
        counts[spellings.setdefault(value.casefold(), value)] += count
    return dict(counts)


def _are_labels(counts: Mapping[str, int], most: int, least: int) -> bool:
    """Return whether values are few and short, and occur `least` times each on average."""
    return (
        2 <= len(counts) <= most
        and sum(counts.values()) >= least * len(counts)
        and all(map(SHORT.fullmatch, counts))
    )


def _class_order(names: Iterable[str]) -> list[str]:
    """Return classes in order: by number, or by name with the negative one of two first.

    Examples
    --------
    >>> _class_order(["10", "2"]), _class_order(["abuse", "none"])
    (['2', '10'], ['none', 'abuse'])
    """
    found = sorted(names)
    if all(re.fullmatch(r"-?\d+", name) for name in found):
        return sorted(found, key=int)
    return (
        sorted(found, key=lambda name: not NEGATIVE.fullmatch(name)) if len(found) == 2 else found
    )


def positive_class(counts: Mapping[str, int]) -> tuple[str, str]:
    """Return which of two classes F1 is computed for, and why.

    Examples
    --------
    >>> positive_class({"0": 3, "1": 4}), positive_class({"ham": 3, "spam": 4})
    (('1', '0 looks negative'), ('ham', 'it is the rarer one'))
    """
    negative = [name for name in counts if NEGATIVE.fullmatch(name)]
    if len(negative) == 1:
        (other,) = (name for name in counts if name != negative[0])
        return other, f"{negative[0]} looks negative"
    return min(counts, key=lambda name: counts[name]), "it is the rarer one"


def split_of_name(name: str) -> str | None:
    """Return the split that the name of a file tells, or None.

    Examples
    --------
    >>> split_of_name("val_text.txt"), split_of_name("my-train.csv"), split_of_name("posts.csv")
    ('dev', 'train', None)
    """
    words = re.split(r"[^a-z]+", name.partition(".")[0].casefold())
    return next((split for split, known in SPLIT_WORDS.items() if {*words} & {*known}), None)
