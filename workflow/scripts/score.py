"""Score: every predictor of a recipe against the gold labels of every dataset asked for.

python workflow/scripts/score.py --predictions results/demo/ctyun/predict/ages-plain@seed=1/ages/dev.parquet \
  --gold results/demo/clean/smm4h24-task6/dev.parquet --out results/demo/ctyun/score/score.json \
  --spec '{"pairs":[{"predictor":"ages-plain@seed=1","node":"ages-plain","dataset":"ages/dev","task":
           "smm4h24-task6","labels":["no","yes"],"positive":[1],"metric":"f1"}],"recipe":"ctyun"}'
"""

import argparse
import json

from postgrad.evaluation.metrics import scores
from postgrad.records.files import write_text
from postgrad.records.json_files import json_text
from postgrad.records.posts import read_posts
from postgrad.records.predictions import aligned, matrix, read_predictions
from postgrad.runtime.cli import run


def entry(pair, predictions_path, gold_path):
    """The scores of one predictor on one dataset, or the reason why there are none."""
    named = {key: pair[key] for key in ("predictor", "node", "dataset", "task")}
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
    parser.add_argument("--spec", type=json.loads, required=True, help="recipe and pairs, as JSON")
    parser.add_argument("--predictions", nargs="*", default=[], help="one file a pair")
    parser.add_argument("--gold", nargs="*", default=[], help="one file a pair")
    parser.add_argument("--out", required=True, help="the scores, as JSON")
    args = parser.parse_args(argv)

    pairs = args.spec["pairs"]
    if not len(pairs) == len(args.predictions) == len(args.gold):
        raise ValueError(
            f"{len(pairs)} pairs, {len(args.predictions)} files of predictions and {len(args.gold)} of gold; "
            "give one of each a pair."
        )
    entries = [entry(*each) for each in zip(pairs, args.predictions, args.gold, strict=True)]
    write_text(json_text({"recipe": args.spec["recipe"], "entries": entries}), args.out)


if __name__ == "__main__":
    run(main)
