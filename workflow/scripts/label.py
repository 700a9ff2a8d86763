"""Label unlabelled posts where two teachers agree, or as the controls do at the agreed posts' budget.

python workflow/scripts/label.py --pool results/demo/clean/smm4h24-task6/unlabeled.parquet \
  --drop results/demo/audit/smm4h24-task6/drop.parquet --gold results/demo/clean/smm4h24-task6/train.parquet \
  --dev results/demo/clean/smm4h24-task6/dev.parquet \
  --predictions results/demo/ctyun/predict/qwen/ages/unlabeled.parquet \
                results/demo/ctyun/predict/qwen15/ages/unlabeled.parquet \
  --dev-predictions results/demo/ctyun/predict/qwen/ages/dev.parquet \
                    results/demo/ctyun/predict/qwen15/ages/dev.parquet \
  --out results/demo/ctyun/label/agreed.parquet --flow results/demo/ctyun/label/agreed.json \
  --spec '{"balance":"none","classes":["no","yes"],"keep":"agreement","node":"agreed","seed":1,
           "teachers":["qwen","qwen15"]}'
"""

import argparse
import json
import sys

import numpy as np
import pyarrow as pa

from postgrad.agreement import calibration, check_distinct, class_counts, flow, joined, kept
from postgrad.cli import run
from postgrad.posts import POSTS, read_posts, read_union, write_posts, write_text
from postgrad.predictions import aligned, matrix, read_predictions
from postgrad.results import json_text

# `teachers`: a list of K probabilities for each teacher, uncalibrated, in the order of the spec.
LABELLED = POSTS.append(pa.field("teachers", pa.list_(pa.list_(pa.float64()))))


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--spec", type=json.loads, required=True, help="the node's options, as JSON")
    parser.add_argument("--pool", required=True, help="unlabelled posts")
    parser.add_argument("--drop", nargs="+", required=True, help="posts that audit, or a fold, leaves out")
    parser.add_argument("--gold", required=True, help="labelled train posts: the class prior")
    parser.add_argument("--dev", required=True, help="labelled posts for calibration and audit")
    parser.add_argument("--predictions", nargs=2, required=True, help="two teachers' on the pool")
    parser.add_argument("--dev-predictions", nargs=2, required=True, help="the same teachers' on dev")
    parser.add_argument("--budget", nargs="?", help="posts of the agreed node, for the controls")
    parser.add_argument("--out", required=True, help="the posts kept")
    parser.add_argument("--flow", required=True, help="how many posts went where, as JSON")
    args = parser.parse_args(argv)

    spec, names, classes = args.spec, args.spec["teachers"], len(args.spec["classes"])
    pool = read_union([args.pool], args.drop).set_index("post_id")
    scored = [read_predictions(file) for file in args.predictions]
    pair = joined(*(frame[frame["post_id"].isin(pool.index)] for frame in scored), names, classes)
    check_distinct(pair, names)
    gold_dev = read_union([args.dev], args.drop)
    both = [aligned(gold_dev, read_predictions(file), (args.dev, file)) for file in args.dev_predictions]
    gold, dev = both[0][0]["label"].to_numpy(dtype=np.int64), [frame for _, frame in both]
    temperatures = [calibration(frame, gold) for frame in dev]
    train = class_counts(read_union([args.gold], args.drop)["label"], classes)
    budget = class_counts(read_posts(args.budget)["label"], classes) if args.budget else None
    prior = train if spec["balance"] == "gold" else None
    rows, labels, shortfall = kept(pair, temperatures, spec["keep"], prior, budget, spec["seed"])

    parents = pair[0]["post_id"].to_numpy()[rows]
    frame = pool.loc[parents].reset_index().assign(label=labels, origin="label", parent=parents)
    frame["post_id"] = [f"{parent}~{spec['node']}~0" for parent in parents]
    frame["teachers"] = np.stack([matrix(teacher)[rows] for teacher in pair], axis=1).tolist()
    write_posts(frame, args.out, LABELLED)

    figures = flow(pair, labels, budget, shortfall, temperatures, dev, gold)
    stem = {key: spec[key] for key in ("node", "keep", "balance", "teachers", "classes")}
    write_text(json_text({**stem, "pool": len(pool), **figures}), args.flow)
    print(
        f"label {spec['node']}: {len(frame)} of {len(pair[0])} scored posts kept by {spec['keep']}; "
        f"{sum(figures['agreed'].values())} agreed, shortfall {sum(shortfall)}.",
        file=sys.stderr,
    )


if __name__ == "__main__":
    run(main)
