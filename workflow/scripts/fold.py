r"""Pool gold splits, mark one fold as held out, and list the posts that belong with it.

python workflow/scripts/fold.py --spec results/demo/mine/fold/pooled@fold=1.parquet.spec.json \
    --data results/demo/clean/smm4h24-task6/{train,dev}.parquet \
    --drop results/demo/audit/smm4h24-task6/drop.parquet \
    --corpus results/demo/clean/smm4h24-task6/{train,dev,test,cross,unlabeled}.parquet \
    --groups results/demo/audit/smm4h24-task6/groups.parquet \
    --out results/demo/mine/fold/pooled@fold=1.parquet \
    --out-drop results/demo/mine/fold/pooled@fold=1.drop.parquet

A dataset that is read beside the fold, such as a pool, leaves out the posts of --out-drop.
"""

import argparse
import sys
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from postgrad.corpus.folds import (
    FoldOptions,
    assign_folds,
    group_numbers,
    is_linked,
    post_links,
)
from postgrad.records.options import read_options
from postgrad.records.parquet_files import write_table
from postgrad.records.posts import (
    DROPPED,
    POSTS,
    read_posts,
    read_posts_without_dropped,
    write_posts,
)
from postgrad.runtime.cli import add_spec, parse_arguments, run

FOLDED = POSTS.append(pa.field("held_out", pa.bool_()))


def main(argv: Sequence[str] | None = None) -> None:
    """Divide the pooled posts into folds and write one of them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_spec(parser, "k, seed, the fold and the classes")
    parser.add_argument("--data", nargs="+", required=True, help="labelled posts to pool")
    parser.add_argument("--drop", nargs="*", default=[], help="posts that audit leaves out")
    parser.add_argument("--corpus", nargs="+", required=True, help="every split of the corpus")
    parser.add_argument("--groups", required=True, help="audit's groups of duplicates")
    parser.add_argument("--out", required=True, help="all pooled posts, with a column held_out")
    parser.add_argument(
        "--out-drop", required=True, help="the fold's posts, and all that belongs with one of them"
    )
    args = parse_arguments(parser, argv)

    options, duplicates = read_options(FoldOptions, args.spec), pd.read_parquet(args.groups)
    posts = read_posts_without_dropped(args.data, args.drop)
    if unlabelled := int(posts["label"].isna().sum()):
        raise ValueError(
            f"node {options.node}: {unlabelled} posts have no label; fold labelled splits only."
        )
    labels = np.array(options.classes)[posts["label"].astype(int)]
    number = assign_folds(
        posts["post_id"],
        labels,
        group_numbers(post_links(posts, duplicates)),
        options.k,
        options.seed,
    )
    posts["held_out"] = number == options.fold

    corpus = pd.concat([read_posts(path) for path in args.corpus], ignore_index=True)
    held = corpus["post_id"].isin(posts["post_id"][posts["held_out"]])
    left_out = corpus[is_linked(post_links(corpus, duplicates), held)].merge(
        duplicates, on="post_id"
    )
    write_posts(posts, args.out, FOLDED)
    write_table(left_out.assign(reason=f"held out by {options.node}"), args.out_drop, DROPPED)
    print(
        f"fold {options.node}: {int(posts['held_out'].sum())} of {len(posts)} posts held out; "
        f"{len(left_out)} of "
        f"{len(corpus)} posts of the corpus are these or belong with one of them.",
        file=sys.stderr,
    )


if __name__ == "__main__":
    run(main)
