r"""Find duplicates and near-duplicates in a corpus and name the posts that no model may read.

python workflow/scripts/audit.py --spec '{"task": "caves"}' \
    --clean results/public/clean/caves --out results/public/audit/caves
"""

import argparse
from collections.abc import Sequence

import pandas as pd

from postgrad.corpus.duplicates import GROUPS, AuditOptions, duplicate_groups, posts_to_drop
from postgrad.corpus.near_duplicates import (
    NEAR,
    NEAR_COPY,
    NearCopies,
    joined_groups,
    near_copies_to_drop,
)
from postgrad.records.names import SPLITS
from postgrad.records.options import read_options
from postgrad.records.parquet_files import write_table
from postgrad.records.posts import DROPPED, read_posts
from postgrad.runtime.cli import add_spec, parse_arguments, run


def main(argv: Sequence[str] | None = None) -> None:
    """Find the duplicates of a corpus and write which posts are dropped."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_spec(parser, "task: its name; near_duplicates: drop, report or stop")
    parser.add_argument(
        "--clean", required=True, help="folder of the cleaned splits and their ledger"
    )
    parser.add_argument(
        "--out", required=True, help="folder for groups.parquet, drop.parquet and near.parquet"
    )
    args = parse_arguments(parser, argv)

    options = read_options(AuditOptions, args.spec)
    task = options.task
    splits = {split: read_posts(f"{args.clean}/{split}.parquet") for split in SPLITS}
    groups = duplicate_groups(splits)
    dropped = posts_to_drop(splits, groups)
    copies = NearCopies.among(splits)
    near = near_copies_to_drop(splits, dropped, copies)
    if options.near_duplicates == "stop" and len(near):
        evaluated = int(near["reason"].str.startswith(NEAR_COPY).sum())
        own = len(near) - evaluated
        raise ValueError(
            f"task {task}: {evaluated} {'post' if evaluated == 1 else 'posts'} of train and "
            f"unlabeled nearly {'copies' if evaluated == 1 else 'copy'} a post of test, dev or "
            f"cross, and {own} nearly {'copies' if own == 1 else 'copy'} an earlier post of "
            f"{'its' if own == 1 else 'their'} own split. Take them out of the files, or set "
            f"near_duplicates in config/tasks/{task}.yaml"
            " to drop, or to report, which lists them in near.parquet."
        )
    if options.near_duplicates == "drop":
        dropped = pd.concat([dropped, near[DROPPED.names]], ignore_index=True)
    ledger = pd.read_parquet(f"{args.clean}/ledger.parquet", columns=["split", "fate"])
    for split, posts in splits.items():
        kept = int(((ledger["split"] == split) & (ledger["fate"] == "kept")).sum())
        used = int((~posts["post_id"].isin(dropped["post_id"])).sum())  # as every verb reads them
        reasons = dropped.loc[dropped["split"] == split, "reason"].value_counts().sort_index()
        copied = int(reasons.sum())
        if kept != used + copied:
            raise RuntimeError(
                f"{split}: {kept} posts kept, but {used} used and {copied} duplicates."
            )
        counts = "; ".join(f"{count} {reason}" for reason, count in reasons.items())
        print(
            f"audit: {task}/{split}: {kept} kept = {used} used + {copied} duplicates"
            + (f" ({counts})" if counts else "")
        )
        if options.near_duplicates == "report" and (stay := int((near["split"] == split).sum())):
            print(f"audit: {task}/{split}: {stay} of the used posts are near-copies, which stay")
    write_table(joined_groups(groups, copies), f"{args.out}/groups.parquet", GROUPS)
    write_table(dropped, f"{args.out}/drop.parquet", DROPPED)
    write_table(near, f"{args.out}/near.parquet", NEAR)


if __name__ == "__main__":
    run(main)
