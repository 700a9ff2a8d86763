"""Write made-up corpora in the official shapes of SMM4H-2024 Tasks 3, 5 and 6.

python workflow/scripts/demo.py --out work/demo/posts \
    --spec '{"seed": 1, "posts": {"smm4h24-task5": {"train": 300, "dev": 120, "test": 120, "decoys": 60}}}'
"""

import argparse
import csv
import io
import json
import os
import random
from pathlib import Path

import pyarrow as pa

from postgrad.cli import run
from postgrad.grammar import corpus, pool
from postgrad.posts import write_text

COLUMNS = {
    "smm4h24-task3": {"id": "id", "keyword": "keyword", "text": "text", "label": "label"},
    "smm4h24-task5": {"tweet_id": "id", "text": "text", "label": "label"},
    "smm4h24-task6": {"id": "id", "text": "text", "source": "source", "label": "label"},
}


def summary(train):
    """The seven rows that a spreadsheet left below Task 3's train file, in its four columns without a name."""
    counts = [sum(post["label"] == label for post in train) for label in range(4)]
    table = [[], ["label", "posts"], *enumerate(counts), ["all", sum(counts)]]
    return [[None] * 4 + [*row] + [None] * (4 - len(row)) for row in table]


def write_rows(rows, path):
    """Write rows as csv or tsv by the name of the file."""
    text = io.StringIO(newline="")
    csv.writer(text, delimiter="\t" if path.endswith("tsv") else ",").writerows(rows)
    write_text(text.getvalue(), path)


def write_pool(found, path):
    """Write the pool as Reddit's JSON lines, compressed with zstd."""
    lines = (json.dumps({"id": p["id"], "title": p["title"], "selftext": p["text"]}) + "\n" for p in found)
    beside = Path(f"{path}.{os.getpid()}")
    beside.write_bytes(pa.Codec("zstd").compress("".join(lines).encode(), asbytes=True))
    os.replace(beside, path)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--spec", required=True, type=json.loads, help="seed, and posts: {task: {split: count}}")
    parser.add_argument("--out", required=True, help="folder for <task>/<file>")
    args = parser.parse_args(argv)
    seed = args.spec["seed"]
    for task, sizes in args.spec["posts"].items():
        if task not in COLUMNS:
            raise ValueError(f"no grammar for {task}; there is one for {', '.join(COLUMNS)}.")
        made, columns, suffix = corpus(task, sizes, seed), COLUMNS[task], "csv"
        folder = f"{args.out}/{task}"
        header, blank = list(columns), []
        if task == "smm4h24-task3":
            header[0], blank = "\ufeffid", [""] * 4
        elif task == "smm4h24-task5":
            suffix = "tsv"
        rows = {split: [[p[key] for key in columns.values()] for p in made[split]] for split in made}
        below = summary(made["train"]) if blank else []
        write_rows([header + blank, *[row + blank for row in rows["train"]], *below], f"{folder}/train.{suffix}")
        write_rows([list(columns), *rows["dev"]], f"{folder}/dev.{suffix}")
        unlabelled = [row[:-1] for row in rows["test"] + rows["decoys"]]
        random.Random(f"{seed} {task}").shuffle(unlabelled)
        write_rows([list(columns)[:-1], *unlabelled], f"{folder}/test.{suffix}")
        gold = [[row[0], row[-1]] for row in rows["test"]]
        write_rows([[list(columns)[0], "label"], *gold], f"{folder}/test_gold.{suffix}")
        if "unlabeled" in sizes:
            write_pool(pool(sizes["unlabeled"], seed), f"{folder}/unlabeled.jsonl.zst")


if __name__ == "__main__":
    run(main)
