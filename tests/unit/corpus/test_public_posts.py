"""The public corpora give the known counts.

These tests are skipped where the corpora are not at hand.
"""

import csv

import pandas as pd
import pytest
import yaml
from raw_files import corpus_of
from tree import ROOT

from postgrad.corpus.cleaning_steps import clean_text
from postgrad.corpus.near_duplicates import copied_posts
from postgrad.corpus.readers import read_raw_rows

SHARED = ROOT.parent / "shared/data"

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
    splits, _ = corpus_of({**body, "task": task}, SHARED)
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
    splits, _ = corpus_of({**body, "task": task}, SHARED)
    assert tuple(int(splits[name]["label"].sum()) for name in ("train", "dev", "test")) == positives


@pytest.mark.skipif(
    not (SHARED / "nasty").is_dir(), reason="the hostile files are not at ../shared/data/nasty"
)
def test_hostile_files_are_read_or_refused_in_one_sentence():
    files = sorted(
        path for path in (SHARED / "nasty").rglob("*") if path.suffix in (".csv", ".tsv")
    )
    read, refused = {}, []
    for path in files:
        try:
            read[path.name] = sum(1 for _ in read_raw_rows(str(path), path.name)[1])
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
    assert all(clean_text(line).isprintable() or clean_text(line).encode() for line in blns if line)


def posts_of(texts):
    cleaned = [clean_text(text) for text in texts]
    return pd.DataFrame({"post_id": [str(i) for i in range(len(cleaned))], "text": cleaned})


def column(file, encoding="utf-8"):
    with open(SHARED / file, encoding=encoding, newline="") as lines:
        return posts_of([row["text"] for row in csv.DictReader(lines)])


@pytest.mark.skipif(not SHARED.is_dir(), reason="the public posts are not at ../shared/data")
def test_known_leaks_are_found():
    """shared/data/README.md names them, by other measures: equal texts and shared 12-grams."""
    hate = SHARED / "tweeteval/datasets/hate"
    train, test = (
        posts_of((hate / f"{split}_text.txt").read_text().rstrip("\n").split("\n"))
        for split in ("train", "test")
    )
    assert len(copied_posts(test, {"train": train})) >= 253
    depression = column("depression/Reddit_depression_dataset.csv")
    for split, count in (("train", 2830), ("test", 716)):
        other = {f"dreaddit/{split}": column(f"dreaddit/dreaddit-{split}.csv", "cp1252")}
        assert len(copied_posts(depression, other)) >= count
