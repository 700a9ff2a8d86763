"""Score: every predictor of a recipe against the gold labels of every dataset asked for.

python workflow/scripts/score.py --out results/demo/ctyun/score/score.json \
  --predictions ages-plain@seed=1 ages/dev results/demo/ctyun/predict/ages-plain@seed=1/ages/dev.parquet \
  --gold ages-plain@seed=1 ages/dev results/demo/clean/smm4h24-task6/dev.parquet \
  --spec '{"pairs":[{"predictor":"ages-plain@seed=1","node":"ages-plain","axes":{"seed":"1"},
           "dataset":"ages/dev","task":"smm4h24-task6","labels":["no","yes"],"positive":[1],"metric":"f1"}],"recipe":"ctyun"}'
"""

import argparse

from postgrad.evaluation.metrics import scores
from postgrad.records.files import write_text
from postgrad.records.json_files import json_text
from postgrad.records.posts import read_posts
from postgrad.records.predictions import aligned, matrix, read_predictions
from postgrad.runtime.cli import add_spec, named_files, parse_arguments, run


def entry(pair, predictions_path, gold_path):
    """The scores of one predictor on one dataset, or the reason why there are none."""
    named = {key: pair[key] for key in ("predictor", "node", "axes", "dataset", "task")}
    gold = read_posts(gold_path)
    if gold["label"].isna().all():
        return {**named, "n": 0, "reason": "no gold labels"}
    gold, predictions = aligned(gold, read_predictions(predictions_path), (gold_path, predictions_path))
    task = (pair["labels"], pair["positive"], pair["metric"])
    try:
        found = scores(gold["label"].astype(int), predictions["label"], matrix(predictions), *task)
    except ValueError as fault:
        raise ValueError(f"{predictions_path}: {fault}") from fault
    return {**named, **found}


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_spec(parser, "recipe and pairs")
    for option, told in (("--predictions", "what a predictor says of a dataset"), ("--gold", "the dataset's posts")):
        words = {"nargs": 3, "metavar": ("PREDICTOR", "DATASET", "FILE")}
        parser.add_argument(option, action="append", default=[], help=f"{told}, once for each pair", **words)
    parser.add_argument("--out", required=True, help="the scores, as JSON")
    args = parse_arguments(parser, argv)

    pairs = {(pair["predictor"], pair["dataset"]): pair for pair in args.spec["pairs"]}
    predictions = named_files("--predictions", args.predictions, pairs)
    gold = named_files("--gold", args.gold, pairs)
    entries = [entry(pair, predictions[key], gold[key]) for key, pair in pairs.items()]
    write_text(json_text({"recipe": args.spec["recipe"], "entries": entries}), args.out)


if __name__ == "__main__":
    run(main)
