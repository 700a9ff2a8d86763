"""Check the header and the first rows of a raw file before anything runs.

`raw_posts` reads whole files and decides what fits. Its import takes longer than the check, so it
is imported only if something may be wrong.
"""

import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from postgrad.corpus.readers import Layout, Other, Row, read_raw_rows

SAMPLE = 1000  # rows of a file that are read
SHOWN = 5  # values in a message
MANY = 20  # different values from which a column is taken for no column of labels
# A value that a message may show. A longer one may be a post.
SHORT = re.compile(r"(?=.{1,20}$)[\w.+:/#-]+( [\w.+:/#-]+)?")

Labels = Sequence[Mapping[str, Any]]  # the labels of a task with their names and values


def find_misfits(
    path: Path,
    columns: Mapping[str, Sequence[str]],
    labels: Labels | None,
    layout: Layout,
    task: str,
) -> list[str]:
    """Return a message for everything in the beginning of a raw file that `clean` would refuse.

    Parameters
    ----------
    path
        The file.
    columns
        For each of our keys that is read, the names that its column may have.
    labels
        The labels of the task. None if the column of the label is not compared.
    layout
        How the file is written.
    task
        The name of the task, for messages.
    """
    try:
        wanted = [name for names in columns.values() for name in names]
        found, rows = read_raw_rows(path, str(path), layout, wanted)
        sample = list(islice(rows, SAMPLE))
        if isinstance(rows, Generator):  # it holds the file open
            rows.close()
    except ValueError as fault:
        return [str(fault)]
    except OSError as fault:
        return [f"{path}: cannot be read ({fault.strerror})."]
    at = {
        key: next((name for name in names if name in found), "") for key, names in columns.items()
    }
    if any(not name or found.count(name) > 1 for name in at.values()):
        misfits = _column_messages(path, columns, found, task)
        if misfits:
            return misfits
    if labels is None or "label" not in at:
        return []
    known = {str(label[key]) for label in labels for key in ("value", "name") if key in label}
    suspects = [row for _, row in sample if row.get(at["label"]) not in known]
    values = sorted(set(_unknown_values(suspects, at, labels))) if suspects else []
    return [_values_message(path, at["label"], values)] if values else []


def _column_messages(
    path: Path, columns: Mapping[str, Sequence[str]], found: list[str], task: str
) -> list[str]:
    """Return the messages of `raw_posts` about columns that are missing or occur twice."""
    from postgrad.corpus.raw_posts import find_column

    messages = []
    for names in columns.values():
        try:
            find_column(list(names), found, str(path), task)
        except ValueError as fault:
            messages.append(str(fault))
    return messages


def _unknown_values(rows: Sequence[Row], at: Mapping[str, str], labels: Labels) -> Iterator[str]:
    """Yield the values of posts that are no labels, as `raw_posts` reads posts and labels."""
    from postgrad.corpus.cleaning_steps import NOTHING, clean_text
    from postgrad.corpus.raw_posts import label_code, label_codes

    codes = label_codes(labels)
    for row in rows:
        cells = {key: row.get(column) for key, column in at.items()}
        if None in row or any(isinstance(value, Other) for value in cells.values()):
            continue
        has_id = "id" not in at or (cells["id"] or "").strip() not in NOTHING
        if has_id and ("text" not in at or clean_text(cells["text"])):
            try:
                label_code(cells["label"], codes, at["label"], "", set())
            except ValueError:
                yield str(cells["label"]).strip()


def _values_message(path: Path, column: str, values: Sequence[str]) -> str:
    """Return the message about values that are no labels, without any that may be a post."""
    count = len(values)
    be, labels, them = ("are", "labels", "them") if count > 1 else ("is", "label", "it")
    remedy = f"list {them} under labels with the value of the file, or correct the file."
    if count > MANY or not all(map(SHORT.fullmatch, values)):
        what = f"{count} values that" if count > 1 else "a value that"
    else:
        shown = [*values[:SHOWN], *([f"{count - SHOWN} more"] if count > SHOWN else [])]
        what = " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]])) + ", which"
    return f"{path}: column {column} holds {what} {be} no {labels} of the task; {remedy}"
