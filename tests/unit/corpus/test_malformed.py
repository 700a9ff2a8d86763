"""Malformed files in named classes, and the guard that each class exercises.

With all guards, each file gives its rows, its reasons or its sentence. Without the guard of a
class, exactly the files of that class do not.
"""

import csv
import gzip
import io
import re
import zipfile
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest
from backports import zstd
from raw_files import COLUMNS, corpus_of, fates, spec

from postgrad.corpus import readers

CSV = "id,text,label\n1,made up,0\n2,another one,1\n"
BOTH = [("1", None), ("2", None)]


def table(*rows):
    return ("id,text,label\n" + "".join(f"{row}\n" for row in rows)).encode()


MANY = table(*(f"{id},made up {id * 7919 % 1000},0" for id in range(2000)))
# The fields of a member of a zip that say how it can be read: version, flags, method.
PLAIN, ENCRYPTED = b"\x14\x00\x00\x00\x08\x00", b"\x14\x00\x01\x00\x08\x00"
NEVER = re.compile("(?!)")


@dataclass(frozen=True)
class File:
    """A raw file, and what becomes of it.

    found: (post_id, reason or None) of each row, or the beginning of a sentence.
    """

    name: str
    content: bytes
    found: list[tuple[str | None, str | None]] | str
    more: dict[str, object] = field(default_factory=dict)


def zipped(**members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def changed(content):
    """A file of which two bytes in the middle are others."""
    at = len(content) // 2
    return content[:at] + bytes(byte ^ 0xFF for byte in content[at : at + 2]) + content[at + 2 :]


def lenient_csv():
    """The module csv without its strict mode."""
    return SimpleNamespace(
        reader=lambda lines, strict=False, **options: csv.reader(lines, **options),
        QUOTE_NONE=csv.QUOTE_NONE,
        Error=csv.Error,
    )


def unchecked_pairs(columns, values):
    return {column: value for column, value in zip(columns, values, strict=False) if column}


# {class: ({guard: what stands in for it}, files)}
CLASSES = {
    "an encoding that is not declared": (
        {"readers.find_encoding": lambda path, name, declared: (declared or "utf-8", None)},
        [
            File("utf-16-le.csv", CSV.encode("utf-16-le"), BOTH),
            File("utf-16-be.csv", CSV.encode("utf-16-be"), BOTH),
            File("cp1252.csv", table("1,“made up”,0", "2,b,1").replace(b"\xe2\x80\x9c", b"\x93")
                 .replace(b"\xe2\x80\x9d", b"\x94"), BOTH),
            File("latin-1.csv", b"id,text,label\n1,caf\xe9 \x81,0\n2,b,1\n", BOTH),
            File("codec.csv", CSV.encode(), "codec.csv: rot13 is not an encoding of text",
                 {"encoding": "rot13"}),
        ],
    ),
    "a quote that is never closed": (
        {"readers.csv": lenient_csv()},
        [
            File("open.csv", table('1,"made up,0', "2,b,1", "3,c,0"),
                 "open.csv, row that starts in line 2"),
            File("inside.csv", table('1,"made" up,0', "2,b,1"), "inside.csv, row that starts"),
        ],
    ),
    "cells beyond the header": (
        {"readers._paired": unchecked_pairs},
        [
            File("commas.csv", table("1,made up, twice,0", "2,b,1"),
                 [("1", "more cells than columns"), ("2", None)]),
        ],
    ),
    "gzip under another name": (
        {"raw_files.GZIP": b"never"},
        [
            File("posts.csv.gz", gzip.compress(CSV.encode()), BOTH),
            File("packed.csv", gzip.compress(CSV.encode()), BOTH),
        ],
    ),
    "a compressed file that is cut off": (
        {"readers.DAMAGED": ()},
        [
            File("cut.csv.zst", zstd.compress(MANY)[:-99], "cut.csv.zst, after line"),
            File("changed.csv.zst", changed(zstd.compress(MANY)), "changed.csv.zst, after line"),
            File("cut.zip", zipped(**{"posts.csv": MANY})[:-30], "cut.zip, after line 0"),
            File("changed.zip", changed(zipped(**{"posts.csv": MANY})), "changed.zip, after line"),
        ],
    ),
    "an archive with a password": (
        {"raw_files.ENCRYPTED": 0},
        [
            File("secret.zip", zipped(**{"posts.csv": CSV}).replace(PLAIN, ENCRYPTED),
                 "secret.zip: the archive is encrypted; unpack it"),
        ],
    ),
    "what an operating system adds to a zip": (
        {"raw_files.is_hidden": lambda member: False},
        [
            File("mac.zip", zipped(**{"posts.csv": CSV, "__MACOSX/._posts.csv": "x"}), BOTH),
            File("hidden.zip", zipped(**{".DS_Store": "x", "posts.csv": CSV}), BOTH),
        ],
    ),
    "a key that occurs twice": (
        {"readers.Counter": lambda keys: {}},
        [
            File("twice.jsonl", b'{"id": 1, "text": "a", "text": "b", "label": 0}\n',
                 "twice.jsonl, line 1: the key text occurs twice"),
        ],
    ),
    "a value that is no text": (
        {"readers._as_text": lambda value: value if value is None else str(value)},
        [
            File("object.jsonl", b'{"id": 1, "text": {"en": "a"}, "label": 0}\n'
                 b'{"id": 2, "text": "b", "label": 1}\n',
                 [("1", "text is an object"), ("2", None)]),
            File("list.json", b'[{"id": 1, "text": ["a"], "label": 0},'
                 b' {"id": 2, "text": "b", "label": 1}]', [("1", "text is a list"), ("2", None)]),
        ],
    ),
    "cells that are separated otherwise": (
        {"raw_posts.fitting_delimiter": lambda columns, names: None},
        [
            File("semicolon.csv", CSV.replace(",", ";").encode(),
                 "semicolon.csv, line 1: no column id; its cells seem to be separated by ';'"),
            File("tab.csv", CSV.replace(",", "\t").encode(),
                 "tab.csv, line 1: no column id; its cells seem to be separated by a tab"),
        ],
    ),
    "a file without a header": (
        {"raw_posts.has_header": lambda columns: True},
        [
            File("bare.csv", b"129,so sad today,1\n130,another one,0\n",
                 "bare.csv, line 1: no column id; its first line does not look like the names"),
        ],
    ),
    "ids that were rounded": (
        {"cleaning.replace_rounded_ids": lambda index, notes: None},
        [
            File("sci.csv", table("1.29E+18,a,0", "1.29E+18,b,1"),
                 [("sci.csv:2", None), ("sci.csv:3", None)]),
            File("zeros.csv", table("1290000000000000000,a,0", "1300000000000000000,b,1"),
                 [("zeros.csv:2", None), ("zeros.csv:3", None)]),
        ],
    ),
    "whole numbers with decimals": (
        {"raw_posts._FLOAT_ID": NEVER},
        [File("float.csv", table("1.0,made up,0", "2.0,b,1"), BOTH)],
    ),
    "an id that occurs twice": (
        {"cleaning.settle_repeated_ids": lambda index, text_hashes, notes: None},
        [
            File("again.csv", table("1,a,0", "1,a,0", "2,b,1"),
                 [("1", None), ("1", "repeated id"), ("2", None)]),
        ],
    ),
    "a column that is mostly empty": (
        {"cleaning.check_losses": lambda index, task, allow_loss: None},
        [
            File("empty.csv", table("1,a,0", *(f"{id},b," for id in range(2, 9))),
                 "toy: of 8 rows of train, posts would be lost: 7 for 'no label'"),
        ],
    ),
    "posts that were removed": (
        {"raw_posts.REMOVED": NEVER},
        [
            File("removed.csv", table("1,[removed],0", "2,b,1"),
                 [("1", "text removed"), ("2", None)]),
            File("reddit.csv", table("1,[ Removed by Reddit ],0", "2,b,1"),
                 [("1", "text removed"), ("2", None)]),
        ],
    ),
    "what a spreadsheet writes for nothing": (
        {"raw_posts.NOTHING": frozenset({""}), "cleaning_steps.NOTHING": frozenset({""})},
        [
            File("value.csv", table("1,#VALUE!,0", "2,b,1"), [("1", "no text"), ("2", None)]),
            File("nan.csv", table("nan,a,0", "2,b,1"), [("nan", "no id"), ("2", None)]),
        ],
    ),
}  # fmt: skip
FILES = [file for _, files in CLASSES.values() for file in files]
OWN = {name: {file.name for file in files} for name, (_, files) in CLASSES.items()}


def outcome(file, folder):
    """What becomes of a file, in the form of `File.found`, or the kind of an unexpected fault."""
    (folder / file.name).write_bytes(file.content)
    # Small files lose more than a tenth with one row.
    allowed = 0.1 if file.name == "empty.csv" else 0.6
    body = spec(allow_loss=allowed, train={"file": file.name, "columns": COLUMNS, **file.more})
    try:
        _, ledger = corpus_of(body, folder)
    except ValueError as fault:
        return str(fault)
    except Exception as fault:
        return type(fault)
    return [(id, reason) for _, id, _, reason in fates(ledger)]


def is_right(file, folder):
    found = outcome(file, folder)
    if isinstance(found, str) and isinstance(file.found, str):
        return found.startswith(file.found)
    return found == file.found


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_each_file_gives_its_rows_or_its_sentence(tmp_path, file):
    assert is_right(file, tmp_path), outcome(file, tmp_path)


@pytest.mark.parametrize("name", CLASSES)
def test_without_the_guard_of_a_class_exactly_its_files_go_wrong(tmp_path, monkeypatch, name):
    for guard, stand_in in CLASSES[name][0].items():
        monkeypatch.setattr(f"postgrad.corpus.{guard}", stand_in)
    assert {file.name for file in FILES if not is_right(file, tmp_path)} == OWN[name]


def test_no_sentence_shows_a_post(tmp_path):
    posts = ("made up", "so sad today", "another one")
    for file in FILES:
        assert not any(post in str(outcome(file, tmp_path)) for post in posts), file.name


def test_the_size_of_a_cell_is_bounded(tmp_path):
    """A quote that is never closed in a large file would otherwise take in all rows after it."""
    limit = csv.field_size_limit()
    huge = File("huge.csv", table(f'1,"{"x" * (limit + 1)}",0'), "huge.csv, row that starts in")
    assert limit >= 1_000_000 and is_right(huge, tmp_path)
    assert readers.csv is csv
