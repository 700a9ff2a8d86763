"""What the beginning of a raw file tells before a run: its columns, its labels, that it is read."""

import pytest

from postgrad.corpus.raw_checks import SAMPLE, find_misfits
from postgrad.corpus.readers import Layout

COLUMNS = {"id": ["id"], "text": ["text"], "label": ["label", "Label"]}


LABELS = ({"name": "no", "value": 0}, {"name": "yes", "value": 1})


def misfits(path, content, columns=COLUMNS, labels=LABELS, **how):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return find_misfits(path, columns, labels, Layout(**how), "moods")


@pytest.fixture
def csv(tmp_path):
    return tmp_path / "posts.csv"


def test_a_file_that_fits(csv):
    assert (
        misfits(csv, "id,text,Label\n1,rain,0\n2,snow, 1 \n3,hail,\n4,mist,1.0\n5,fog,YES\n") == []
    )
    assert misfits(csv, "text\nrain\n", {"text": ["text"]}) == []


def test_each_missing_column_is_named_with_the_columns_that_are_there(csv):
    assert misfits(csv, "nr,text\n1,rain\n") == [
        f"{csv}, line 1: no column {name}; the file has nr, text; name the right one under "
        "`columns` in config/tasks/moods.yaml."
        for name in ("id", "label or Label")
    ]


def test_a_file_without_a_header_shows_no_post(csv):
    (found, *_) = misfits(csv, "I have had a fever since Monday,0\n")
    assert "fever" not in found and "Does the file have a header? Add one." in found


def test_a_column_that_occurs_twice_and_another_delimiter(csv):
    (found,) = misfits(csv, "id,text,text,label\n1,a,b,0\n")
    assert "the column text occurs twice" in found
    found = misfits(csv, "id;text;label\n1;a;0\n")
    assert len(found) == 3 and 'write `delimiter: ";"` beside the file' in found[0]
    assert misfits(csv, "id;text;label\n1;a;0\n", delimiter=";") == []


def test_values_that_are_no_label_are_listed(csv):
    rows = "id,text,label\n" + "".join(f"{n},rain,{value}\n" for n, value in enumerate("3012432"))
    assert misfits(csv, rows) == [
        f"{csv}: column label holds 2, 3 and 4, which are no labels of the task; list them under "
        "labels with the value of the file, or correct the file."
    ]
    (found,) = misfits(csv, "id,text,label\n1,rain,side effect\n")
    assert "holds side effect, which is no label of the task; list it under labels" in found
    rows = "id,text,label\n" + "".join(f"{n},rain,{value}\n" for n, value in enumerate("abcdefg"))
    (found,) = misfits(csv, rows)
    assert "holds a, b, c, d, e and 2 more, which are no labels" in found


def test_values_that_may_be_posts_are_counted_and_not_shown(csv):
    long = "id,text,label\n1,0,I cannot sleep at night\n2,1,so sad\n"
    (found,) = misfits(csv, long)
    assert "column label holds 2 values that are no labels of the task" in found
    assert "sad" not in found and "sleep" not in found
    many = "id,text,label\n" + "".join(f"{n},rain,{n + 7}\n" for n in range(40))
    (found,) = misfits(csv, many)
    assert "holds 40 values" in found and "17" not in found


def test_rows_that_are_no_posts_have_no_label(csv):
    """As in cleaning: without an id or a visible text, or with more cells than columns."""
    rows = "id,text,label\n1,rain,0\n,total,9\n2,,8\n3,\u200b,7\n4,rain,6,more\n5,rain,nan\n"
    assert misfits(csv, rows) == []


def test_only_the_first_rows_are_read(csv):
    rows = ["id,text,label", *(f"{n},rain,0" for n in range(SAMPLE)), "x,rain,9", '"']
    assert misfits(csv, "\n".join(rows)) == []
    assert len(misfits(csv, "\n".join([*rows[:SAMPLE], "x,rain,9"]))) == 1


def test_a_label_that_is_listed_among_others_may_hold_anything(csv):
    assert misfits(csv, "id,text,label\n1,rain,anything else\n", labels=None) == []


@pytest.mark.parametrize(
    ("content", "words", "how"),
    [
        ("", "the file is empty", {}),
        (b"id,text,label\n1,caf\xe9,0\n", "line 2: not valid utf-8", {"encoding": "utf-8"}),
        ('id,text,label\n1,"rain,0\n', "row that starts in line 2", {}),
    ],
)
def test_a_file_that_cannot_be_read(csv, content, words, how):
    (found,) = misfits(csv, content, **how)
    assert found.startswith(str(csv)) and words in found


def test_another_encoding_and_a_damaged_archive(csv, tmp_path):
    assert misfits(csv, b"id,text,label\n1,caf\xe9,0\n", encoding="cp1252") == []
    (found,) = misfits(tmp_path / "posts.csv.gz", b"\x1f\x8b\x08no archive")
    assert found.startswith(f"{tmp_path / 'posts.csv.gz'}, after line 0: the file is damaged")
