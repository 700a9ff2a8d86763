r"""Have a language model check the predictions of one label.

python workflow/scripts/review.py \
    --spec results/demo/mine/review/checked/scored.parquet.spec.json \
    --predictions results/demo/mine/predict/plain/scored.parquet \
    --data ages/test results/demo/clean/smm4h24-task6/test.parquet \
    --train results/demo/clean/smm4h24-task6/train.parquet \
    --drop results/demo/audit/smm4h24-task6/drop.parquet \
    --gold results/demo/clean/smm4h24-task6/dev.parquet \
    --work work/demo/mine/review/checked \
    --reached '{"answers":"work/demo/answers","bases":{},"budget":null}' \
    --out results/demo/mine/review/checked/scored.parquet \
    --fit results/demo/mine/review/checked/scored.fit.json

Only predictions of which the classifier is unsure are checked, and only if this gains something on
dev. The file of --predictions has the datasets that are reviewed and, for such a gate, the dataset
`fit` of the gold posts.
"""

import argparse
import json
import sys
from collections.abc import Sequence

from postgrad.llm.client import ask_functions
from postgrad.llm.reviewing import (
    REVIEW_SCHEMA,
    ReviewOptions,
    apply_review,
    example_lines,
    fit_gate,
    review_predictions,
)
from postgrad.records.files import write_text
from postgrad.records.json_files import json_text
from postgrad.records.options import read_options
from postgrad.records.parquet_files import write_private_table
from postgrad.records.posts import read_posts, read_posts_without_dropped
from postgrad.records.predictions import (
    align_with_gold,
    dataset_predictions,
    prediction_rows,
    read_predictions,
    write_predictions,
)
from postgrad.runtime.cli import add_named_files, add_spec, named_files, parse_arguments, run
from postgrad.runtime.cost import cost_file, count_tokens, record_cost
from postgrad.runtime.signals import handle_stop_signals

VERSION = 2  # raise when the same answers give other predictions, or a model is asked otherwise
GATE = "gate"


def main(argv: Sequence[str] | None = None) -> None:
    """Review the predictions of one label and write the predictions after it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_spec(parser, "the node's options, its task, and the datasets of the file")
    parser.add_argument(
        "--reached", type=json.loads, required=True, help="how its models are reached, as JSON"
    )
    parser.add_argument("--models", nargs="*", default=[], help="model.json of those in folders")
    parser.add_argument(
        "--predictions", required=True, help="what is reviewed, and what a gate is fitted on"
    )
    add_named_files(
        parser, "--data", ("DATASET", "FILE"), "the posts of a dataset, once for each dataset"
    )
    parser.add_argument(
        "--train", nargs="*", help="train posts of which examples are shown, if any are"
    )
    parser.add_argument("--drop", nargs="*", default=[], help="train posts that audit leaves out")
    parser.add_argument(
        "--gold", nargs="?", help="labelled posts on which a gate is fitted, if one is"
    )
    parser.add_argument(
        "--work", required=True, help="folder for each answer with its reason, for the owner alone"
    )
    parser.add_argument("--out", required=True, help="the predictions after the review")
    parser.add_argument(
        "--fit", required=True, help="what was fitted and how many answers there were, as JSON"
    )
    args = parse_arguments(parser, argv)

    options = read_options(ReviewOptions, args.spec)
    predictions = read_predictions(args.predictions)
    ((reviewer, ask),) = ask_functions(args.spec, args.reached, args.models).items()
    if (args.gold is None) != (options.fit is None):
        raise ValueError(
            "--gold and `fit` of the spec belong together: give both, or neither for a review "
            "without a gate."
        )
    data = named_files("--data", args.data, options.datasets)
    train = read_posts_without_dropped(args.train, args.drop) if args.train else None
    shown = (
        "" if train is None else example_lines(train, options.labels, options.shots, options.seed)
    )
    facts = {
        key: getattr(options, key) for key in ("node", "of", "check", "otherwise", "fit", "metric")
    }
    facts["reviewer"] = reviewer
    fit, reviewed, reviews = (
        dict.fromkeys(("margin", "before", "after", "p")) | {"on": True},
        {},
        {},
    )
    with (
        handle_stop_signals(),
        record_cost(cost_file(args.work, args.out), options.node) as cost,
    ):
        if options.fit:
            on_gold = dataset_predictions(predictions, options.fit)
            posts, before = align_with_gold(
                read_posts(args.gold), on_gold, (args.gold, args.predictions)
            )
            reviews[GATE] = review_predictions(
                options,
                shown,
                before,
                posts,
                max(map(float, options.gate)),
                count_tokens(ask, cost),
            )
            fit = fit_gate(options, posts["label"].to_numpy(dtype=int), before, reviews[GATE])
            facts |= {"alpha": options.alpha, "posts": len(posts)}
        for dataset, file in data.items():
            frame = dataset_predictions(predictions, dataset)
            checked_posts = frame if fit["on"] else frame[:0]
            reviews[dataset] = review_predictions(
                options,
                shown,
                checked_posts,
                read_posts(file),
                fit["margin"],
                count_tokens(ask, cost),
            )
            labels, logits = apply_review(frame, reviews[dataset])
            reviewed[dataset] = prediction_rows(frame["post_id"], logits, labels=labels)
    for name, review in reviews.items():
        write_private_table(
            review.table.assign(asked_for=name), f"{args.work}/{name}.parquet", REVIEW_SCHEMA
        )
    write_predictions(reviewed, args.out)
    counts = {name: review.counts for name, review in reviews.items()}
    write_text(
        json_text({**facts, **fit, "gate": counts.pop(GATE, None), "reviews": counts}), args.fit
    )
    kept = sum(review.kept for review in reviews.values())
    outcome = f"no gain on {options.fit}, so nothing is checked."
    if fit["on"]:
        checked, turned = (
            sum(count[key] for count in counts.values()) for key in ("checked", "changed")
        )
        outcome = f"{checked} checked by {reviewer}, {turned} changed; {kept} answers were kept."
    print(
        f"review {options.node}: of {sum(map(len, reviewed.values()))} predictions {outcome}",
        file=sys.stderr,
    )


if __name__ == "__main__":
    run(main)
