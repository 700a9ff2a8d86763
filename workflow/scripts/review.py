"""Review: one predicted label re-checked by a language model, where the classifier is unsure and dev shows a gain.

python workflow/scripts/review.py --predictions results/demo/mine/predict/plain/ages/test.parquet \
  --data results/demo/clean/smm4h24-task6/test.parquet \
  --train results/demo/clean/smm4h24-task6/train.parquet --drop results/demo/audit/smm4h24-task6/drop.parquet \
  --gold results/demo/clean/smm4h24-task6/dev.parquet --on-gold results/demo/mine/predict/plain/ages/dev.parquet \
  --work work/demo/mine/review/checked/ages/test.parquet --out results/demo/mine/review/checked/ages/test.parquet \
  --reached '{"answers":"work/demo/answers","bases":{},"budget":null}' --spec spec.json
"""

import argparse
import json
import sys
from pathlib import Path

import pandas as pd

from postgrad.llm.client import asked
from postgrad.llm.reviewing import CHECKED, changed, examples, gate, reviewed
from postgrad.records.files import write_text
from postgrad.records.json_files import json_text
from postgrad.records.parquet_files import write_private
from postgrad.records.posts import read_posts, read_union
from postgrad.records.predictions import aligned, read_predictions, write_predictions
from postgrad.runtime.cli import add_spec, parse_arguments, run
from postgrad.runtime.signals import heeded

VERSION = 1  # raise when the same answers give other predictions, or a model is asked otherwise


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_spec(parser, "the node's options and its task")
    parser.add_argument("--reached", type=json.loads, required=True, help="how its models are reached, as JSON")
    parser.add_argument("--models", nargs="*", default=[], help="model.json of those in folders")
    parser.add_argument("--predictions", required=True, help="what is reviewed")
    parser.add_argument("--data", required=True, help="the posts predicted")
    parser.add_argument("--train", nargs="*", help="train posts of which examples are shown, if any are")
    parser.add_argument("--drop", nargs="*", default=[], help="train posts that audit leaves out")
    parser.add_argument("--gold", nargs="?", help="labelled posts on which a gate is fitted, if one is")
    parser.add_argument("--on-gold", nargs="?", help="the predictions of these posts")
    parser.add_argument("--work", required=True, help="each answer with its reason, for the owner alone")
    parser.add_argument("--out", required=True, help="the predictions after the review; .fit.json beside them")
    args = parse_arguments(parser, argv)

    spec, frame = args.spec, read_predictions(args.predictions)
    ((reviewer, ask),) = asked(spec, args.reached, args.models).items()
    if (args.gold is None) != (args.on_gold is None):
        raise ValueError("--gold and --on-gold belong together: give both, or neither for a review without a gate.")
    train = read_union(args.train, args.drop) if args.train else None
    shown = "" if train is None else examples(train, spec["labels"], spec["shots"], spec["seed"])
    facts = {key: spec[key] for key in ("node", "of", "check", "otherwise", "fit", "metric")} | {"reviewer": reviewer}
    fit, reviews = dict.fromkeys(("margin", "before", "after", "p")) | {"on": True}, {}
    with heeded():
        if args.gold:
            posts, before = aligned(read_posts(args.gold), read_predictions(args.on_gold), (args.gold, args.on_gold))
            reviews["gate"] = reviewed(spec, shown, before, posts, max(spec["gate"]), ask)
            fit = gate(spec, posts["label"].to_numpy(dtype=int), before, reviews["gate"])
            facts |= {"alpha": spec["alpha"], "posts": len(posts)}
        wanted = frame if fit["on"] else frame[:0]
        reviews["dataset"] = review = reviewed(spec, shown, wanted, read_posts(args.data), fit["margin"], ask)
    labels, logits = changed(frame, review)
    tables = [one.table.assign(asked_for=which) for which, one in reviews.items()]
    write_private(pd.concat(tables), args.work, CHECKED)
    write_predictions(frame["post_id"], logits, args.out, labels=labels)
    counts = {which: one.counts for which, one in reviews.items()}
    write_text(json_text({**facts, **fit, "reviews": counts}), Path(args.out).with_suffix(".fit.json"))
    found = f"{review.counts['checked']} checked by {reviewer}, {review.counts['changed']} changed"
    kept = sum(one.kept for one in reviews.values())
    told = f"{found}; {kept} answers were kept." if fit["on"] else f"no gain on {spec['fit']}, so nothing is checked."
    print(f"review {spec['node']}: of {len(frame)} predictions {told}", file=sys.stderr)


if __name__ == "__main__":
    run(main)
