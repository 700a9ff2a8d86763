r"""Make new posts from labelled ones, by shuffling segments, editing words or copying.

python workflow/scripts/augment.py \
    --spec results/demo/ctyun/augment/filled.parquet.spec.json \
    --data results/demo/clean/smm4h24-task3/train.parquet \
    --drop results/demo/audit/smm4h24-task3/drop.parquet \
    --scored test results/demo/clean/smm4h24-task3/test.parquet \
    --out results/demo/ctyun/augment/filled.parquet --flow results/demo/ctyun/augment/filled.json

The method `duplicate` copies posts. It is the control of the others, with the same counts. A new
post that copies a scored one is left out.
"""

import argparse
import sys
from collections.abc import Sequence

from postgrad.augmentation.shuffling import AugmentOptions, augment_posts
from postgrad.augmentation.synonyms import read_synonyms, wordnet_path
from postgrad.corpus.near_duplicates import copied_posts, leave_out_copies
from postgrad.records.files import write_text
from postgrad.records.json_files import json_text
from postgrad.records.options import read_options
from postgrad.records.posts import (
    read_class_counts,
    read_posts,
    read_posts_without_dropped,
    write_posts,
)
from postgrad.runtime.cli import add_named_files, add_spec, named_files, parse_arguments, run


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
    add_named_files(
        parser, "--scored", ("SPLIT", "FILE"), "posts that no new one may copy, once a split"
    )
    parser.add_argument("--out", required=True, help="the new posts alone")
    parser.add_argument("--flow", required=True, help="how many new posts were copies, as JSON")
    args = parse_arguments(parser, argv)

    options = read_options(AugmentOptions, args.spec)
    posts = read_posts_without_dropped(args.data, args.drop)
    synonyms = read_synonyms(wordnet_path()) if "synonym" in (options.edits or []) else {}
    frame, counts = augment_posts(posts, options, synonyms, read_class_counts(args.budget))
    scored = {
        split: read_posts(file) for split, file in named_files("--scored", args.scored).items()
    }
    copies = copied_posts(frame, scored)
    frame, flow = leave_out_copies(frame, copies, options.near_duplicates, options.node)
    write_posts(frame, args.out)
    write_text(json_text({"node": options.node, **flow}), args.flow)
    per_class = ", ".join(f"{count} of class {label}" for label, count in counts["made"].items())
    print(
        f"augment {options.node}: {flow['made']} new posts from {len(posts)} "
        f"({per_class or 'none'}); text repeated for {sum(counts['one segment'].values())} with "
        f"one segment and {sum(counts['no new order'].values())} without a new order; "
        f"{sum(counts['no edit'].values())} left out that no edit made new; "
        f"{flow['left_out']} left out and {flow['stay']} kept that copy a scored post.",
        file=sys.stderr,
    )


if __name__ == "__main__":
    run(main)
