"""Measure the time and the memory of `clean` and `audit` on many made-up posts.

PYTHONPATH=workflow/scripts python bench/intake.py FOLDER --posts 1000000 2500000 10000000
PYTHONPATH=workflow/scripts python bench/intake.py FOLDER --posts 200000 --files 10 1000
PYTHONPATH=workflow/scripts python bench/intake.py FOLDER --posts 1000000 --audit

FOLDER gets the made-up files, about 120 bytes a post, and the results; both are removed. The memory
is the largest resident size of the process that does the work.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

SCRIPTS = Path(__file__).parents[1] / "workflow/scripts"
WORDS = [
    first + last
    for first in ("ba", "de", "fi", "go", "hu", "ka", "le", "mi", "no", "pu", "ra", "se", "ti")
    for last in ("bel", "can", "dor", "fen", "gol", "hin", "jam", "kel", "lor", "mun", "nar", "pos")
]


def write_posts(folder: Path, posts: int, files: int) -> None:
    """Write made-up posts of ten to twenty words into CSV files of equal size."""
    draw = random.Random(1)
    number = 0
    for file in range(files):
        with (folder / f"part-{file:04}.csv").open("w", encoding="utf-8") as out:
            out.write("id,text\n")
            for _ in range(posts // files):
                number += 1
                text = " ".join(draw.choices(WORDS, k=draw.randint(10, 20)))
                out.write(f"{number},{text}\n")


def measured(script: str, *arguments: str) -> tuple[float, float, float]:
    """Return the seconds, the seconds of the CPU and the MiB that a script takes."""
    start = time.monotonic()
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS)}
    process = subprocess.Popen(
        [sys.executable, SCRIPTS / script, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{script} ended with status {os.waitstatus_to_exitcode(status)}.")
    return time.monotonic() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main(argv: Sequence[str] | None = None) -> None:
    """Write posts, clean them and, on request, audit them, and print one line for each."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--posts", type=int, nargs="+", default=[100_000])
    parser.add_argument("--files", type=int, nargs="+", default=[1])
    parser.add_argument("--audit", action="store_true", help="audit what was cleaned as well")
    args = parser.parse_args(argv)
    for posts in args.posts:
        for files in args.files:
            with tempfile.TemporaryDirectory(dir=args.folder) as name:
                folder = Path(name)
                write_posts(folder, posts, files)
                spec = {
                    "task": "many",
                    "labels": [{"name": "no", "value": 0}, {"name": "yes", "value": 1}],
                    "splits": {
                        "unlabeled": {
                            "files": "part-*.csv",
                            "columns": {"id": "id", "text": "text"},
                        }
                    },
                }
                (folder / "spec.json").write_text(json.dumps(spec))
                clean = ("clean.py", "--data", name, "--spec", f"{name}/spec.json")
                report(posts, files, "clean", *measured(*clean, "--out", f"{name}/clean"))
                if args.audit:
                    audit = ("audit.py", "--spec", '{"task": "many", "near_duplicates": "report"}')
                    folders = ("--clean", f"{name}/clean", "--out", f"{name}/audit")
                    report(posts, files, "audit", *measured(*audit, *folders))
                shutil.rmtree(folder / "clean")


def report(posts: int, files: int, step: str, seconds: float, cpu: float, mib: float) -> None:
    """Print the figures of one step."""
    print(
        f"{step}  {posts:>10,} posts in {files:>5,} files  {seconds:7.1f} s  cpu {cpu:7.1f} s  "
        f"{1e6 * cpu / posts:6.2f} µs of the cpu a post  {mib:6.0f} MiB",
        flush=True,
    )


if __name__ == "__main__":
    main()
