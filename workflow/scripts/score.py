r"""Score every predictor of a recipe against the gold labels of every dataset asked for.

python workflow/scripts/score.py --spec results/demo/ctyun/score/score.json.spec.json \
    --predictions ages-plain@seed=1 results/demo/ctyun/predict/ages-plain@seed=1/scored.parquet \
    --gold ages-plain@seed=1 ages/dev results/demo/clean/smm4h24-task6/dev.parquet \
    --out results/demo/ctyun/score/score.json
"""

import argparse
from collections.abc import Sequence
from typing import Any

import pandas as pd

from postgrad.evaluation.metrics import ScoredPair, ScoreOptions, score_predictions
from postgrad.records.files import write_text
from postgrad.records.json_files import json_text
from postgrad.records.options import read_options
from postgrad.records.posts import read_posts
from postgrad.records.predictions import (
    align_with_gold,
    dataset_predictions,
    prediction_matrix,
    read_predictions,
)
from postgrad.runtime.cli import add_spec, named_files, parse_arguments, run


def entry(
    pair: ScoredPair, predictions: pd.DataFrame, predictions_path: str, gold_path: str
) -> dict[str, Any]:
    """Return the scores of one predictor on one dataset, or the reason why there are none."""
    named = {key: getattr(pair, key) for key in ("predictor", "node", "axes", "dataset", "task")}
    gold = read_posts(gold_path)
    if gold["label"].isna().all():
        return {**named, "n": 0, "reason": "no gold labels"}
    gold, predictions = align_with_gold(
        gold, dataset_predictions(predictions, pair.dataset), (gold_path, predictions_path)
    )
    task = (pair.labels, pair.positive, pair.metric)
    try:
        scores = score_predictions(
            gold["label"].astype(int), predictions["label"], prediction_matrix(predictions), *task
        )
    except ValueError as fault:
        raise ValueError(f"{predictions_path}: {pair.dataset}: {fault}") from fault
    return {**named, **scores}


def main(argv: Sequence[str] | None = None) -> None:
    """Score all predictors of a recipe and write the scores."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_spec(parser, "recipe, and pairs of predictor and dataset")
    for option, words, text in (
        (
            "--predictions",
            ("PREDICTOR", "FILE"),
            "what a predictor says of all datasets, once for each predictor",
        ),
        ("--gold", ("PREDICTOR", "DATASET", "FILE"), "a dataset's posts, once for each pair"),
    ):
        parser.add_argument(
            option, action="append", default=[], nargs=len(words), metavar=words, help=text
        )
    parser.add_argument("--out", required=True, help="the scores, as JSON")
    args = parse_arguments(parser, argv)

    options = read_options(ScoreOptions, args.spec)
    pairs = {(pair.predictor, pair.dataset): pair for pair in options.pairs}
    gold = named_files("--gold", args.gold, pairs)
    files = named_files(
        "--predictions", args.predictions, dict.fromkeys(predictor for predictor, _ in pairs)
    )
    entries = []
    for predictor, path in files.items():
        predictions = read_predictions(path)
        own = [(key, pair) for key, pair in pairs.items() if pair.predictor == predictor]
        entries += [entry(pair, predictions, path, gold[key]) for key, pair in own]
    write_text(json_text({"recipe": options.recipe, "entries": entries}), args.out)


if __name__ == "__main__":
    run(main)
