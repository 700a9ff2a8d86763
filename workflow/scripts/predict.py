r"""Predict the datasets of one file with one model.

python workflow/scripts/predict.py \
    --spec results/public/ctyun/predict/plain/scored.parquet.spec.json \
    --model results/public/ctyun/finetune/plain \
    --data caves/dev results/public/clean/caves/dev.parquet \
    --data caves/test results/public/clean/caves/test.parquet \
    --work work/public/ctyun/predict/plain \
    --out results/public/ctyun/predict/plain/scored.parquet

A post gets a logit and a probability for each class, and the posts keep their order. Each dataset
is batched by itself, so its logits do not depend on the others. A finished dataset is kept in
--work and restored.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from postgrad.corpus.text_forms import convert_texts
from postgrad.models.model_folder import model_key, posts_digest, read_model_record
from postgrad.models.prediction import PredictOptions, Scorer, dataset_spec, posts_to_predict
from postgrad.records.options import read_options
from postgrad.records.posts import read_posts
from postgrad.records.predictions import (
    dataset_predictions,
    join_shards,
    prediction_rows,
    read_predictions,
    write_predictions,
)
from postgrad.runtime.cli import add_named_files, add_spec, named_files, parse_arguments, run
from postgrad.runtime.cost import COST, record_cost
from postgrad.runtime.locks import hold_lock
from postgrad.runtime.result_cache import (
    move_older_work,
    restore_result,
    result_folder,
    store_result,
)
from postgrad.runtime.signals import handle_stop_signals

VERSION = 1  # raise when the same model gives other predictions
# The columns on which a prediction depends. A new label does not change one.
READ_COLUMNS = ("post_id", "keyword", "text")
FILE_NAME = "predictions.parquet"


def load_scorer(options: PredictOptions, folder: str) -> Scorer:
    """Load the model in `folder` once, and return the function that scores posts with it."""
    if options.kind == "linear":
        from postgrad.models.linear import load_scorer as load
    else:
        # Read by transformers when it is imported.
        os.environ.update({"TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"})
        from postgrad.models.inference import load_scorer as load
    return load(options, folder)


def main(argv: Sequence[str] | None = None) -> None:
    """Predict every dataset that is not predicted yet, and write them to one file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_spec(parser, "the node's options, its task and the datasets of the file")
    parser.add_argument("--model", required=True, help="folder of the fine-tuned model")
    add_named_files(
        parser, "--data", ("DATASET", "FILE"), "the posts of a dataset, once for each dataset"
    )
    parser.add_argument(
        "--work", required=True, help="folder for the finished predictions of each dataset"
    )
    parser.add_argument("--out", required=True, help="the predictions of all datasets")
    parser.add_argument(
        "--shard", nargs="?", help="3-of-4: only every fourth batch, from the third on"
    )
    parser.add_argument(
        "--shards", nargs="*", default=[], help="all shards' files: join_shards, no model is run"
    )
    args = parse_arguments(parser, argv)

    options = read_options(PredictOptions, args.spec)
    facts, names = read_model_record(args.model), [label["name"] for label in options.labels]
    if facts["labels"] != names or facts["kind"] != options.kind:
        raise ValueError(
            f"model {args.model} ({facts['kind']}, {facts['labels']}) does not fit node "
            f"{options.node} ({options.kind}, {names}); train it for this task."
        )
    files = named_files("--data", args.data, options.datasets)
    model = {"version": VERSION, "model": model_key(args.model)} | (
        {"shard": args.shard} if args.shard else {}
    )
    shard, shards = map(int, (args.shard or "1-of-1").split("-of-"))
    parts, folder = [read_predictions(path) for path in args.shards], Path(*args.shards[:1]).parent
    predicted, scorer = {}, None
    with handle_stop_signals():
        for dataset, file in files.items():
            frame = posts_to_predict(read_posts(file), dataset, options.pool)
            key = {
                "spec": dataset_spec(args.spec, dataset),
                "posts": posts_digest(frame, READ_COLUMNS),
                **model,
            }
            place = Path(args.work) / (f"{dataset}.shards/{args.shard}" if args.shard else dataset)
            with hold_lock(place), TemporaryDirectory(dir=place.parent, prefix=".") as temporary:
                # Up to version 0.1.0 a dataset had a folder of its own.
                move_older_work(args.work, place)
                piece = Path(temporary) / FILE_NAME
                if not restore_result(args.work, key, piece, FILE_NAME):
                    with record_cost(result_folder(args.work, key) / COST, options.node):
                        rows: Any = range(len(frame))
                        if parts:
                            logits = join_shards(
                                frame["post_id"],
                                [dataset_predictions(one, dataset) for one in parts],
                                folder,
                            )
                        else:
                            scorer = scorer or load_scorer(options, args.model)
                            rows, logits = scorer(
                                convert_texts(frame, options.input), slice(shard - 1, None, shards)
                            )
                        write_predictions(
                            {dataset: prediction_rows(frame["post_id"].iloc[rows], logits)}, piece
                        )
                        store_result(args.work, key, piece, FILE_NAME)
                    print(
                        f"{options.node}: {len(rows)} posts of {dataset} predicted", file=sys.stderr
                    )
                predicted[dataset] = read_predictions(piece)
        write_predictions(predicted, args.out)


if __name__ == "__main__":
    run(main)
