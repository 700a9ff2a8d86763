"""clean: raw rows to posts, with a ledger of every row, and one sentence for a file that cannot be trusted."""

import json
import subprocess
import sys

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from tree import ROOT

from postgrad.corpus.cleaning import LEDGER, cleaned_text, corpus, divided, selected
from postgrad.corpus.readers import raw_rows
from postgrad.demo.grammar import SHARES
from postgrad.records.names import SPLITS
from postgrad.records.posts import POSTS
from postgrad.report.bookkeeping import ledger_rows

SHARED = ROOT.parent / "shared/data"
COLUMNS = {"id": "id", "text": "text", "label": "label"}


def spec(divide=None, **splits):
    labels = [{"name": "no", "value": 0}, {"name": "yes", "value": 1}]
    body = {"task": "toy", "platform": "reddit", "source": "handed out by the organisers", "labels": labels}
    return {**body, "splits": splits, **({"divide": divide} if divide else {})}


def split(file, **more):
    return {"file": file, "columns": COLUMNS, **more}


def write(folder, name, content, encoding="utf-8"):
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode(encoding))


def fates(ledger):
    table = pa.Table.from_pandas(ledger[["line", "post_id", "fate", "reason"]])  # null as None, not as NaN
    return [tuple(row.values()) for row in table.to_pylist()]


def clean(spec, data, out):
    command = [sys.executable, "workflow/scripts/clean.py", "--spec", json.dumps(spec)]
    return subprocess.run([*command, "--data", str(data), "--out", str(out)], cwd=ROOT, capture_output=True, text=True)


# -- the command ----------------------------------------------------------------------------------


def test_clean_writes_five_splits_and_the_ledger(tmp_path):
    write(tmp_path, "train.csv", "id,text,label\n1,one two,0\n,three,1\n3,four &amp; five,1\n")
    result = clean(spec(train=split("train.csv")), tmp_path, tmp_path / "out")
    assert result.returncode == 0, result.stderr
    names = {f"{name}.parquet" for name in SPLITS} | {"ledger.parquet"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == names
    for name in SPLITS:
        assert pq.read_schema(tmp_path / "out" / f"{name}.parquet").equals(POSTS)
    assert pq.read_table(tmp_path / "out/train.parquet").to_pydict() == {
        "post_id": ["1", "3"],
        "text": ["one two", "four & five"],
        "keyword": [None, None],
        "label": [0, 1],
        "platform": ["reddit", "reddit"],
        "author": [None, None],
        "origin": ["gold", "gold"],
        "parent": [None, None],
    }
    assert pq.read_schema(tmp_path / "out/ledger.parquet").equals(LEDGER)
    ledger = pd.read_parquet(tmp_path / "out/ledger.parquet")
    assert set(ledger["task"]) == {"toy"} and set(ledger["file"]) == {"train.csv"}
    assert [row[2] for row in fates(ledger)] == ["kept", "rejected", "kept"]


def test_a_fault_is_one_sentence_and_leaves_nothing(tmp_path):
    write(tmp_path, "train.csv", "id,text,label\n1,a secret,0\n2,a secret,secret\n")
    result = clean(spec(train=split("train.csv")), tmp_path, tmp_path / "out")
    assert result.returncode == 1
    assert result.stderr == (
        "clean: train.csv, line 3, column label: the value is not a label of the task (0, 1); "
        "correct the row, or the labels in the task file.\n"
    )
    assert not (tmp_path / "out").exists()


def test_made_up_posts_go_through_with_the_task_files_of_the_project(tmp_path):
    sizes = {"train": 20, "dev": 12, "test": 12, "decoys": 6}
    tasks = dict.fromkeys(SHARES, sizes) | {"smm4h24-task6": {**sizes, "unlabeled": 40}}  # which is the last
    made = {"seed": 1, "posts": tasks}
    command = [sys.executable, "workflow/scripts/demo.py", "--spec", json.dumps(made), "--out", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True)
    for task in tasks:
        body = yaml.safe_load((ROOT / f"config/tasks/{task}.yaml").read_text())
        splits, ledger = corpus({**body, "task": task}, tmp_path)
        assert [len(splits[name]) for name in ("train", "dev", "test", "cross")] == [20, 12, 12, 0]
        assert splits["test"]["label"].notna().all()
        assert (ledger["fate"] == "decoy").sum() == 6
        assert sorted(set(splits["train"]["label"])) == list(range(len(body["labels"])))
    # The last was 2024 Task 6. Its pool is selected, its platforms come from `source`.
    assert 0 < len(splits["unlabeled"]) < 40
    assert set(ledger["reason"].dropna()) == {"not selected"}
    assert splits["test"]["platform"].value_counts().to_dict() == {"reddit": 8, "twitter": 4}
    assert set(splits["unlabeled"]["origin"]) == {"pool"} and splits["unlabeled"]["label"].isna().all()


# -- rows and their fates -------------------------------------------------------------------------


def test_bad_rows_go_to_the_ledger_with_line_and_reason(tmp_path):
    write(
        tmp_path,
        "train.csv",
        '\ufeffid,text,label,,\n1,fine,0,,\n,no id,0,,\n2,,1,,\n3,"two\nlines",,,\n1,again,1,,\n'
        "\n4,[removed],0,,\n5,\u200b,0,,\n1.5E+18,x,0,,\n6,nan,1,,\n7,x,1,,,stray\n8,x,1.0,,\n,,,sum,8\n",
    )
    splits, ledger = corpus(spec(train=split("train.csv")), tmp_path)
    assert fates(ledger) == [
        (2, "1", "kept", None),
        (3, None, "rejected", "no id"),
        (4, "2", "rejected", "no text"),
        (5, "3", "rejected", "no label"),
        (7, "1", "rejected", "repeated id"),
        (9, "4", "rejected", "text removed"),
        (10, "5", "rejected", "no text"),
        (11, "1.5E+18", "rejected", "id rounded by a spreadsheet"),
        (12, "6", "rejected", "no text"),
        (13, "7", "rejected", "more cells than columns"),
        (14, "8", "kept", None),
        (15, None, "rejected", "no id"),
    ]
    assert splits["train"]["label"].to_list() == [0, 1]


def test_a_label_beside_no_id_is_a_spreadsheets_own(tmp_path):
    write(tmp_path, "train.csv", "id,text,label\n1,one,0\n,,1800\n")
    _, ledger = corpus(spec(train=split("train.csv")), tmp_path)
    assert fates(ledger)[1] == (3, None, "rejected", "no id")


def test_an_id_in_two_splits_stays_where_it_is_scored(tmp_path):
    write(tmp_path, "train.csv", "id,text,label\n1,a,0\n2,b,0\n3,c,1\n4,d,1\n")
    write(tmp_path, "dev.csv", "id,text,label\n2,b,0\n3,c,1\n")
    write(tmp_path, "test.csv", "id,text,label\n3,c,1\n")
    files = {name: split(f"{name}.csv") for name in ("train", "dev", "test")}
    splits, ledger = corpus(spec(**files), tmp_path)
    assert [splits[name]["post_id"].to_list() for name in files] == [["1", "4"], ["2"], ["3"]]
    rejected = ledger[ledger["fate"] == "rejected"]
    assert list(zip(rejected["split"], rejected["reason"], strict=True)) == [
        ("train", "id also in dev"),
        ("train", "id also in test"),
        ("dev", "id also in test"),
    ]


def test_ids_that_start_anew_in_each_file_do_not_empty_a_split_in_silence(tmp_path):
    for name in ("train", "test"):
        write(tmp_path, f"{name}.csv", f"id,text,label\n1,{name} a,0\n2,{name} b,1\n")
    with pytest.raises(ValueError) as fault:
        corpus(spec(train=split("train.csv"), test=split("test.csv")), tmp_path)
    assert str(fault.value) == "train.csv: none of its 2 rows is a post; the first: id also in test."


def test_rows_of_test_that_gold_does_not_name_are_decoys(tmp_path):
    write(tmp_path, "train.csv", "id,text,label\n3,decoy,1\n")
    write(tmp_path, "test.csv", "id,text\n1,a\n2,b\n3,decoy\n4,\n")
    write(tmp_path, "gold.csv", "id,label\n2,1\n1,0\n")
    files = {"train": split("train.csv"), "test": split("test.csv", gold="gold.csv")}
    splits, ledger = corpus(spec(**files), tmp_path)
    assert splits["test"][["post_id", "label"]].values.tolist() == [["1", 0], ["2", 1]]
    assert ledger["fate"].to_list() == ["kept", "kept", "kept", "decoy", "rejected"]
    assert len(splits["train"]) == 1  # a decoy is never scored, so it takes no post from train
    (tmp_path / "gold.csv").unlink()
    splits, ledger = corpus(spec(test=split("test.csv", gold="gold.csv")), tmp_path)
    assert ledger["fate"].to_list() == ["kept", "kept", "kept", "rejected"]
    assert splits["test"]["label"].isna().all() and len(splits["test"]) == 3


def test_the_pool_is_selected_cut_and_joined_from_several_files(tmp_path):
    write(tmp_path, "a.csv", "id,title,body\n1,I am 27,and so tired of it all\n2,No number,at all in here\n")
    write(tmp_path, "b.csv", "id,title,body\n3,I am 31,\n4,at,44\n5,,no title 19 but a number\n")
    body = {
        "files": "*.csv",
        "platform": "twitter",
        "columns": {"id": "id", "title": "title", "text": "body"},
        "select": {"two_digit_number": True, "min_words": 3},
        "window": 5,
    }
    splits, ledger = corpus(spec(unlabeled=body), tmp_path)
    assert splits["unlabeled"]["text"].to_list() == ["I am 27 and so", "no title 19 but a"]
    assert set(splits["unlabeled"]["platform"]) == {"twitter"}
    assert [row[3] for row in fates(ledger)] == [None, "not selected", "no text", "not selected", None]
    assert ledger["file"].to_list() == ["a.csv"] * 2 + ["b.csv"] * 3


@pytest.mark.parametrize(
    ("text", "chosen"),
    [("I am 27", True), ("27", True), ("(27F)", True), ("270 days", False), ("2.27 or 27.5", False), ("2 7", False)],
)  # fmt: skip
def test_a_number_of_two_digits(text, chosen):
    assert selected(text, {"two_digit_number": True}) is chosen


def test_one_label_among_several(tmp_path):
    write(tmp_path, "train.csv", "ID,text,labels\n1t,a,side-effect rushed\n2t,b,none\n3t,c,rushed side-effects\n")
    wanted = {"column": "labels", "among": "side-effect", "separator": " "}
    body = {"file": "train.csv", "columns": {"id": "ID", "text": "text", "label": wanted}}
    splits, _ = corpus(spec(train=body), tmp_path)
    assert splits["train"][["post_id", "label"]].values.tolist() == [["1t", 1], ["2t", 0], ["3t", 0]]


def test_a_study_reads_so_many_train_posts_and_the_ledger_says_which_it_left_out(tmp_path):
    rows = "".join(f"p{i},{'' if i == 7 else f'post {i}'},{i % 2}\n" for i in range(41))
    for name in ("train", "dev"):
        write(tmp_path, f"{name}.csv", "id,text,label\n" + rows.replace("p", f"{name}-"))
    whole = spec(train=split("train.csv"), dev=split("dev.csv"))
    read = {most: corpus({**whole, "most_train": most}, tmp_path) for most in (1, 10, 25, 40, 99)}
    free, _ = corpus(whole, tmp_path)
    ids = {most: splits["train"]["post_id"].to_list() for most, (splits, _) in read.items()}
    assert [len(ids[most]) for most in read] == [1, 10, 25, 40, 40]
    assert {*ids[1]} < {*ids[10]} < {*ids[25]} < {*ids[40]} and ids[40] == ids[99] == free["train"]["post_id"].to_list()
    assert ids[10] != ids[40][:10] and ids[10] == [id for id in ids[40] if id in ids[10]]
    splits, ledger = read[10]
    assert all(splits[name].equals(free[name]) for name in SPLITS if name != "train")
    (train, dev) = ledger_rows("toy", ledger, pd.DataFrame(columns=["post_id", "split"]))
    assert (train["rows"], train["kept"], train["rejected"]) == (41, 10, 31) and dev["kept"] == 40
    assert train["reasons"] == {"left out: the study reads 10 train posts": 30, "no text": 1}
    assert read[99][1].equals(corpus(whole, tmp_path)[1])


def test_posts_are_left_out_of_train_after_a_corpus_is_divided(tmp_path):
    write(tmp_path, "all.csv", "text,label\n" + "".join(f"post {i},{i % 2}\n" for i in range(100)))
    parts = {"train": 0.7, "dev": 0.1, "test": 0.2}
    divide = {"from": "all.csv", "columns": {"text": "text", "label": "label"}, "parts": parts, "seed": 1}
    body = spec(divide, train={}, dev={}, test={})
    splits, _ = corpus({**body, "most_train": 30}, tmp_path)
    assert [len(splits[name]) for name in ("train", "dev", "test")] == [30, 10, 20]
    assert {*splits["train"]["post_id"]} < {*corpus(body, tmp_path)[0]["train"]["post_id"]}


def test_without_an_id_column_the_line_names_the_post(tmp_path):
    write(tmp_path, "posts.csv", 'text,class\n"a\nb",1\nc,0\n')
    body = {"file": "posts.csv", "columns": {"text": "text", "label": ["label", "class"]}}
    splits, _ = corpus(spec(train=body), tmp_path)
    assert splits["train"][["post_id", "text"]].values.tolist() == [["posts-2", "a b"], ["posts-4", "c"]]


def test_divided_posts_keep_the_classes_shares_and_duplicates_together(tmp_path):
    rows = [f"post {chr(97 + i % 26) * (1 + i // 26)},{int(i % 4 == 0)}" for i in range(200)]
    rows += ["Same  text,1", "same TEXT,1", "same text,0"] * 5
    write(tmp_path, "all.csv", "text,label\n" + "\n".join(rows) + "\n")
    parts = {"train": 0.7, "dev": 0.1, "test": 0.2}
    divide = {"from": "all.csv", "columns": {"text": "text", "label": "label"}, "parts": parts, "seed": 1}
    body = spec(divide, train={}, dev={}, test={})
    splits, ledger = corpus(body, tmp_path)
    assert sum(map(len, splits.values())) == 215 and set(ledger["split"]) == {"train", "dev", "test"}
    assert [(frame["label"] == 0).sum() for frame in splits.values()][:3] == pytest.approx([105, 15, 30], abs=6)
    assert [(frame["label"] == 1).sum() for frame in splits.values()][:3] == pytest.approx([42, 6, 12], abs=11)
    assert sum(frame["text"].str.casefold().eq("same text").any() for frame in splits.values()) == 1
    again, _ = corpus(body, tmp_path)
    assert all(splits[name].equals(again[name]) for name in SPLITS)
    divide["seed"] = 2
    assert not corpus(body, tmp_path)[0]["test"].equals(splits["test"])


def test_parts_are_exact_where_no_text_repeats():
    texts, labels = [str(i) for i in range(50)], [i % 5 == 0 for i in range(50)]
    found = divided(texts, labels, {"train": 0.7, "dev": 0.1, "test": 0.2}, seed=1)
    pairs = list(zip(found, labels, strict=True))
    assert [pairs.count((part, True)) for part in ("train", "dev", "test")] == [7, 1, 2]
    assert [pairs.count((part, False)) for part in ("train", "dev", "test")] == [28, 4, 8]


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("a &amp; b &lt;3", "a & b <3"),
        (" a\r\n\tb\u00a0c ", "a b c"),
        ("cafe\u0301", "caf\u00e9"),
        ("a\x00\x07b\ufeff", "ab"),
        ("half \ud83d", "half"),
        ("@you https://t.co/x 😂", "@you https://t.co/x 😂"),
        ("\u200b \ufeff", ""),
        ("#VALUE!", ""),
        (None, ""),
    ],
)
def test_cleaned_text(raw, clean):
    assert cleaned_text(raw) == clean


# -- kinds of file --------------------------------------------------------------------------------


def test_every_kind_of_file_gives_the_same_rows(tmp_path):
    expected = [("1", "naïve, «two\nlines»"), ("2", "b")]
    write(tmp_path, "a.csv", '\ufeffid,text\r\n1,"naïve, «two\nlines»"\r\n2,b\r\n')
    write(tmp_path, "a.tsv", 'id\ttext\n1\t"naïve, «two\nlines»"\n2\tb\n')
    lines = "".join(json.dumps({"id": int(key), "text": text}) + "\n" for key, text in expected)
    write(tmp_path, "a.jsonl", lines)
    write(tmp_path, "a.jsonl.zst", pa.Codec("zstd").compress(lines.encode(), asbytes=True))
    book = openpyxl.Workbook()
    for row in [["id", "text"], [None, None], *([int(key), text] for key, text in expected)]:
        book.active.append(row)
    book.create_sheet("other").append(["unread"])
    book.save(tmp_path / "a.xlsx")
    lines = {"a.csv": [2, 4], "a.tsv": [2, 4], "a.jsonl": [1, 2], "a.jsonl.zst": [1, 2], "a.xlsx": [3, 4]}
    for name in lines:
        columns, rows = raw_rows(str(tmp_path / name), name)
        rows = list(rows)
        assert columns == ["id", "text"], name
        assert [(row["id"], row["text"]) for _, row in rows] == expected, name
        assert [line for line, _ in rows] == lines[name], name
    assert raw_rows(str(tmp_path / "a.xlsx"), "a.xlsx", sheet="other")[0] == ["unread"]


def test_a_bare_carriage_return_stays_in_its_cell_and_cp1252_is_read(tmp_path):
    write(tmp_path, "train.csv", 'id,text,label\r\n1,"one\rtwo ‘quoted’",0\r\n2,three,1\r\n', "cp1252")
    splits, _ = corpus(spec(train=split("train.csv", encoding="cp1252")), tmp_path)
    assert splits["train"]["text"].to_list() == ["one two ‘quoted’", "three"]


def test_a_header_alone_is_an_empty_split(tmp_path):
    write(tmp_path, "train.csv", "id,text,label\n")
    splits, ledger = corpus(spec(train=split("train.csv")), tmp_path)
    assert len(ledger) == 0 and all(len(frame) == 0 for frame in splits.values())


# -- files that cannot be trusted -----------------------------------------------------------------

HEAD = "id,text,label\n1,a secret,0\n"
TSV = HEAD.replace(",", "\t")
BAD_FILES = {
    "not utf-8": (
        "train.csv", HEAD.encode() + b"2,secret \xa1,1\n",
        "train.csv, line 3: not valid utf-8; name the file's encoding under `encoding` in the task file.",
    ),
    "quote never closed": (
        "train.tsv", TSV + '2\t"a secret\t1\n3\tx\t0\n',
        "train.tsv, row that starts in line 3: unexpected end of data; "
        "a quote inside a quoted cell is written twice.",
    ),
    "empty": ("train.csv", "", "train.csv: the file is empty, not even a header stands in it."),
    "missing column": (
        "train.csv", HEAD.replace("label", "class"),
        "train.csv, line 1: no column label; the file has id, text, class; "
        "name the right one under `columns` in config/tasks/toy.yaml.",
    ),
    "no header": (
        "train.csv", "1,this is my long secret!,0\n2,no?,1\n",
        "train.csv, line 1: no column id; the file has 1, 0 and 1 more; "
        "name the right one under `columns` in config/tasks/toy.yaml.",
    ),
    "label outside": (
        "train.csv", HEAD + '2,"a\nb",secret\n',
        "train.csv, line 3, column label: the value is not a label of the task (0, 1); "
        "correct the row, or the labels in the task file.",
    ),
    "not a workbook": (
        "train.xlsx", HEAD, "train.xlsx: not a readable xlsx file; save it again as .xlsx or as .csv.",
    ),
    "not json": ("train.jsonl", '{"id": 1, "text": "secret", "label": 0}\nsecret\n',
                 "train.jsonl, line 2: not a JSON object; each line holds one."),
    "json of another shape": ("train.jsonl", '["secret"]\n',
                              "train.jsonl, line 1: not a JSON object; each line holds one."),
    "not zstd": ("train.jsonl.zst", '{"id": 1}\n',
                 "train.jsonl.zst, after line 0: not a readable zstd stream; fetch the file again."),
    "unknown kind": ("train.txt", HEAD, "train.txt: not a csv, tsv, xlsx, jsonl or jsonl.zst file by its name."),
    "no usable row": ("train.csv", "id,text,label\n1,,0\n2,,0\n",
                      "train.csv: none of its 2 rows is a post; the first: no text."),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_file_that_cannot_be_trusted_is_named_in_one_sentence(tmp_path, case):
    name, content, sentence = BAD_FILES[case]
    write(tmp_path, name, content)
    with pytest.raises(ValueError) as fault:
        corpus(spec(train=split(name)), tmp_path)
    assert str(fault.value) == sentence
    assert "secret" not in sentence


def test_a_torn_zstd_stream_is_a_fault(tmp_path):
    lines = "".join(json.dumps({"id": str(i), "text": f"secret {i * 7919}"}) + "\n" for i in range(20_000))
    packed = pa.Codec("zstd").compress(lines.encode(), asbytes=True)
    write(tmp_path, "pool.jsonl.zst", packed[: len(packed) // 2])
    with pytest.raises(ValueError, match=r"^pool\.jsonl\.zst, .*line \d+: not a ") as fault:
        corpus(spec(unlabeled={"file": "pool.jsonl.zst", "columns": {"id": "id", "text": "text"}}), tmp_path)
    assert "secret" not in str(fault.value)


def test_a_missing_sheet_is_named_with_those_that_are_there(tmp_path):
    openpyxl.Workbook().save(tmp_path / "train.xlsx")
    with pytest.raises(ValueError, match="^train.xlsx: no sheet `Posts`; the file has Sheet.$"):
        corpus(spec(train=split("train.xlsx", sheet="Posts")), tmp_path)


def test_a_missing_file_is_named_with_its_columns_and_who_hands_it_out(tmp_path):
    columns = {**COLUMNS, "label": ["label", "Classification"]}
    result = clean(spec(train={"file": "toy/train.csv", "columns": columns}), tmp_path, tmp_path / "out")
    assert result.returncode == 1
    assert result.stderr == (
        f"clean: toy/train.csv is not in {tmp_path}; expected are the columns id, text, "
        "label or Classification; handed out by the organisers.\n"
    )


@pytest.mark.parametrize(
    ("gold", "sentence"),
    [
        ("id,label\n1,0\n9,1\n8,1\n",
         "gold.csv: 2 of its 3 ids stand nowhere in test.csv; both must come from the same release."),
        ("id,label\n1,0\n1,1\n", "gold.csv, line 3: a gold row needs an id of its own and a label."),
        ("id,label\n1,\n", "gold.csv, line 2: a gold row needs an id of its own and a label."),
        ("id,label\n1,secret\n",
         "gold.csv, line 2, column label: the value is not a label of the task (0, 1); "
         "correct the row, or the labels in the task file."),
    ],
)  # fmt: skip
def test_a_gold_file_that_does_not_fit_is_refused(tmp_path, gold, sentence):
    write(tmp_path, "test.csv", "id,text\n1,a\n2,b\n")
    write(tmp_path, "gold.csv", gold)
    with pytest.raises(ValueError) as fault:
        corpus(spec(test=split("test.csv", gold="gold.csv")), tmp_path)
    assert str(fault.value) == sentence


# -- posts of the world, where they are at hand ---------------------------------------------------


@pytest.mark.skipif(not SHARED.is_dir(), reason="the public posts are not at ../shared/data")
@pytest.mark.parametrize(
    ("task", "counts"),
    [
        ("caves", {"train": 6957, "dev": 987, "test": 1977, "cross": 0, "unlabeled": 0}),
        ("depression", {"train": 2485, "dev": 355, "test": 709, "cross": 0, "unlabeled": 0}),
        ("stress", {"train": 6230, "dev": 890, "test": 1780, "cross": 715, "unlabeled": 21630}),
    ],
)
def test_public_posts_give_the_known_counts(task, counts):
    body = yaml.safe_load((ROOT / f"config/tasks/{task}.yaml").read_text())
    splits, _ = corpus({**body, "task": task}, SHARED)
    assert {name: len(frame) for name, frame in splits.items()} == counts


@pytest.mark.skipif(not SHARED.is_dir(), reason="the public posts are not at ../shared/data")
@pytest.mark.parametrize(
    ("task", "positives"),
    [
        ("caves", (2663, 379, 762)),
        ("caves-pharma", (889, 127, 255)),
        ("caves-mandatory", (548, 78, 157)),
        ("caves-country", (140, 20, 40)),
    ],
)
def test_public_labels_that_are_rare(task, positives):
    body = yaml.safe_load((ROOT / f"config/tasks/{task}.yaml").read_text())
    splits, _ = corpus({**body, "task": task}, SHARED)
    assert tuple(int(splits[name]["label"].sum()) for name in ("train", "dev", "test")) == positives


@pytest.mark.skipif(not (SHARED / "nasty").is_dir(), reason="the hostile files are not at ../shared/data/nasty")
def test_hostile_files_are_read_or_refused_in_one_sentence():
    files = sorted(path for path in (SHARED / "nasty").rglob("*") if path.suffix in (".csv", ".tsv"))
    read, refused = {}, []
    for path in files:
        try:
            read[path.name] = sum(1 for _ in raw_rows(str(path), path.name)[1])
        except ValueError as fault:
            assert str(fault).startswith(path.name) and "\n" not in str(fault)
            refused.append(path.name)
    assert read["Corona_NLP_test.csv"] == 3798 and read["davidson_labeled_data.csv"] == 24783
    assert read["covid_rumor_Twitter.csv"] == 2705 and read["nlp4if_arabic_train.tsv"] == 2536
    assert refused == [
        "all-empty.csv",
        "bad-header-no-header.csv",
        "bad-missing-quote.csv",
        "bad-quotes-with-unescaped-quote.csv",
        "onemax_Autism.csv",  # separated by semicolons, so its commas fall where they may
    ]
    blns = (SHARED / "nasty/blns/blns.txt").read_text(encoding="utf-8").split("\n")
    assert all(cleaned_text(line).isprintable() or cleaned_text(line).encode() for line in blns if line)
