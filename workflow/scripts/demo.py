r"""Write made-up corpora in the official formats of SMM4H tasks of 2020, 2022, 2023 and 2024.

python workflow/scripts/demo.py --out work/demo/posts --spec \
    '{"seed": 1, "posts": {"smm4h24-task5": {"train": 300, "dev": 120, "test": 120, "decoys": 60}}}'
"""

import argparse
import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from postgrad.demo.file_formats import COLUMNS, corpus_files
from postgrad.demo.grammar import DemoOptions, make_corpus, make_pool
from postgrad.records.files import atomic_write, write_text
from postgrad.records.options import read_options
from postgrad.runtime.cli import add_spec, parse_arguments, run


def write_rows(rows: Iterable[Sequence[Any]], path: str) -> None:
    """Write rows as csv or tsv, by the ending of the file's name."""
    text = io.StringIO(newline="")
    csv.writer(text, delimiter="\t" if path.endswith("tsv") else ",").writerows(rows)
    write_text(text.getvalue(), path)


def write_pool(posts: Iterable[Mapping[str, Any]], path: str) -> None:
    """Write a pool as JSON lines with the keys of Reddit, compressed with zstd."""
    lines = (
        json.dumps({"id": p["id"], "title": p["title"], "selftext": p["text"]}) + "\n"
        for p in posts
    )
    with atomic_write(path) as temporary:
        temporary.write_bytes(pa.Codec("zstd").compress("".join(lines).encode(), asbytes=True))


def main(argv: Sequence[str] | None = None) -> None:
    """Write the made-up corpora of all tasks."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_spec(parser, "seed, and posts: {task: {split: count}}")
    parser.add_argument("--out", required=True, help="folder for <task>/<file>")
    args = parse_arguments(parser, argv)
    options = read_options(DemoOptions, args.spec)
    seed = options.seed
    for task, sizes in options.posts.items():
        if task not in COLUMNS:
            raise ValueError(f"no grammar for {task}; there is one for {', '.join(COLUMNS)}.")
        folder = f"{args.out}/{task}"
        for name, rows in corpus_files(task, make_corpus(task, sizes, seed), seed).items():
            write_rows(rows, f"{folder}/{name}")
        if "unlabeled" in sizes:
            write_pool(make_pool(sizes["unlabeled"], seed), f"{folder}/unlabeled.jsonl.zst")


if __name__ == "__main__":
    run(main)
