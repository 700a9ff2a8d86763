r"""Find duplicates and near-duplicates in a corpus and name the posts that no model may read.

python workflow/scripts/audit.py --spec '{"task": "stress", "beside": ["caves/test"]}' \
    --clean results/public/clean/stress \
    --beside caves/test results/public/clean/caves/test.parquet --out results/public/audit/stress

--beside gives the splits of other tasks on which models are scored that stand on posts of this one.
"""

import argparse
from collections.abc import Mapping, Sequence

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
from postgrad.runtime.cli import add_named_files, add_spec, named_files, parse_arguments, run


def stop_message(task: str, near: pd.DataFrame, beside: Mapping[str, str]) -> str:
    """Return how many near-copies there are of which kind, and what to do, for an error."""
    reasons = near["reason"]
    others = int(reasons.isin([f"{NEAR_COPY} {name}" for name in beside]).sum())
    evaluated = int(reasons.str.startswith(NEAR_COPY).sum()) - others
    own = len(near) - evaluated - others
    return (
        f"{evaluated} {'post' if evaluated == 1 else 'posts'} of train and unlabeled nearly "
        f"{'copies' if evaluated == 1 else 'copy'} a post of test, dev or cross, "
        + (
            f"{others} nearly {'copies' if others == 1 else 'copy'} a post of {', '.join(beside)}, "
            if beside
            else ""
        )
        + f"and {own} nearly {'copies' if own == 1 else 'copy'} an earlier post of "
        f"{'its' if own == 1 else 'their'} own split. Take them out of the files, or set "
        f"near_duplicates in config/tasks/{task}.yaml"
        " to drop, or to report, which lists them in near.parquet."
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Find the duplicates of a corpus and write which posts are dropped."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_spec(
        parser,
        "task: its name; near_duplicates: drop, report or stop; beside: splits of other tasks",
    )
    parser.add_argument(
        "--clean", required=True, help="folder of the cleaned splits and their ledger"
    )
    add_named_files(
        parser,
        "--beside",
        ("SPLIT", "FILE"),
        "posts of another task on which models that stand on this task are scored",
    )
    parser.add_argument(
        "--out", required=True, help="folder for groups.parquet, drop.parquet and near.parquet"
    )
    args = parse_arguments(parser, argv)

    options = read_options(AuditOptions, args.spec)
    task = options.task
    splits = {split: read_posts(f"{args.clean}/{split}.parquet") for split in SPLITS}
    files = named_files("--beside", args.beside, options.beside)
    posts = splits | {name: read_posts(file) for name, file in files.items()}
    groups = duplicate_groups(posts)
    dropped = posts_to_drop(posts, groups)
    copies = NearCopies.among(posts)
    near = near_copies_to_drop(posts, dropped, copies)
    if options.near_duplicates == "stop" and len(near):
        raise ValueError(f"task {task}: {stop_message(task, near, files)}")
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
    groups = joined_groups(groups, copies)
    write_table(groups[groups["split"].isin(SPLITS)], f"{args.out}/groups.parquet", GROUPS)
    write_table(dropped, f"{args.out}/drop.parquet", DROPPED)
    write_table(near, f"{args.out}/near.parquet", NEAR)


if __name__ == "__main__":
    run(main)
