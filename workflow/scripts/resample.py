r"""Balance the classes of one or several datasets by copying posts and leaving posts out.

python workflow/scripts/resample.py --spec '{"node": "even", "seed": 1, "to": "largest"}' \
    --data results/demo/clean/smm4h24-task3/train.parquet \
    --drop results/demo/audit/smm4h24-task3/drop.parquet \
    --out results/demo/mine/resample/even.parquet
"""

import argparse
import sys
from collections.abc import Sequence

from postgrad.augmentation.resampling import ResampleOptions, resample_posts
from postgrad.records.options import read_options
from postgrad.records.posts import read_class_counts, read_posts_without_dropped, write_posts
from postgrad.runtime.cli import add_spec, parse_arguments, run


def main(argv: Sequence[str] | None = None) -> None:
    """Balance the classes and write the whole set."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_spec(parser, "the node's options")
    parser.add_argument(
        "--data", nargs="+", required=True, help="labelled posts to balance, gold first"
    )
    parser.add_argument(
        "--drop", nargs="*", default=[], help="posts that audit, or a fold, leaves out"
    )
    parser.add_argument(
        "--budget", nargs="?", help="posts of another node: each class gets as many"
    )
    parser.add_argument("--out", required=True, help="the whole balanced set")
    args = parse_arguments(parser, argv)

    options = read_options(ResampleOptions, args.spec)
    posts = read_posts_without_dropped(args.data, args.drop)
    frame = resample_posts(posts, options, read_class_counts(args.budget))
    write_posts(frame, args.out)
    before, after = (part["label"].value_counts().sort_index() for part in (posts, frame))
    per_class = ", ".join(
        f"{before[label]} to {after[label]} of class {label}" for label in after.index
    )
    copies = int((~frame["post_id"].isin(posts["post_id"])).sum())
    print(f"resample {options.node}: {per_class}; {copies} of them copies.", file=sys.stderr)


if __name__ == "__main__":
    run(main)
