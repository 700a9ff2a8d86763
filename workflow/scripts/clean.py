r"""Clean a corpus: write five splits of posts and a ledger of every raw row.

python workflow/scripts/clean.py --spec results/public/clean/caves.spec.json \
    --data ../shared/data --out results/public/clean/caves
"""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence

from postgrad.corpus.clean_options import CleanOptions
from postgrad.corpus.cleaning import clean_corpus
from postgrad.corpus.cleaning_steps import Cleaner
from postgrad.records.options import read_options
from postgrad.runtime.cli import add_spec, parse_arguments, run


def main(argv: Sequence[str] | None = None) -> None:
    """Clean the raw files of a task and write its splits and its ledger."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_spec(parser, "the task file, and `task`: its name")
    parser.add_argument("--data", required=True, help="folder of the raw files")
    parser.add_argument(
        "--out", required=True, help="folder for <split>.parquet and ledger.parquet"
    )
    args = parse_arguments(parser, argv)

    options = read_options(CleanOptions, args.spec)
    notes: list[str] = []
    cleaner = Cleaner(options.clean)
    counts = clean_corpus(options, args.data, cleaner, args.out, notes)
    fates: Counter[tuple[str, str]] = Counter()
    for (split, fate, reason), count in counts.items():
        fates[split, fate] += count
        if reason is not None:
            notes.append(f"{options.task}/{split}: {count} rows rejected: {reason}")
    for (split, fate), count in fates.items():
        print(f"clean: {options.task}/{split}: {count} {fate}")
    for step, count in cleaner.changed.items():
        print(f"clean: {options.task}: step {step}: {count} changed")
    for note in notes:
        print(f"clean: {note}", file=sys.stderr)


if __name__ == "__main__":
    run(main)
