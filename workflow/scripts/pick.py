"""Pick: of several predictors the best on gold posts of dev; its predictions become this node's.

python workflow/scripts/pick.py --gold results/demo/clean/smm4h24-task6/dev.parquet \
  --predictions plain@lr=low results/demo/mine/predict/plain@lr=low/ages/test.parquet \
  --predictions plain@lr=high results/demo/mine/predict/plain@lr=high/ages/test.parquet \
  --on-gold plain@lr=low results/demo/mine/predict/plain@lr=low/ages/dev.parquet \
  --on-gold plain@lr=high results/demo/mine/predict/plain@lr=high/ages/dev.parquet \
  --out results/demo/mine/pick/best/ages/test.parquet --fit results/demo/mine/pick/best/ages/test.fit.json \
  --spec '{"fit":"ages/dev","labels":["no","yes"],"metric":"f1","node":"best",
           "of":["plain@lr=low","plain@lr=high"],"positive":[1]}'
"""

import argparse
import sys

from postgrad.predictors.calibration import first_best, metric_to_maximise
from postgrad.records.files import write_text
from postgrad.records.json_files import json_text
from postgrad.records.parquet_files import write_table
from postgrad.records.posts import read_posts
from postgrad.records.predictions import PREDICTIONS, aligned, matrix, read_predictions
from postgrad.runtime.cli import add_spec, named_files, parse_arguments, run


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_spec(parser, "the candidates and their task")
    named = {"action": "append", "nargs": 2, "metavar": ("CANDIDATE", "FILE"), "default": []}
    parser.add_argument("--predictions", **named, help="once for each candidate")
    parser.add_argument("--gold", required=True, help="labelled posts to choose on")
    parser.add_argument("--on-gold", **named, help="the predictions of these posts, once for each candidate")
    parser.add_argument("--out", required=True, help="the predictions of the best")
    parser.add_argument("--fit", required=True, help="each candidate's score, as JSON")
    args = parse_arguments(parser, argv)

    spec, posts = args.spec, read_posts(args.gold)
    if posts["label"].isna().all():
        raise ValueError(f"{args.gold} has no gold labels to choose on; fit on a split with labels.")
    task = (spec["labels"], spec["positive"], spec["metric"])
    predictions = named_files("--predictions", args.predictions, spec["of"])
    on_gold = named_files("--on-gold", args.on_gold, spec["of"])

    def score(candidate):
        gold, frame = aligned(posts, read_predictions(on_gold[candidate]), (args.gold, on_gold[candidate]))
        return metric_to_maximise(gold["label"].astype(int), frame["label"], matrix(frame, "logits"), task)

    best, found = first_best(spec["of"], score)
    write_table(read_predictions(predictions[best]), args.out, PREDICTIONS)
    facts = {key: spec[key] for key in ("node", "fit", "metric")} | {"posts": int(posts["label"].notna().sum())}
    candidates = [{"node": id, "score": value} for id, value in zip(spec["of"], found)]
    write_text(json_text({**facts, "picked": best, "candidates": candidates}), args.fit)
    print(
        f"pick {spec['node']}: {best} of {len(found)} candidates, {max(found):.4f} in {spec['metric']} "
        f"on {facts['posts']} gold posts.",
        file=sys.stderr,
    )


if __name__ == "__main__":
    run(main)
