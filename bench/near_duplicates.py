"""Compare the search for near-duplicates with rensa alone on the same posts, and print no post.

PYTHONPATH=workflow/scripts python bench/near_duplicates.py ../shared/data
PYTHONPATH=workflow/scripts python bench/near_duplicates.py --posts 1000000 /tmp/million

rensa alone splits each text at white space. `rows` is the way of its README: a MinHash of each
text, which is inserted into the hash tables and looked up there. `words` is the same on the words
that the search compares, without case, punctuation, links and mentions. `matrix` is its fastest
way, which only says which texts have a candidate. With --posts, so many made-up posts are written
to a folder and audited, with the time and the peak memory of audit.py.
"""

import argparse
import json
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
from cleaning import read_texts
from rensa import RMinHash, RMinHashLSH

from postgrad.corpus.cleaning import LEDGER
from postgrad.corpus.near_duplicates import (
    BANDS,
    SEED,
    SHARE,
    VALUES,
    NearCopies,
)
from postgrad.corpus.word_hashes import plain_words
from postgrad.records.names import SPLITS
from postgrad.records.parquet_files import write_table
from postgrad.records.posts import POSTS, write_posts

PERMUTATIONS = BANDS * VALUES
ROUNDS = 5
AUDIT = Path(__file__).parents[1] / "workflow/scripts/audit.py"


def rensa_words(texts: list[str]) -> int:
    """Return how many texts have an earlier candidate among their words without punctuation."""
    return rensa_rows(texts, lambda text: plain_words(text)[0])


def rensa_rows(texts: list[str], words: Callable[[str], list[str]] = str.split) -> int:
    """Return how many texts have an earlier candidate, with one MinHash after the other."""
    tables, found = RMinHashLSH(SHARE, PERMUTATIONS, BANDS), 0
    for place, text in enumerate(texts):
        values = RMinHash(PERMUTATIONS, SEED)
        values.update(words(text))
        found += bool(tables.query(values))
        tables.insert(place, values)
    return found


def rensa_matrix(texts: list[str]) -> int:
    """Return how many texts have a candidate, with the MinHashes of all texts at once."""
    matrix = RMinHash.digest_matrix_from_token_sets(
        [text.split() for text in texts], PERMUTATIONS, SEED
    )
    tables = RMinHashLSH(SHARE, PERMUTATIONS, BANDS)
    return sum(tables.query_duplicate_flags_matrix_one_shot(matrix))


def seconds(texts: list[str], *ways: Callable[[list[str]], object]) -> list[float]:
    """Return the smallest time of the CPU, with all threads, of each way to find copies.

    The ways take turns, so that other work on the machine slows all of them.
    """
    times: list[list[float]] = [[] for _ in ways]
    for _ in range(ROUNDS):
        for find, taken in zip(ways, times, strict=True):
            start = time.process_time()
            find(texts)
            taken.append(time.process_time() - start)
    return [min(taken) for taken in times]


def made_up_posts(count: int) -> pd.DataFrame:
    """Return posts of 8 to 30 words, of which one in twenty nearly copies an earlier one."""
    rng = random.Random(1)
    words = [f"word{i}" for i in range(50_000)]
    shares = [1 / (rank + 10) for rank in range(len(words))]
    drawn = iter(rng.choices(words, shares, k=20 * count))
    texts: list[str] = []
    for place in range(count):
        if place % 20 == 19:
            copy = texts[rng.randrange(place)].split()
            copy[rng.randrange(len(copy))] = "other"
            texts.append(" ".join(copy))
        else:
            texts.append(" ".join(next(drawn) for _ in range(rng.randint(8, 30) * 20 // 22)))
    ids = [f"post{place}" for place in range(count)]
    return pd.DataFrame({"post_id": ids, "text": texts, "platform": "x", "origin": "pool"})


def audit_made_up_posts(count: int, folder: Path) -> None:
    """Write a pool of made-up posts, audit it, and print the time and the peak memory."""
    clean = folder / "clean"
    pool = made_up_posts(count)
    empty = pool.head(0)
    for split in SPLITS:
        write_posts(pool if split == "unlabeled" else empty, clean / f"{split}.parquet", POSTS)
    ledger = pd.DataFrame({"post_id": pool["post_id"], "split": "unlabeled", "fate": "kept"})
    write_table(ledger.assign(task="made", file="-", row=1), clean / "ledger.parquet", LEDGER)
    del pool, ledger
    command = [sys.executable, AUDIT, "--spec", json.dumps({"task": "made"})]
    start = time.perf_counter()
    subprocess.run([*command, "--clean", clean, "--out", folder / "audit"], check=True)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"{count} posts  {time.perf_counter() - start:.0f} s  peak {peak:.0f} MiB")


def main() -> None:
    """Print the times of each corpus and their ratios, or the memory of one audit."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, help="folder of the public posts, or for made-up ones")
    parser.add_argument("--posts", type=int, help="audit so many made-up posts")
    args = parser.parse_args()

    if args.posts:
        audit_made_up_posts(args.posts, args.folder)
        return
    corpora = list(read_texts(args.folder))
    corpora.append(("together", [text for _, texts in corpora for text in texts]))
    for name, texts in corpora:
        ways = rensa_rows, rensa_words, rensa_matrix, NearCopies
        rows, words, matrix, own = seconds(texts, *ways)
        print(
            f"{name:11} {len(texts):6} texts  rensa rows {rows:6.2f} s  words {words:6.2f} s  "
            f"matrix {matrix:6.2f} s  near-copies {own:6.2f} s  ratio to rows {own / rows:5.2f}  "
            f"to words {own / words:5.2f}  to matrix {own / matrix:5.2f}"
        )


if __name__ == "__main__":
    main()
