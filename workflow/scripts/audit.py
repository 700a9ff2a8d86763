r"""Find exact duplicates in a cleaned corpus and name the posts that no model may read.

python workflow/scripts/audit.py --spec '{"task": "caves"}' \
    --clean results/public/clean/caves --out results/public/audit/caves
"""

import argparse
from collections.abc import Sequence

import pandas as pd

from postgrad.corpus.duplicates import GROUPS, AuditOptions, duplicate_groups, posts_to_drop
from postgrad.records.names import SPLITS
from postgrad.records.options import read_options
from postgrad.records.parquet_files import write_table
from postgrad.records.posts import DROPPED, read_posts
from postgrad.runtime.cli import add_spec, parse_arguments, run


def main(argv: Sequence[str] | None = None) -> None:
    """Find the duplicates of a corpus and write which posts are dropped."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_spec(parser, "task: its name")
    parser.add_argument(
        "--clean", required=True, help="folder of the cleaned splits and their ledger"
    )
    parser.add_argument("--out", required=True, help="folder for groups.parquet and drop.parquet")
    args = parse_arguments(parser, argv)

    task = read_options(AuditOptions, args.spec).task
    splits = {split: read_posts(f"{args.clean}/{split}.parquet") for split in SPLITS}
    groups = duplicate_groups(splits)
    dropped = posts_to_drop(splits, groups)
    ledger = pd.read_parquet(f"{args.clean}/ledger.parquet", columns=["split", "fate"])
    for split, posts in splits.items():
        kept = int(((ledger["split"] == split) & (ledger["fate"] == "kept")).sum())
        used = int((~posts["post_id"].isin(dropped["post_id"])).sum())  # as every verb reads them
        copies = int((dropped["split"] == split).sum())
        if kept != used + copies:
            raise RuntimeError(
                f"{split}: {kept} posts kept, but {used} used and {copies} duplicates."
            )
        print(f"audit: {task}/{split}: {kept} kept = {used} used + {copies} duplicates")
    write_table(groups, f"{args.out}/groups.parquet", GROUPS)
    write_table(dropped, f"{args.out}/drop.parquet", DROPPED)


if __name__ == "__main__":
    run(main)
