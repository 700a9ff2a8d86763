"""Which raw rows become posts, and what the ledger says of the others."""

import subprocess
import sys

import pandas as pd
import pytest
from raw_files import corpus_of, fates, spec, split, write
from tree import ROOT

from postgrad.corpus.clean_options import Selection
from postgrad.corpus.cleaning_steps import clean_text
from postgrad.corpus.raw_posts import is_selected
from postgrad.corpus.settling import split_posts
from postgrad.records.names import SPLITS
from postgrad.report.bookkeeping import ledger_rows

# -- rows and their fates -------------------------------------------------------------------------


def test_bad_rows_go_to_the_ledger_with_line_and_reason(tmp_path):
    write(
        tmp_path,
        "train.csv",
        '\ufeffid,text,label,,\n1,fine,0,,\n,no id,0,,\n2,,1,,\n3,"two\nlines",,,\n1,again,1,,\n'
        "\n4,[removed],0,,\n5,\u200b,0,,\n1.5E+18,x,0,,\n"
        "6,nan,1,,\n7,x,1,,,stray\n8,x,1.0,,\n,,,sum,8\n",
    )
    splits, ledger = corpus_of(spec(train=split("train.csv")), tmp_path)
    assert fates(ledger) == [
        (2, "1", "kept", None),
        (3, None, "rejected", "no id"),
        (4, "2", "rejected", "no text"),
        (5, "3", "rejected", "no label"),
        (7, "1", "rejected", "repeated id"),
        (9, "4", "rejected", "text removed"),
        (10, "5", "rejected", "no text"),
        (11, "train.csv:11", "kept", None),
        (12, "6", "rejected", "no text"),
        (13, "7", "rejected", "more cells than columns"),
        (14, "8", "kept", None),
        (15, None, "rejected", "no id and no text"),
    ]
    assert splits["train"]["label"].to_list() == [0, 0, 1]


def test_a_label_beside_no_id_is_a_spreadsheets_own(tmp_path):
    write(tmp_path, "train.csv", "id,text,label\n1,one,0\n,,1800\n")
    _, ledger = corpus_of(spec(train=split("train.csv")), tmp_path)
    assert fates(ledger)[1] == (3, None, "rejected", "no id and no text")


def test_an_id_in_two_splits_stays_where_it_is_scored(tmp_path):
    write(tmp_path, "train.csv", "id,text,label\n1,a,0\n2,b,0\n3,c,1\n4,d,1\n")
    write(tmp_path, "dev.csv", "id,text,label\n2,b,0\n3,c,1\n")
    write(tmp_path, "test.csv", "id,text,label\n3,c,1\n")
    files = {name: split(f"{name}.csv") for name in ("train", "dev", "test")}
    splits, ledger = corpus_of(spec(**files), tmp_path)
    assert [splits[name]["post_id"].to_list() for name in files] == [["1", "4"], ["2"], ["3"]]
    rejected = ledger[ledger["fate"] == "rejected"]
    assert list(zip(rejected["split"], rejected["reason"], strict=True)) == [
        ("train", "id also in dev"),
        ("train", "id also in test"),
        ("dev", "id also in test"),
    ]


def test_posts_of_ids_that_start_anew_in_each_split_are_all_kept(tmp_path):
    for name in ("train", "test"):
        write(tmp_path, f"{name}.csv", f"id,text,label\n1,{name} a,0\n2,Both  B,1\n3,{name} c,1\n")
    notes = []
    files = {"train": split("train.csv"), "test": split("test.csv")}
    splits, ledger = corpus_of(spec(**files), tmp_path, notes)
    assert splits["train"]["post_id"].to_list() == ["train:1", "train:3"]
    assert splits["test"]["post_id"].to_list() == ["test:1", "2", "test:3"]
    assert [reason for *_, reason in fates(ledger) if reason] == ["id also in test"]  # one post
    assert notes == [
        "4 posts share their ids with other posts in other files; their ids begin with the name of "
        "the split or the file"
    ]
    assert ledger["note"].dropna().unique().tolist() == [
        "its id is 1, as that of another post",
        "its id is 3, as that of another post",
    ]


def test_a_text_that_is_a_number_is_not_taken_for_an_id(tmp_path):
    for name in ("train", "test"):
        write(tmp_path, f"{name}.csv", f"id,text,label\n5,{name} a,0\n")
    write(tmp_path, "dev.csv", "id,text,label\n5,5,1\n")
    files = {name: split(f"{name}.csv") for name in ("train", "dev", "test")}
    splits, _ = corpus_of(spec(**files), tmp_path)
    assert [splits[name]["post_id"].to_list() for name in files] == [
        ["train:5"],
        ["dev:5"],
        ["test:5"],
    ]


def test_ids_that_start_anew_in_each_file_of_a_split_get_the_names_of_the_files(tmp_path):
    for name in ("a", "b"):
        write(tmp_path, f"{name}.csv", f"id,text,label\n1,{name} one,0\n2,{name} two,1\n")
    train = {"files": "*.csv", "columns": {"id": "id", "text": "text", "label": "label"}}
    splits, _ = corpus_of(spec(train=train), tmp_path)
    assert splits["train"]["post_id"].to_list() == ["a.csv:1", "a.csv:2", "b.csv:1", "b.csv:2"]


def test_rows_of_test_that_gold_does_not_name_are_decoys(tmp_path):
    write(tmp_path, "train.csv", "id,text,label\n3,decoy,1\n")
    write(tmp_path, "test.csv", "id,text\n1,a\n2,b\n3,decoy\n4,\n")
    write(tmp_path, "gold.csv", "id,label\n2,1\n1,0\n")
    files = {"train": split("train.csv"), "test": split("test.csv", gold="gold.csv")}
    splits, ledger = corpus_of(spec(**files), tmp_path)
    assert splits["test"][["post_id", "label"]].values.tolist() == [["1", 0], ["2", 1]]
    assert ledger["fate"].to_list() == ["kept", "kept", "kept", "decoy", "rejected"]
    assert len(splits["train"]) == 1  # a decoy is never scored, so it takes no post from train
    (tmp_path / "gold.csv").unlink()
    splits, ledger = corpus_of(spec(test=split("test.csv", gold="gold.csv")), tmp_path)
    assert ledger["fate"].to_list() == ["kept", "kept", "kept", "rejected"]
    assert splits["test"]["label"].isna().all() and len(splits["test"]) == 3


def test_the_pool_is_selected_cut_and_joined_from_several_files(tmp_path):
    write(
        tmp_path,
        "a.csv",
        "id,title,body\n1,I am 27,and so tired of it all\n2,No number,at all in here\n",
    )
    write(tmp_path, "b.csv", "id,title,body\n3,I am 31,\n4,at,44\n5,,no title 19 but a number\n")
    body = {
        "files": "*.csv",
        "platform": "twitter",
        "columns": {"id": "id", "title": "title", "text": "body"},
        "select": {"two_digit_number": True, "min_words": 3},
        "window": 5,
    }
    splits, ledger = corpus_of(spec(unlabeled=body), tmp_path)
    assert splits["unlabeled"]["text"].to_list() == ["I am 27 and so", "no title 19 but a"]
    assert set(splits["unlabeled"]["platform"]) == {"twitter"}
    assert [row[3] for row in fates(ledger)] == [
        None,
        "not selected",
        "no text",
        "not selected",
        None,
    ]
    assert ledger["file"].to_list() == ["a.csv"] * 2 + ["b.csv"] * 3


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("I am 27", True),
        ("27", True),
        ("(27F)", True),
        ("270 days", False),
        ("2.27 or 27.5", False),
        ("2 7", False),
    ],
)
def test_a_number_of_two_digits(text, chosen):
    assert is_selected(text, Selection(two_digit_number=True)) is chosen


def test_one_label_among_several(tmp_path):
    write(
        tmp_path,
        "train.csv",
        "ID,text,labels\n1t,a,side-effect rushed\n2t,b,none\n3t,c,rushed side-effects\n",
    )
    wanted = {"column": "labels", "among": "side-effect", "separator": " "}
    body = {"file": "train.csv", "columns": {"id": "ID", "text": "text", "label": wanted}}
    splits, _ = corpus_of(spec(train=body), tmp_path)
    assert splits["train"][["post_id", "label"]].values.tolist() == [
        ["1t", 1],
        ["2t", 0],
        ["3t", 0],
    ]


def test_a_study_reads_so_many_train_posts_and_the_ledger_says_which_it_left_out(tmp_path):
    rows = "".join(f"p{i},{'' if i == 7 else f'post {i}'},{i % 2}\n" for i in range(41))
    for name in ("train", "dev"):
        write(tmp_path, f"{name}.csv", "id,text,label\n" + rows.replace("p", f"{name}-"))
    whole = spec(train=split("train.csv"), dev=split("dev.csv"))
    read = {
        most: corpus_of({**whole, "most_train": most}, tmp_path) for most in (1, 10, 25, 40, 99)
    }
    free, _ = corpus_of(whole, tmp_path)
    ids = {most: splits["train"]["post_id"].to_list() for most, (splits, _) in read.items()}
    assert [len(ids[most]) for most in read] == [1, 10, 25, 40, 40]
    assert {*ids[1]} < {*ids[10]} < {*ids[25]} < {*ids[40]} and ids[40] == ids[99] == free["train"][
        "post_id"
    ].to_list()
    assert ids[10] != ids[40][:10] and ids[10] == [id for id in ids[40] if id in ids[10]]
    splits, ledger = read[10]
    assert all(splits[name].equals(free[name]) for name in SPLITS if name != "train")
    drop = pd.DataFrame(columns=["post_id", "split", "reason"])
    (train, dev) = ledger_rows("toy", ledger, drop)
    assert (train["rows"], train["kept"], train["rejected"]) == (41, 10, 31) and dev["kept"] == 40
    assert train["reasons"] == {"left out: the study reads 10 train posts": 30, "no text": 1}
    assert read[99][1].equals(corpus_of(whole, tmp_path)[1])


def test_posts_are_left_out_of_train_after_a_corpus_is_divided(tmp_path):
    write(tmp_path, "all.csv", "text,label\n" + "".join(f"post {i},{i % 2}\n" for i in range(100)))
    parts = {"train": 0.7, "dev": 0.1, "test": 0.2}
    divide = {
        "from": "all.csv",
        "columns": {"text": "text", "label": "label"},
        "parts": parts,
        "seed": 1,
    }
    body = spec(divide, train={}, dev={}, test={})
    splits, _ = corpus_of({**body, "most_train": 30}, tmp_path)
    assert [len(splits[name]) for name in ("train", "dev", "test")] == [30, 10, 20]
    assert {*splits["train"]["post_id"]} < {*corpus_of(body, tmp_path)[0]["train"]["post_id"]}


def test_without_an_id_column_the_line_names_the_post(tmp_path):
    write(tmp_path, "posts.csv", 'text,class\n"a\nb",1\nc,0\n')
    body = {"file": "posts.csv", "columns": {"text": "text", "label": ["label", "class"]}}
    splits, _ = corpus_of(spec(train=body), tmp_path)
    assert splits["train"][["post_id", "text"]].values.tolist() == [
        ["posts.csv:2", "a b"],
        ["posts.csv:4", "c"],
    ]


def test_divided_posts_keep_the_classes_shares_and_duplicates_together(tmp_path):
    rows = [f"post {chr(97 + i % 26) * (1 + i // 26)},{int(i % 4 == 0)}" for i in range(200)]
    rows += ["Same  text,1", "same TEXT,1", "same text,0"] * 5
    write(tmp_path, "all.csv", "text,label\n" + "\n".join(rows) + "\n")
    parts = {"train": 0.7, "dev": 0.1, "test": 0.2}
    divide = {
        "from": "all.csv",
        "columns": {"text": "text", "label": "label"},
        "parts": parts,
        "seed": 1,
    }
    body = spec(divide, train={}, dev={}, test={})
    splits, ledger = corpus_of(body, tmp_path)
    assert sum(map(len, splits.values())) == 215 and set(ledger["split"]) == {
        "train",
        "dev",
        "test",
    }
    assert [(frame["label"] == 0).sum() for frame in splits.values()][:3] == pytest.approx(
        [105, 15, 30], abs=6
    )
    assert [(frame["label"] == 1).sum() for frame in splits.values()][:3] == pytest.approx(
        [42, 6, 12], abs=11
    )
    assert sum(frame["text"].str.casefold().eq("same text").any() for frame in splits.values()) == 1
    again, _ = corpus_of(body, tmp_path)
    assert all(splits[name].equals(again[name]) for name in SPLITS)
    divide["seed"] = 2
    assert not corpus_of(body, tmp_path)[0]["test"].equals(splits["test"])


def test_parts_are_exact_where_no_text_repeats():
    labels = [int(i % 5 == 0) for i in range(50)]
    found = split_posts(range(50), labels, [0.7, 0.1, 0.2], seed=1)
    pairs = list(zip(found.tolist(), labels, strict=True))
    assert [pairs.count((part, 1)) for part in range(3)] == [7, 1, 2]
    assert [pairs.count((part, 0)) for part in range(3)] == [28, 4, 8]


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
    assert clean_text(raw) == clean


# -- kinds of file --------------------------------------------------------------------------------


def test_a_header_alone_is_an_empty_split(tmp_path):
    write(tmp_path, "train.csv", "id,text,label\n")
    splits, ledger = corpus_of(spec(train=split("train.csv")), tmp_path)
    assert len(ledger) == 0 and all(len(frame) == 0 for frame in splits.values())


# -- files that cannot be trusted -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("gold", "sentence"),
    [
        (
            "id,label\n1,0\n9,1\n8,1\n",
            "gold.csv: 2 of its 3 ids do not occur in test.csv; both must come from the same "
            "release.",
        ),
        (
            "id,label\n1,0\n1,1\n",
            "gold.csv, line 3: a gold row needs an id of its own and a label.",
        ),
        ("id,label\n1,\n", "gold.csv, line 2: a gold row needs an id of its own and a label."),
        (
            "id,label\n1,secret\n",
            "gold.csv, line 2, column label: the value 'secret' is not a label of the task (0, 1, "
            "no, yes); "
            "correct the row, or the labels in the task file.",
        ),
    ],
)
def test_a_gold_file_that_does_not_fit_is_refused(tmp_path, gold, sentence):
    write(tmp_path, "test.csv", "id,text\n1,a\n2,b\n")
    write(tmp_path, "gold.csv", gold)
    with pytest.raises(ValueError) as fault:
        corpus_of(spec(test=split("test.csv", gold="gold.csv")), tmp_path)
    assert str(fault.value) == sentence


# -- large files ----------------------------------------------------------------------------------


def test_posts_are_the_same_in_chunks_of_any_size(tmp_path, monkeypatch):
    """Ids that are repeated, rounded or shared with another split lie in different chunks."""
    long = "129000000000000000"
    write(
        tmp_path,
        "train.csv",
        "id,text,label\n1,a,0\n2,b,1\n2,b,1\n3,,1\n" + f"{long}1,c,0\n1.29E+18,d,1\n9,e,\n",
    )
    write(tmp_path, "test.csv", "id,text,label\n1,f,0\n2,b,1\n5,g,0\n")
    body = spec(train=split("train.csv"), test=split("test.csv"))
    divided = spec(
        {
            "from": "train.csv",
            "columns": {"id": "id", "text": "text", "label": "label"},
            "parts": {"train": 0.5, "dev": 0.5},
        },
        train={},
        dev={},
    )
    for one in (body, divided, {**body, "most_train": 2}):
        whole, ledger = corpus_of(one, tmp_path)
        for size in (1, 2, 3):
            with monkeypatch.context() as patch:
                patch.setattr("postgrad.corpus.cleaning.CHUNK", size)
                posts, in_chunks = corpus_of(one, tmp_path)
            assert in_chunks.equals(ledger)
            assert all(posts[name].equals(whole[name]) for name in SPLITS)


@pytest.mark.slow
def test_a_further_post_takes_less_memory_than_its_text(tmp_path):
    """The text of a post of this test takes 150 bytes on average as a string of Python."""
    command = [sys.executable, ROOT / "bench/intake.py", tmp_path, "--posts", "100000", "600000"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    few, many = (int(line.split()[-2]) for line in printed.splitlines())
    assert (many - few) * 2**20 / 500_000 < 150
