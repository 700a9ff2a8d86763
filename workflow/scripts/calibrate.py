r"""Adjust the logits of a predictor by a class prior, a temperature or a threshold.

python workflow/scripts/calibrate.py \
    --spec results/demo/mine/calibrate/fair@seed=1/scored.parquet.spec.json \
    --predictions results/demo/mine/predict/plain@seed=1/scored.parquet \
    --gold results/demo/clean/smm4h24-task6/dev.parquet \
    --model results/demo/mine/finetune/plain@seed=1/model.json \
    --out results/demo/mine/calibrate/fair@seed=1/scored.parquet \
    --fit results/demo/mine/calibrate/fair@seed=1/scored.fit.json

The file of --predictions has the datasets that are calibrated, and the dataset `fit` of the gold
posts.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from postgrad.predictors.calibration import (
    CalibrateOptions,
    apply_calibration,
    fit_calibration,
    metric_to_maximise,
)
from postgrad.predictors.temperature_scaling import negative_log_likelihood
from postgrad.records.files import write_text
from postgrad.records.json_files import json_text, read_json
from postgrad.records.options import read_options
from postgrad.records.posts import read_posts
from postgrad.records.predictions import (
    ABSTAIN,
    align_with_gold,
    dataset_predictions,
    prediction_matrix,
    prediction_rows,
    read_predictions,
    write_predictions,
)
from postgrad.runtime.cli import add_spec, parse_arguments, run


def main(argv: Sequence[str] | None = None) -> None:
    """Fit a calibration on gold posts and write the calibrated predictions."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_spec(parser, "the node's options, its task, and the datasets of the file")
    parser.add_argument(
        "--predictions", required=True, help="what is calibrated, and what it is fitted on"
    )
    parser.add_argument("--gold", required=True, help="labelled posts to fit on")
    parser.add_argument(
        "--pool", nargs="?", help="predictions of the posts whose class shares are estimated"
    )
    parser.add_argument("--model", nargs="?", help="model.json, for the class counts in training")
    parser.add_argument("--out", required=True, help="the calibrated predictions")
    parser.add_argument("--fit", required=True, help="what was fitted, as JSON")
    args = parse_arguments(parser, argv)

    options = read_options(CalibrateOptions, args.spec)
    predictions = read_predictions(args.predictions)
    on_gold = dataset_predictions(predictions, options.fit)
    posts, before = align_with_gold(read_posts(args.gold), on_gold, (args.gold, args.predictions))
    gold, answered = posts["label"].to_numpy(dtype=int), (before["label"] != ABSTAIN).to_numpy()
    if not answered.any():
        raise ValueError(
            f"{args.predictions} answers no gold post of {args.gold}; fit on a split with labels."
        )
    counts = read_json(args.model)["classes"] if args.model else None
    pool = dataset_predictions(read_predictions(args.pool), options.pool) if args.pool else None

    def scores(labels: Any, logits: np.ndarray) -> dict[str, float]:
        loss = negative_log_likelihood(logits[answered], gold[answered], 1.0)
        return {"score": metric_to_maximise(gold, labels, logits, options.task), "log loss": loss}

    fit = fit_calibration(
        options, gold[answered], prediction_matrix(before, "logits")[answered],
        score=lambda fit: metric_to_maximise(gold, *apply_calibration(before, fit), options.task),
        counts=counts and [counts[name] for name in options.labels],
        pool=None if pool is None else prediction_matrix(pool[pool["label"] != ABSTAIN]),
    )  # fmt: skip
    facts: dict[str, Any] = {
        "node": options.node,
        "of": options.of,
        "fit": options.fit,
        "metric": options.metric,
    }
    facts |= {"datasets": options.datasets, "posts": len(gold), **fit}
    facts |= {
        "before": scores(before["label"], prediction_matrix(before, "logits")),
        "after": scores(*apply_calibration(before, fit)),
    }
    calibrated = {}
    for dataset in options.datasets:
        frame = dataset_predictions(predictions, dataset)
        labels, logits = apply_calibration(frame, fit)
        calibrated[dataset] = prediction_rows(frame["post_id"], logits, labels=labels)
    write_predictions(calibrated, args.out)
    write_text(json_text({**facts, "pool": None if pool is None else len(pool)}), args.fit)
    print(
        f"calibrate {options.node}: {fit['method']} fitted on {len(gold)} gold posts.",
        file=sys.stderr,
    )


if __name__ == "__main__":
    run(main)
