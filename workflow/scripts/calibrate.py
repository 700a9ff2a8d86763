"""Calibrate: a predictor's logits turned by what gold posts teach, its class prior, temperature or threshold.

python workflow/scripts/calibrate.py --predictions results/demo/mine/predict/plain@seed=1/ages/test.parquet \
  --gold results/demo/clean/smm4h24-task6/dev.parquet \
  --on-gold results/demo/mine/predict/plain@seed=1/ages/dev.parquet \
  --model results/demo/mine/finetune/plain@seed=1/model.json \
  --out results/demo/mine/calibrate/fair@seed=1/ages/test.parquet \
  --fit results/demo/mine/calibrate/fair@seed=1/ages/test.fit.json \
  --spec '{"fit":"ages/dev","labels":["no","yes"],"lambda":[0,0.5,1],"method":"prior","metric":"f1",
           "node":"fair@seed=1","of":["plain@seed=1"],"positive":[1],"target":"uniform"}'
"""

import argparse
import sys

from postgrad.predictors.calibration import calibrated, fitted, metric_to_maximise
from postgrad.predictors.temperature_scaling import nll
from postgrad.records.files import write_text
from postgrad.records.json_files import json_text, read_json
from postgrad.records.posts import read_posts
from postgrad.records.predictions import ABSTAIN, aligned, matrix, read_predictions, write_predictions
from postgrad.runtime.cli import add_spec, parse_arguments, run


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_spec(parser, "the node's options and its task")
    parser.add_argument("--predictions", required=True, help="what is calibrated")
    parser.add_argument("--gold", required=True, help="labelled posts to fit on")
    parser.add_argument("--on-gold", required=True, help="the same predictor's predictions of them")
    parser.add_argument("--pool", nargs="?", help="its predictions of the posts whose class shares are estimated")
    parser.add_argument("--model", nargs="?", help="model.json, for the class counts in training")
    parser.add_argument("--out", required=True, help="the calibrated predictions")
    parser.add_argument("--fit", required=True, help="what was fitted, as JSON")
    args = parse_arguments(parser, argv)

    spec = args.spec
    task = (spec["labels"], spec["positive"], spec["metric"])
    posts, before = aligned(read_posts(args.gold), read_predictions(args.on_gold), (args.gold, args.on_gold))
    gold, answered = posts["label"].to_numpy(dtype=int), (before["label"] != ABSTAIN).to_numpy()
    if not answered.any():
        raise ValueError(f"{args.on_gold} answers no gold post of {args.gold}; fit on a split with labels.")
    counts = read_json(args.model)["classes"] if args.model else None
    pool = read_predictions(args.pool) if args.pool else None

    def told(labels, logits):
        loss = nll(logits[answered], gold[answered], 1.0)
        return {"score": metric_to_maximise(gold, labels, logits, task), "log loss": loss}

    fit = fitted(
        spec, gold[answered], matrix(before, "logits")[answered],
        score=lambda fit: metric_to_maximise(gold, *calibrated(before, fit), task),
        counts=counts and [counts[name] for name in spec["labels"]],
        pool=None if pool is None else matrix(pool[pool["label"] != ABSTAIN]),
    )  # fmt: skip
    facts = {key: spec[key] for key in ("node", "of", "fit", "metric")} | {"posts": len(gold), **fit}
    facts |= {"before": told(before["label"], matrix(before, "logits")), "after": told(*calibrated(before, fit))}
    frame = read_predictions(args.predictions)
    labels, logits = calibrated(frame, fit)
    write_predictions(frame["post_id"], logits, args.out, labels=labels)
    write_text(json_text({**facts, "pool": None if pool is None else len(pool)}), args.fit)
    print(f"calibrate {spec['node']}: {fit['method']} fitted on {len(gold)} gold posts.", file=sys.stderr)


if __name__ == "__main__":
    run(main)
