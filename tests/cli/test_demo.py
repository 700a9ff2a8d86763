"""demo: corpora in the official shapes, from a seed."""

import csv
import io
import json
import subprocess
import sys

import pyarrow as pa
import pytest
from tree import ROOT

from postgrad.demo.grammar import (
    SHARES,
    make_corpus,
    make_pool,
    make_posts,
    make_sample_texts,
)

SIZES = {"train": 40, "dev": 20, "test": 20, "decoys": 10}
SPEC = {"seed": 1, "posts": {task: SIZES for task in SHARES}}
SPEC["posts"]["smm4h24-task6"] = {**SIZES, "unlabeled": 30}
TSV = {"train.tsv", "dev.tsv", "test.tsv", "test_gold.tsv"}
CSV = {"train.csv", "dev.csv", "test.csv", "test_gold.csv"}
FILES = {
    "smm4h20-task1": TSV,
    "smm4h20-task2en": TSV,
    "smm4h20-task5": TSV,
    "smm4h22-task1a": TSV,
    "smm4h22-task7": TSV,
    "smm4h23-task1": TSV,
    "smm4h23-task2": CSV,
    "smm4h23-task4": CSV,
    "smm4h24-task3": CSV,
    "smm4h24-task5": TSV,
    "smm4h24-task6": CSV | {"unlabeled.jsonl.zst"},
}
# The header of each train file, and what its label column holds.
HEADERS = {
    "smm4h20-task1": ("tweet_id user_id tweet created_at class", {"0", "1"}),
    "smm4h20-task2en": ("tweet_id user_id class tweet", {"0", "1"}),
    "smm4h20-task5": ("tweet_id user_id tweet class", {"1", "2", "3"}),
    "smm4h22-task1a": ("tweet_id tweet label", {"NoADE", "ADE"}),
    "smm4h22-task7": ("tweet_id text label", {"0", "1"}),
    "smm4h23-task1": ("tweet_id text label", {"0", "1"}),
    "smm4h23-task2": ("tweet_id therapy text label", {"negative", "neutral", "positive"}),
    "smm4h23-task4": ("id text label", {"0", "1"}),
}


def demo(out, spec):
    command = [
        sys.executable,
        "workflow/scripts/demo.py",
        "--spec",
        json.dumps(spec),
        "--out",
        str(out),
    ]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def table(path):
    text = path.read_text(encoding="utf-8-sig")
    return list(
        csv.reader(io.StringIO(text, newline=""), delimiter="\t" if path.suffix == ".tsv" else ",")
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo")
    result = demo(out, SPEC)
    assert result.returncode == 0, result.stderr
    return out


def test_files_are_those_of_the_task_files_and_nothing_beside(made):
    found = {folder.name: {path.name for path in folder.iterdir()} for folder in made.iterdir()}
    assert found == FILES


def test_the_same_spec_gives_the_same_bytes_and_another_seed_others(made, tmp_path):
    demo(tmp_path / "same", SPEC)
    demo(tmp_path / "other", {**SPEC, "seed": 2})
    first, same, other = contents(made), contents(tmp_path / "same"), contents(tmp_path / "other")
    assert first == same
    assert first.keys() == other.keys()
    assert all(first[name] != other[name] for name in first)


def test_task3_train_has_bom_blank_columns_and_seven_summary_rows(made):
    path = made / "smm4h24-task3/train.csv"
    assert path.read_bytes().startswith(b"\xef\xbb\xbfid,")
    header, *rows = table(path)
    assert header == ["id", "keyword", "text", "label", "", "", "", ""]
    assert [len(row) for row in rows] == [8] * 47
    assert all(row[0] and row[3] in "0123" for row in rows[:40])
    assert [row[:4] for row in rows[40:]] == [[""] * 4] * 7
    assert rows[-1][4:6] == ["all", "40"]


@pytest.mark.parametrize("task", FILES)
def test_the_test_file_holds_decoys_and_no_label(made, task):
    suffix = "csv" if "train.csv" in FILES[task] else "tsv"
    header, *rows = table(made / task / f"test.{suffix}")
    gold_header, *gold = table(made / task / f"test_gold.{suffix}")
    label = "class" if "smm4h20" in task else "label"
    assert label not in header and gold_header == [header[0], label]
    ids, scored = [row[0] for row in rows], [row[0] for row in gold]
    assert len(set(ids)) == 30 and len(set(scored)) == 20
    assert set(scored) < set(ids)
    codes = {str(code) for code in range(len(SHARES[task]))}
    assert {label for _, label in gold} <= HEADERS.get(task, ("", codes))[1]
    assert ids[:20] != scored  # decoys stand among the scored posts, not after them


@pytest.mark.parametrize("task", HEADERS)
def test_posts_of_2020_to_2023_have_the_columns_and_labels_of_their_release(made, task):
    columns, labels = HEADERS[task]
    header, *rows = table(next(made.glob(f"{task}/train.*")))
    assert header == columns.split() and len(rows) == 40
    label = header.index("class" if "class" in header else "label")
    assert {row[label] for row in rows} == labels
    assert all((row[0].isdigit() or header[0] == "id") and all(row) for row in rows)


def test_a_therapy_stands_in_its_tweet_and_in_a_column_of_its_own():
    made = make_posts("smm4h23-task2", 200, 1)
    assert all(post["keyword"] in post["text"] and "THING" not in post["text"] for post in made)
    assert len({post["keyword"] for post in made}) > 10


def test_task6_mixes_sources_but_trains_on_tweets(made):
    sources = {}
    for split in ("train", "dev", "test"):
        header, *rows = table(made / "smm4h24-task6" / f"{split}.csv")
        sources[split] = {row[header.index("source")] for row in rows}
    assert sources == {
        "train": {"twitter"},
        "dev": {"twitter", "reddit"},
        "test": {"twitter", "reddit"},
    }


def test_the_pool_is_json_lines_in_zstd(made):
    with pa.input_stream(
        str(made / "smm4h24-task6/unlabeled.jsonl.zst"), compression="zstd"
    ) as stream:
        rows = [json.loads(line) for line in stream.read().decode().splitlines()]
    assert len(rows) == 30 and len({row["id"] for row in rows}) == 30
    assert all(list(row) == ["id", "title", "selftext"] for row in rows)


def test_a_task_without_grammar_is_refused(tmp_path):
    result = demo(tmp_path, {"seed": 1, "posts": {"caves": SIZES}})
    assert result.returncode == 1
    assert result.stderr == (
        "demo: no grammar for caves; there is one for smm4h20-task1, smm4h20-task2en, "
        "smm4h20-task5, "
        "smm4h22-task1a, smm4h22-task7, smm4h23-task1, smm4h23-task2, smm4h23-task4, "
        "smm4h24-task3, smm4h24-task5, "
        "smm4h24-task6.\n"
    )


def test_class_counts_follow_the_official_train_file():
    labels = [post["label"] for post in make_posts("smm4h24-task3", 1800, 1)]
    assert [labels.count(code) for code in range(4)] == [1131, 160, 395, 114]
    assert sorted(labels) != labels
    labels = [post["label"] for post in make_posts("smm4h24-task5", 10, 1)]
    assert sorted(labels) == [0] * 7 + [1] * 3  # 30.8 % of ten
    labels = [post["label"] for post in make_posts("smm4h20-task5", 14717, 1)]
    assert [labels.count(code) for code in range(3)] == [773, 834, 13110]


def test_copies_stand_within_train_and_across_to_test():
    made = make_corpus("smm4h24-task5", {"train": 500, "dev": 100, "test": 100}, seed=1)
    texts = [post["text"] for post in made["train"]]
    first, relabeled = {}, 0
    for post in made["train"]:
        relabeled += post["label"] != first.setdefault(post["text"], post["label"])
    assert len(texts) - len(set(texts)) >= 8
    assert relabeled >= 1
    assert set(texts) & {post["text"] for post in made["test"]}
    ids = [post["id"] for split in made.values() for post in split]
    assert len(ids) == len(set(ids)) == 700


def test_task3_posts_have_segments_to_shuffle_and_some_have_one():
    counts = [
        post["text"].rstrip(".").replace(", ", ". ").count(". ") + 1
        for post in make_posts("smm4h24-task3", 400, 3)
    ]
    assert sum(count >= 3 for count in counts) > 200
    assert 20 < sum(count == 1 for count in counts) < 100
    assert all(
        post["keyword"].split(", ")[0] in post["text"]
        for post in make_posts("smm4h24-task3", 50, 3)
    )


def test_part_of_the_pool_has_no_number_of_two_digits():
    ageless = [
        post
        for post in make_pool(300, 1)
        if not any(a.isdigit() for a in post["title"] + post["text"])
    ]
    assert 30 < len(ageless) < 120
    assert all(post["label"] is None for post in make_pool(30, 1))


def test_sample_texts_mix_the_corpora():
    texts = make_sample_texts(1001, 1)
    assert len(texts) == 1001 and texts == make_sample_texts(1001, 1) != make_sample_texts(1001, 2)
    words = {word for text in texts for word in text.split()}
    assert len(words) > 800
    assert {"autism", "THING"} & words == {"autism"}  # every slot was filled
    assert not any("<" in text.replace("<3", "") for text in texts)


@pytest.mark.parametrize("task", SHARES)
def test_scores_rise_with_more_posts_and_stay_below_one(task):
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import f1_score

    test, scores = make_posts(task, 800, 99), []
    for n in (100, 2500):
        train = make_posts(task, n, 1)
        words = TfidfVectorizer(ngram_range=(1, 2))
        model = LogisticRegression(C=10, class_weight="balanced")
        model.fit(
            words.fit_transform([post["text"] for post in train]), [post["label"] for post in train]
        )
        guesses = model.predict(words.transform([post["text"] for post in test]))
        scores.append(f1_score([post["label"] for post in test], guesses, average="macro"))
    assert scores[0] + 0.1 < scores[1] < 0.98
