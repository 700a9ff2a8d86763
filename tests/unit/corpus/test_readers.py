"""Raw files of every kind give the same rows, and a file that cannot be read is named in one
sentence.
"""

import json

import openpyxl
import pyarrow as pa
import pytest
from raw_files import corpus_of, spec, split, write

from postgrad.corpus.readers import Layout, read_raw_rows

# -- kinds of file --------------------------------------------------------------------------------


def test_every_kind_of_file_gives_the_same_rows(tmp_path):
    expected = [("1", "naïve, «two\nlines»"), ("2", "b")]
    write(tmp_path, "a.csv", '\ufeffid,text\r\n1,"naïve, «two\nlines»"\r\n2,b\r\n')
    write(tmp_path, "a.tsv", 'id\ttext\n1\t"naïve, «two\nlines»"\n2\tb\n')
    quoted = {"a.tsv": Layout(quotes="csv")}
    lines = "".join(json.dumps({"id": int(key), "text": text}) + "\n" for key, text in expected)
    write(tmp_path, "a.jsonl", lines)
    write(tmp_path, "a.jsonl.zst", pa.Codec("zstd").compress(lines.encode(), asbytes=True))
    book = openpyxl.Workbook()
    for row in [["id", "text"], [None, None], *([int(key), text] for key, text in expected)]:
        book.active.append(row)
    book.create_sheet("other").append(["unread"])
    book.save(tmp_path / "a.xlsx")
    lines = {
        "a.csv": [2, 4],
        "a.tsv": [2, 4],
        "a.jsonl": [1, 2],
        "a.jsonl.zst": [1, 2],
        "a.xlsx": [3, 4],
    }
    for name in lines:
        columns, rows = read_raw_rows(str(tmp_path / name), name, quoted.get(name, Layout()))
        rows = list(rows)
        assert columns == ["id", "text"], name
        assert [(row["id"], row["text"]) for _, row in rows] == expected, name
        assert [line for line, _ in rows] == lines[name], name
    assert read_raw_rows(str(tmp_path / "a.xlsx"), "a.xlsx", Layout(sheet="other"))[0] == ["unread"]


def test_a_bare_carriage_return_stays_in_its_cell_and_cp1252_is_read(tmp_path):
    write(
        tmp_path, "train.csv", 'id,text,label\r\n1,"one\rtwo ‘quoted’",0\r\n2,three,1\r\n', "cp1252"
    )
    splits, _ = corpus_of(spec(train=split("train.csv", encoding="cp1252")), tmp_path)
    assert splits["train"]["text"].to_list() == ["one two ‘quoted’", "three"]


# -- files that cannot be trusted -----------------------------------------------------------------


HEAD = "id,text,label\n1,a secret,0\n"
BAD_FILES = {
    "not utf-8": (
        "train.csv",
        "id,text,label\n1,naïve,0\n".encode() + b"2,secret \xa1,1\n",
        "train.csv, line 3: not valid utf-8, though other lines are; correct the line, or name the "
        "file's encoding under `encoding` in the task file.",
    ),
    "quote never closed": (
        "train.csv",
        HEAD + '2,"a secret,1\n3,x,0\n',
        "train.csv, row that starts in line 3: unexpected end of data; a quote inside a quoted "
        "cell "
        "is written twice. If a quotation mark is a letter in this file, write quotes: none.",
    ),
    "empty": ("train.csv", "", "train.csv: the file is empty; it has not even a header."),
    "missing column": (
        "train.csv",
        HEAD.replace("label", "class"),
        "train.csv, line 1: no column label; the file has id, text, class; "
        "name the right one under `columns` in config/tasks/toy.yaml.",
    ),
    "no header": (
        "train.csv",
        "1,this is my long secret!,0\n2,no?,1\n",
        "train.csv, line 1: no column id; its first line does not look like the names of columns. "
        "Does the file have a header? Add one.",
    ),
    "label outside": (
        "train.csv",
        HEAD + '2,"a\nb",a longer secret text\n',
        "train.csv, line 3, column label: the value is not a label of the task (0, 1, no, "
        "yes); "
        "correct the row, or the labels in the task file.",
    ),
    "not a workbook": (
        "train.xlsx",
        HEAD,
        "train.xlsx: not a readable workbook; save it again as .xlsx or as .csv.",
    ),
    "not json": (
        "train.jsonl",
        '{"id": 1, "text": "secret", "label": 0}\nsecret\n',
        "train.jsonl, line 2: not a JSON object; each line holds one.",
    ),
    "json of another shape": (
        "train.jsonl",
        '["secret"]\n',
        "train.jsonl, line 1: not a JSON object; each line holds one.",
    ),
    "no usable row": (
        "train.csv",
        "id,text,label\n1,,0\n2,,0\n",
        "train.csv: none of its 2 rows is a post; the first: no text.",
    ),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_file_that_cannot_be_trusted_is_named_in_one_sentence(tmp_path, case):
    name, content, sentence = BAD_FILES[case]
    write(tmp_path, name, content)
    with pytest.raises(ValueError) as fault:
        corpus_of(spec(train=split(name)), tmp_path)
    assert str(fault.value) == sentence
    assert "secret" not in sentence


def test_a_torn_zstd_stream_is_a_fault(tmp_path):
    lines = "".join(
        json.dumps({"id": str(i), "text": f"secret {i * 7919}"}) + "\n" for i in range(20_000)
    )
    packed = pa.Codec("zstd").compress(lines.encode(), asbytes=True)
    write(tmp_path, "pool.jsonl.zst", packed[: len(packed) // 2])
    with pytest.raises(
        ValueError, match=r"^pool.jsonl.zst, after line \d+: the file is dam"
    ) as fault:
        corpus_of(
            spec(unlabeled={"file": "pool.jsonl.zst", "columns": {"id": "id", "text": "text"}}),
            tmp_path,
        )
    assert "secret" not in str(fault.value)


def test_a_missing_sheet_is_named_with_those_that_are_there(tmp_path):
    openpyxl.Workbook().save(tmp_path / "train.xlsx")
    with pytest.raises(ValueError, match="^train.xlsx: no sheet `Posts`; the file has Sheet.$"):
        corpus_of(spec(train=split("train.xlsx", sheet="Posts")), tmp_path)
