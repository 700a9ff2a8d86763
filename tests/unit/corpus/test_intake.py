"""Kinds of files that real users bring, each with the posts that come out of it.

The files of ../shared/cases, where they are at hand, are read as well: none of them may end in a
traceback, and none may lose a row in silence.
"""

import datetime
import gzip
import json
import zipfile

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from backports import zstd
from raw_files import COLUMNS, corpus_of, fates, spec, split, write
from tree import ROOT

CASES = ROOT.parent / "shared/cases"
ROWS = [("1", "made up", 0), ("2", "another one", 1)]
CSV = "id,text,label\n1,made up,0\n2,another one,1\n"
LINES = "".join(json.dumps({"id": i, "text": t, "label": n}) + "\n" for i, t, n in ROWS)


def train(tmp_path, file, notes=None, **more):
    """The posts of a train split of one file."""
    splits, _ = corpus_of(spec(train=split(file, **more)), tmp_path, notes)
    return [(*row,) for row in splits["train"][["post_id", "text", "label"]].values.tolist()]


def reasons(ledger):
    return [reason for *_, reason in fates(ledger)]


def refusal(tmp_path, spec):
    with pytest.raises(ValueError) as fault:
        corpus_of(spec, tmp_path)
    return str(fault.value)


# -- formats --------------------------------------------------------------------------------------


def zipped(tmp_path, name, content):
    with zipfile.ZipFile(tmp_path / name, "w") as archive:
        archive.writestr("__MACOSX/._posts.csv", b"x")
        archive.writestr("posts.csv", content)


def parquet(tmp_path, name, _):
    table = pa.table({key: [row[at] for row in ROWS] for at, key in enumerate(COLUMNS)})
    pq.write_table(table, tmp_path / name)


def put(name, content):
    return lambda tmp_path, *_: (tmp_path / name).write_bytes(content)


FORMATS = {
    "posts.CSV": put("posts.CSV", CSV.encode()),
    "posts": put("posts", CSV.encode()),
    "posts.json": put(
        "posts.json",
        json.dumps([json.loads(line) for line in LINES.splitlines()], indent=2).encode(),
    ),
    "posts.ndjson": put("posts.ndjson", LINES.encode()),
    "RC_2023-01.zst": put(
        "RC_2023-01.zst",
        zstd.compress(
            LINES.encode(),
            options={
                zstd.CompressionParameter.window_log: 29,
                zstd.CompressionParameter.enable_long_distance_matching: 1,
            },
        ),
    ),
    "posts.csv.gz": put("posts.csv.gz", gzip.compress(CSV.encode())),
    "packed.csv": put("packed.csv", gzip.compress(CSV.encode())),  # told by its content
    "posts.zip": lambda tmp_path, *_: zipped(tmp_path, "posts.zip", CSV),
    "posts.parquet": lambda tmp_path, *_: parquet(tmp_path, "posts.parquet", None),
    "utf16.csv": put("utf16.csv", CSV.encode("utf-16")),
    "bom.csv": put("bom.csv", b"\xef\xbb\xbf" + CSV.encode()),
}


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_is_told_by_content_and_by_name_in_any_case(tmp_path, name):
    FORMATS[name](tmp_path, name)
    assert train(tmp_path, name) == [*ROWS]


def test_an_encoding_is_found_and_told(tmp_path):
    write(tmp_path, "a.csv", "id,text,label\n1,“quoted” café,0\n", "cp1252")
    write(tmp_path, "b.csv", CSV.encode("utf-16-le"))
    notes = []
    assert train(tmp_path, "a.csv", notes) == [("1", "“quoted” café", 0)]
    assert train(tmp_path, "b.csv", notes) == [*ROWS]
    assert notes == [
        "a.csv: read as cp1252, since line 2 is not valid UTF-8",
        "b.csv: read as UTF-16, since every other byte is zero",
    ]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "UTF-8", "utf8", "utf_8"])
def test_a_byte_order_mark_is_dropped_for_every_spelling(tmp_path, encoding):
    write(tmp_path, "a.csv", b"\xef\xbb\xbf" + CSV.encode())
    assert train(tmp_path, "a.csv", encoding=encoding) == [*ROWS]


def test_a_codec_of_no_text_and_a_wrong_one_are_one_sentence(tmp_path):
    write(tmp_path, "a.csv", CSV)
    found = refusal(tmp_path, spec(train=split("a.csv", encoding="rot13")))
    assert found.startswith("a.csv: rot13 is not an encoding of text;")
    found = refusal(tmp_path, spec(train=split("a.csv", encoding="utf-16")))
    assert found.startswith("a.csv: not valid utf-16;") and "\n" not in found


# -- tables ---------------------------------------------------------------------------------------


def test_a_quotation_mark_in_a_tsv_is_a_letter_unless_the_task_says_otherwise(tmp_path):
    content = 'id\ttext\tlabel\n1\t"hi" he said\t0\n2\t"half a quote\t1\n3\tthird\t0\n'
    write(tmp_path, "a.tsv", content)
    assert [text for _, text, _ in train(tmp_path, "a.tsv")] == [
        '"hi" he said', '"half a quote', "third",
    ]  # fmt: skip
    write(tmp_path, "b.tsv", 'id\ttext\tlabel\n1\t"two\nlines"\t0\n2\tb\t1\n')
    assert [text for _, text, _ in train(tmp_path, "b.tsv", quotes="csv")] == ["two lines", "b"]
    notes = []
    train(tmp_path, "b.tsv", notes)
    assert any("write quotes: csv if its cells are in double quotes" in note for note in notes)


def test_a_delimiter_is_read_as_declared_and_named_where_it_fits(tmp_path):
    write(tmp_path, "a.csv", CSV.replace(",", ";"))
    assert train(tmp_path, "a.csv", delimiter=";") == [*ROWS]
    found = refusal(tmp_path, spec(train=split("a.csv")))
    assert "its cells seem to be separated by ';'; write `delimiter: \";\"`" in found
    write(tmp_path, "b.csv", "sep=;\n" + CSV.replace(",", ";"))
    assert train(tmp_path, "b.csv") == [*ROWS]


def test_two_columns_or_keys_of_one_name_are_an_error(tmp_path):
    write(tmp_path, "a.csv", "id,text,label,text\n1,a,0,b\n")
    assert "the column text occurs twice" in refusal(tmp_path, spec(train=split("a.csv")))
    write(tmp_path, "a.jsonl", '{"id": 1, "text": "a", "text": "b", "label": 0}\n')
    assert "a.jsonl, line 1: the key text occurs twice" in refusal(
        tmp_path, spec(train=split("a.jsonl"))
    )


def test_the_message_on_a_file_without_a_header_shows_no_post(tmp_path):
    write(tmp_path, "a.csv", "129,so sad today,1\n130,another one,0\n")
    found = refusal(tmp_path, spec(train=split("a.csv")))
    assert "Does the file have a header?" in found and "sad" not in found


# -- workbooks ------------------------------------------------------------------------------------


def test_a_workbook_with_several_sheets_and_odd_cells(tmp_path):
    book = openpyxl.Workbook()
    book.create_chartsheet("Chart", 0)
    book.active = 1
    page = book.worksheets[0]
    page.title = "Posts"
    for row in [
        [*COLUMNS],
        [1, "two_x000D_\nlines", 0],
        [2, datetime.datetime(2024, 3, 1), 1],
        [3, datetime.time(12, 30), 1],
        [1290123456789012345, "rounded", 1],
    ]:
        page.append(row)
    book.create_sheet("Notes").append(["by me"])
    book.save(tmp_path / "a.xlsx")
    notes = []
    splits, ledger = corpus_of(spec(train=split("a.xlsx")), tmp_path, notes)
    assert splits["train"][["post_id", "text"]].values.tolist() == [
        ["1", "two lines"],
        ["a.xlsx:5", "rounded"],
    ]
    assert reasons(ledger) == [None, "text is a date", "text is a date", None]
    assert "a.xlsx: read from sheet Posts; its other sheets are Notes" in notes
    found = refusal(tmp_path, spec(train=split("a.xlsx", sheet="Chart")))
    assert "the file has Posts, Notes." in found


# -- ids and losses -------------------------------------------------------------------------------


@pytest.mark.parametrize("ids", [
    ["1.29e18", "1.30e18"], ["1,29E+18", "1,30E+18"], ["1.29E+18", "1.29E+18"],
    ["1290000000000000000.0", "1300000000000000000.0"],
    ["1290000000000000000", "1290000000000000000"],
])  # fmt: skip
def test_rounded_ids_are_replaced_by_file_and_line(tmp_path, ids):
    rows = "".join(f'"{id}",post {at},{at % 2}\n' for at, id in enumerate(ids))
    write(tmp_path, "a.csv", "id,text,label\n" + rows)
    notes = []
    assert [id for id, *_ in train(tmp_path, "a.csv", notes)] == ["a.csv:2", "a.csv:3"]
    assert notes == [
        "a.csv: 2 ids were rounded by a spreadsheet or a data frame; these posts are named by file "
        "and line"
    ]


def test_long_ids_of_which_few_end_in_zeros_stay(tmp_path):
    ids = ["1290123456789012345", "1290123456789012346", "1290123456789010000", "17.0"]
    write(tmp_path, "a.csv", "id,text,label\n" + "".join(f"{id},p {id},0\n" for id in ids))
    assert [id for id, *_ in train(tmp_path, "a.csv")] == [*ids[:3], "17"]


def test_files_of_one_name_in_several_folders_have_ids_of_their_own(tmp_path):
    for folder in ("a.b", "a.c"):
        (tmp_path / folder).mkdir()
        write(tmp_path, f"{folder}/posts.csv", f"text,label\npost of {folder},0\n")
    columns = {"text": "text", "label": "label"}
    files = {"files": ["a.b/posts.csv", "a.c/posts.csv"], "columns": columns}
    splits, _ = corpus_of(spec(train=files), tmp_path)
    assert splits["train"]["post_id"].to_list() == ["a.b/posts.csv:2", "a.c/posts.csv:2"]


def test_a_loss_of_more_than_a_tenth_for_one_reason_stops_unless_it_is_allowed(tmp_path):
    rows = "".join(f"{at % 7},post {at},{at % 2}\n" for at in range(70))
    write(tmp_path, "a.csv", "id,text,label\n" + rows)
    found = refusal(tmp_path, spec(allow_loss=0.1, train=split("a.csv")))
    assert found == (
        "toy: of 70 rows of train, posts would be lost: 63 for 'repeated id'. Correct the files, "
        "or `columns` in the task file; if this loss is right, write allow_loss: 0.9 in "
        "config/tasks/toy.yaml."
    )
    splits, _ = corpus_of(spec(allow_loss=0.9, train=split("a.csv")), tmp_path)
    assert len(splits["train"]) == 7
    few = "".join(f"{at},{'' if at < 7 else f'post {at}'},0\n" for at in range(70))
    write(tmp_path, "b.csv", "id,text,label\n" + few)
    assert len(corpus_of(spec(allow_loss=0.1, train=split("b.csv")), tmp_path)[0]["train"]) == 63


# -- labels ---------------------------------------------------------------------------------------


def test_labels_match_without_regard_to_case_and_blanks(tmp_path):
    write(tmp_path, "a.csv", "id,text,label\n1,a,No\n2,b, yes \n3,c,YES\n4,d,1.0\n")
    assert [label for *_, label in train(tmp_path, "a.csv")] == [0, 1, 1, 1]
    write(tmp_path, "b.csv", "id,text,label\n1,a,TRUE\n")
    assert "the value 'TRUE' is not a label" in refusal(tmp_path, spec(train=split("b.csv")))


def test_values_of_a_listed_label_are_stripped_and_have_to_occur(tmp_path):
    def listed(among):
        label = {"column": "labels", "among": among, "separator": ","}
        return {"file": "a.jsonl", "columns": {"id": "id", "text": "text", "label": label}}

    write(
        tmp_path,
        "a.jsonl",
        '{"id": 1, "text": "a", "labels": ["side-effect ", "x"]}\n'
        '{"id": 2, "text": "b", "labels": "x, side-effect"}\n'
        '{"id": 3, "text": "c", "labels": "x"}\n',
    )
    splits, _ = corpus_of(spec(train=listed("side-effect")), tmp_path)
    assert splits["train"]["label"].to_list() == [1, 1, 0]
    found = refusal(tmp_path, spec(train=listed("side_effect")))
    assert found.startswith("toy: no row has 'side_effect' in its column labels;")


# -- nested and damaged JSON ----------------------------------------------------------------------


def test_dotted_paths_and_arrays_of_records_are_read(tmp_path):
    columns = {"id": "data.id", "text": "data.text", "label": "kind"}
    one = {"data": {"id": "1", "text": "made up"}, "includes": {}, "kind": 0}
    many = {"data": [{"id": "2", "text": "b"}, {"id": "3", "text": "c"}], "kind": 1}
    write(tmp_path, "a.jsonl", json.dumps(one) + "\n" + json.dumps(many) + "\n")
    splits, _ = corpus_of(spec(train={"file": "a.jsonl", "columns": columns}), tmp_path)
    assert splits["train"][["post_id", "text", "label"]].values.tolist() == [
        ["1", "made up", 0], ["2", "b", 1], ["3", "c", 1],
    ]  # fmt: skip


def test_a_row_whose_text_is_no_text_or_that_cannot_be_read_is_rejected_alone(tmp_path):
    rows = ['{"id": 1, "text": {"en": "a"}, "label": 1}', '{"id": 2, "text": ["a"], "label": 0}',
            f'{{"id": {"9" * 5000}, "text": "x", "label": 0}}',
            '{"id": 4, "text": "kept", "label": 0}']  # fmt: skip
    write(tmp_path, "a.jsonl", "\n".join(rows) + "\n")
    _, ledger = corpus_of(spec(train=split("a.jsonl")), tmp_path)
    assert reasons(ledger) == [
        "text is an object", "text is a list", "a number of too many digits", None,
    ]  # fmt: skip


@pytest.mark.parametrize("text", [
    "[removed]", "[ Removed by Reddit ]", "[removed by moderator]", "[deleted by user]",
])  # fmt: skip
def test_a_removed_post_is_rejected(tmp_path, text):
    rows = [{"id": 1, "text": text, "label": 0}, {"id": 2, "text": "kept", "label": 0}]
    write(tmp_path, "a.jsonl", "\n".join(map(json.dumps, rows)) + "\n")
    _, ledger = corpus_of(spec(train=split("a.jsonl")), tmp_path)
    assert reasons(ledger) == ["text removed", None]


# -- layouts of a corpus --------------------------------------------------------------------------


def test_a_column_names_the_split_of_each_row(tmp_path):
    write(
        tmp_path, "all.csv",
        "id,text,label,set\n1,a,0,train\n2,b,1,Validation\n3,c,1,test\n4,d,0,other\n",
    )  # fmt: skip
    parts = {"train": "train", "dev": ["validation", "val"], "test": "test"}
    divide = {"from": "all.csv", "columns": {**COLUMNS, "split": "set"}, "parts": parts}
    splits, ledger = corpus_of(spec(divide, train={}, dev={}, test={}), tmp_path)
    ids = {name: splits[name]["post_id"].to_list() for name in parts}
    assert ids == {"train": ["1"], "dev": ["2"], "test": ["3"]}
    assert ledger.loc[ledger["post_id"] == "4", "reason"].to_list() == ["of no split"]


def test_a_line_for_each_post_beside_a_line_for_each_label(tmp_path):
    write(tmp_path, "train_text.txt", "a post\x0bof one line\nsecond\n")
    write(tmp_path, "train_labels.txt", "1\n0\n")
    body = {"file": "train_text.txt", "labels_file": "train_labels.txt"}
    splits, _ = corpus_of(spec(train=body), tmp_path)
    assert splits["train"][["text", "label"]].values.tolist() == [
        ["a post of one line", 1], ["second", 0],
    ]  # fmt: skip
    write(tmp_path, "train_labels.txt", "1\n")
    assert refusal(tmp_path, spec(train=body)).startswith("train_text.txt has 2 lines, and the")


def test_one_gold_file_serves_several_test_files(tmp_path):
    write(tmp_path, "t1.csv", "id,text\n1,a\n2,b\n")
    write(tmp_path, "t2.csv", "id,text\n3,c\n4,d\n")
    write(tmp_path, "gold.csv", "id,label\n1,0\n3,1\n")
    write(tmp_path, "train.csv", CSV.replace("1,", "11,", 1).replace("2,", "12,"))
    test = {"files": ["t1.csv", "t2.csv"], "gold": "gold.csv", "columns": COLUMNS}
    splits, ledger = corpus_of(spec(train=split("train.csv"), test=test), tmp_path)
    assert splits["test"][["post_id", "label"]].values.tolist() == [["1", 0], ["3", 1]]
    assert (ledger["fate"] == "decoy").sum() == 2


@pytest.mark.skipif(not CASES.is_dir(), reason="the cases are not at ../shared/cases")
def test_no_case_ends_in_a_traceback_or_loses_a_row_in_silence():
    files = sorted(
        path for path in CASES.rglob("*") if path.is_file() and path.suffix not in (".md",)
    )
    assert len(files) > 25
    for path in files:
        name = str(path.relative_to(CASES))
        body = spec(allow_loss=0.1, train=split(name))
        try:
            splits, ledger = corpus_of(body, CASES)
        except ValueError as fault:
            assert name in str(fault) or str(fault).startswith("toy: "), name
            assert "\n" not in str(fault) and len(str(fault)) < 600, name
        else:
            assert len(splits["train"]) + (ledger["fate"] == "rejected").sum() == len(ledger), name
