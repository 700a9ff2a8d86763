r"""Choose the best of several predictors on gold posts; its predictions become those of the node.

python workflow/scripts/pick.py --spec results/demo/mine/pick/best/scored.parquet.spec.json \
    --gold results/demo/clean/smm4h24-task6/dev.parquet \
    --predictions plain@lr=low results/demo/mine/predict/plain@lr=low/scored.parquet \
    --predictions plain@lr=high results/demo/mine/predict/plain@lr=high/scored.parquet \
    --out results/demo/mine/pick/best/scored.parquet \
    --fit results/demo/mine/pick/best/scored.fit.json

Each file of --predictions has the datasets that the node predicts, and the dataset `fit` of the
gold posts.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from postgrad.predictors.calibration import PickOptions, first_best, metric_to_maximise
from postgrad.records.files import write_text
from postgrad.records.json_files import json_text
from postgrad.records.options import read_options
from postgrad.records.posts import read_posts
from postgrad.records.predictions import (
    align_with_gold,
    dataset_predictions,
    prediction_matrix,
    read_predictions,
    write_predictions,
)
from postgrad.runtime.cli import add_named_files, add_spec, named_files, parse_arguments, run


def main(argv: Sequence[str] | None = None) -> None:
    """Choose the best predictor and write its predictions."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_spec(parser, "the candidates, their task, and the datasets of the file")
    add_named_files(parser, "--predictions", ("CANDIDATE", "FILE"), "once for each candidate")
    parser.add_argument("--gold", required=True, help="labelled posts to choose on")
    parser.add_argument("--out", required=True, help="the predictions of the best")
    parser.add_argument("--fit", required=True, help="each candidate's score, as JSON")
    args = parse_arguments(parser, argv)

    options, posts = read_options(PickOptions, args.spec), read_posts(args.gold)
    if posts["label"].isna().all():
        raise ValueError(
            f"{args.gold} has no gold labels to choose on; fit on a split with labels."
        )
    files = named_files("--predictions", args.predictions, options.of)
    predictions = {candidate: read_predictions(path) for candidate, path in files.items()}

    def score(candidate: str) -> float:
        on_gold = dataset_predictions(predictions[candidate], options.fit)
        gold, frame = align_with_gold(posts, on_gold, (args.gold, files[candidate]))
        return metric_to_maximise(
            gold["label"].astype(int),
            frame["label"],
            prediction_matrix(frame, "logits"),
            options.task,
        )

    best, scores = first_best(options.of, score)
    write_predictions(
        {dataset: dataset_predictions(predictions[best], dataset) for dataset in options.datasets},
        args.out,
    )
    facts: dict[str, Any] = {
        "node": options.node,
        "fit": options.fit,
        "metric": options.metric,
        "datasets": options.datasets,
    }
    facts |= {"posts": int(posts["label"].notna().sum())}
    candidates = [{"node": id, "score": value} for id, value in zip(options.of, scores)]
    write_text(json_text({**facts, "picked": best, "candidates": candidates}), args.fit)
    print(
        f"pick {options.node}: {best} of {len(scores)} candidates, {max(scores):.4f} in "
        f"{options.metric} on {facts['posts']} gold posts.",
        file=sys.stderr,
    )


if __name__ == "__main__":
    run(main)
