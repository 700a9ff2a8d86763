r"""Make new posts from labelled ones, by shuffling segments, editing words or copying.

python workflow/scripts/augment.py \
    --spec results/demo/ctyun/augment/filled.parquet.spec.json \
    --data results/demo/clean/smm4h24-task3/train.parquet \
    --drop results/demo/audit/smm4h24-task3/drop.parquet \
    --out results/demo/ctyun/augment/filled.parquet

The method `duplicate` copies posts. It is the control of the others, with the same counts.
"""

import argparse
import sys
from collections.abc import Sequence

from postgrad.augmentation.shuffling import AugmentOptions, augment_posts
from postgrad.augmentation.synonyms import read_synonyms, wordnet_path
from postgrad.records.options import read_options
from postgrad.records.posts import read_class_counts, read_posts_without_dropped, write_posts
from postgrad.runtime.cli import add_spec, parse_arguments, run


def main(argv: Sequence[str] | None = None) -> None:
    """Make the new posts of a node and write them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_spec(parser, "the node's options")
    parser.add_argument("--data", nargs="+", required=True, help="posts to make new ones from")
    parser.add_argument(
        "--drop", nargs="*", default=[], help="posts that audit, or a fold, leaves out"
    )
    parser.add_argument(
        "--budget", nargs="?", help="posts of another node: each class gets as many new ones"
    )
    parser.add_argument("--out", required=True, help="the new posts alone")
    args = parse_arguments(parser, argv)

    options = read_options(AugmentOptions, args.spec)
    posts = read_posts_without_dropped(args.data, args.drop)
    synonyms = read_synonyms(wordnet_path()) if "synonym" in (options.edits or []) else {}
    frame, counts = augment_posts(posts, options, synonyms, read_class_counts(args.budget))
    write_posts(frame, args.out)
    per_class = ", ".join(f"{count} of class {label}" for label, count in counts["made"].items())
    print(
        f"augment {options.node}: {len(frame)} new posts from {len(posts)} "
        f"({per_class or 'none'}); text repeated for {sum(counts['one segment'].values())} with "
        f"one segment and {sum(counts['no new order'].values())} without a new order; "
        f"{sum(counts['no edit'].values())} left out that no edit made new.",
        file=sys.stderr,
    )


if __name__ == "__main__":
    run(main)
