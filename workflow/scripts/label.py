r"""Label the posts of a pool with one or two teachers, and keep some of them.

python workflow/scripts/label.py --spec results/demo/ctyun/label/agreed.parquet.spec.json \
    --pool ages/unlabeled results/demo/clean/smm4h24-task6/unlabeled.parquet \
    --drop results/demo/audit/smm4h24-task6/drop.parquet \
    --train results/demo/clean/smm4h24-task6/train.parquet \
    --gold results/demo/clean/smm4h24-task6/dev.parquet \
    --predictions qwen results/demo/ctyun/predict/qwen/teaching.parquet \
    --predictions qwen15 results/demo/ctyun/predict/qwen15/teaching.parquet \
    --out results/demo/ctyun/label/agreed.parquet --flow results/demo/ctyun/label/agreed.json

Posts are kept by agreement, by confidence or at random.
"""

import argparse
import sys
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from postgrad.predictors import pseudo_labels
from postgrad.predictors.pseudo_labels import LabelOptions, class_counts
from postgrad.records.files import write_text
from postgrad.records.json_files import json_text
from postgrad.records.options import read_options
from postgrad.records.posts import POSTS, read_posts, read_posts_without_dropped, write_posts
from postgrad.records.predictions import (
    align_with_gold,
    dataset_predictions,
    prediction_matrix,
    read_predictions,
)
from postgrad.runtime.cli import add_named_files, add_spec, named_files, parse_arguments, run

# `teachers`: a list of K probabilities for each teacher, uncalibrated, in the order of the spec.
LABELLED = POSTS.append(pa.field("teachers", pa.list_(pa.list_(pa.float64()))))


def main(argv: Sequence[str] | None = None) -> None:
    """Label the posts of a pool and write those that are kept."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_spec(parser, "the node's options")
    parser.add_argument(
        "--pool", required=True, nargs=2, metavar=("DATASET", "FILE"), help="the posts to label"
    )
    parser.add_argument("--drop", nargs="+", required=True, help="posts that audit leaves out")
    parser.add_argument("--held-out", nargs="*", default=[], help="posts that a fold leaves out")
    parser.add_argument("--train", required=True, help="labelled train posts: the class prior")
    parser.add_argument("--gold", nargs="?", help="labelled posts for calibration and audit")
    add_named_files(
        parser,
        "--predictions",
        ("TEACHER", "FILE"),
        "of the pool and the gold posts, once a teacher",
    )
    parser.add_argument("--budget", nargs="?", help="posts of another label node: as many are kept")
    parser.add_argument("--out", required=True, help="the posts kept")
    parser.add_argument("--flow", required=True, help="how many posts went where, as JSON")
    args = parse_arguments(parser, argv)

    options = read_options(LabelOptions, args.spec)
    names, classes, (dataset, pool_file) = options.teachers, len(options.classes), args.pool
    pool = read_posts_without_dropped([pool_file], args.drop).set_index("post_id")
    files = list(named_files("--predictions", args.predictions, names).values())
    answers = [read_predictions(file) for file in files]
    scored = [dataset_predictions(frame, dataset) for frame in answers]
    teachers = pseudo_labels.join_teachers(
        [frame[frame["post_id"].isin(pool.index)] for frame in scored], names, classes
    )
    pseudo_labels.check_teachers_differ(teachers, names)
    beside = None
    if args.held_out:
        beside = (
            teachers[0]["post_id"]
            .isin(read_posts_without_dropped([pool_file], args.drop + args.held_out)["post_id"])
            .to_numpy()
        )
    gold, on_gold = np.zeros(0, dtype=np.int64), []
    if args.gold:
        posts = read_posts_without_dropped([args.gold], args.drop)
        both = [
            align_with_gold(posts, dataset_predictions(frame, options.fit), (args.gold, file))
            for frame, file in zip(answers, files)
        ]
        gold, on_gold = both[0][0]["label"].to_numpy(dtype=np.int64), [frame for _, frame in both]
    two = len(names) > 1 and on_gold  # one teacher's own probabilities rank its answers
    temperatures = (
        [pseudo_labels.teacher_temperature(frame, gold) for frame in on_gold]
        if two
        else [None] * len(names)
    )
    train = class_counts(
        read_posts_without_dropped([args.train], args.drop + args.held_out)["label"], classes
    )
    budget = class_counts(read_posts(args.budget)["label"], classes) if args.budget else None
    prior = train if options.balance == "gold" else None
    how = {key: getattr(options, key) for key in ("share", "above", "seed", "part")} | {
        "beside": beside
    }
    rows, labels, shortfall = pseudo_labels.select_posts(
        teachers, temperatures, options.keep, prior, budget, **how
    )

    parents = teachers[0]["post_id"].to_numpy()[rows]
    frame = pool.loc[parents].reset_index().assign(label=labels, origin="label", parent=parents)
    frame["post_id"] = [f"{parent}~{options.node}~0" for parent in parents]
    frame["teachers"] = np.stack(
        [prediction_matrix(teacher)[rows] for teacher in teachers], axis=1
    ).tolist()
    write_posts(frame, args.out, LABELLED)

    figures = pseudo_labels.label_flow(
        teachers, labels, budget, shortfall, temperatures, on_gold, gold, train, beside
    )
    keys = ("node", "keep", "share", "above", "balance", "teachers", "classes", "fit")
    stem = {key: getattr(options, key) for key in keys} | {"pool": len(pool)}
    write_text(json_text({**stem, **figures}), args.flow)
    word = pseudo_labels.label_word(teachers)
    print(
        f"label {options.node}: {len(frame)} of {len(teachers[0])} scored posts kept by "
        f"{options.keep}; {sum(figures[word].values())} {word}, shortfall {sum(shortfall)}.",
        file=sys.stderr,
    )


if __name__ == "__main__":
    run(main)
