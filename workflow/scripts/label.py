"""Label the posts of a pool as one or two teachers see them, and keep some: by agreement, confidence or at random.

python workflow/scripts/label.py --pool results/demo/clean/smm4h24-task6/unlabeled.parquet \
  --drop results/demo/audit/smm4h24-task6/drop.parquet --train results/demo/clean/smm4h24-task6/train.parquet \
  --gold results/demo/clean/smm4h24-task6/dev.parquet \
  --predictions qwen results/demo/ctyun/predict/qwen/ages/unlabeled.parquet \
  --predictions qwen15 results/demo/ctyun/predict/qwen15/ages/unlabeled.parquet \
  --on-gold qwen results/demo/ctyun/predict/qwen/ages/dev.parquet \
  --on-gold qwen15 results/demo/ctyun/predict/qwen15/ages/dev.parquet \
  --out results/demo/ctyun/label/agreed.parquet --flow results/demo/ctyun/label/agreed.json \
  --spec '{"balance":"none","classes":["no","yes"],"fit":"ages/dev","keep":"agreement","node":"agreed","seed":1,
           "teachers":["qwen","qwen15"]}'
"""

import argparse
import sys

import numpy as np
import pyarrow as pa

from postgrad.predictors.pseudo_labels import calibration, check_distinct, class_counts, flow, joined, kept, verdict
from postgrad.records.files import write_text
from postgrad.records.json_files import json_text
from postgrad.records.posts import POSTS, read_posts, read_union, write_posts
from postgrad.records.predictions import aligned, matrix, read_predictions
from postgrad.runtime.cli import add_spec, named_files, parse_arguments, run

# `teachers`: a list of K probabilities for each teacher, uncalibrated, in the order of the spec.
LABELLED = POSTS.append(pa.field("teachers", pa.list_(pa.list_(pa.float64()))))


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_spec(parser, "the node's options")
    parser.add_argument("--pool", required=True, help="the posts to label")
    parser.add_argument("--drop", nargs="+", required=True, help="posts that audit leaves out")
    parser.add_argument("--held-out", nargs="*", default=[], help="posts that a fold leaves out")
    parser.add_argument("--train", required=True, help="labelled train posts: the class prior")
    parser.add_argument("--gold", nargs="?", help="labelled posts for calibration and audit")
    named = {"action": "append", "nargs": 2, "metavar": ("TEACHER", "FILE"), "default": []}
    parser.add_argument("--predictions", **named, help="of the pool, once for each teacher")
    parser.add_argument("--on-gold", **named, help="of the gold posts, once for each teacher")
    parser.add_argument("--budget", nargs="?", help="posts of another label node: as many are kept")
    parser.add_argument("--out", required=True, help="the posts kept")
    parser.add_argument("--flow", required=True, help="how many posts went where, as JSON")
    args = parse_arguments(parser, argv)

    spec, names, classes = args.spec, args.spec["teachers"], len(args.spec["classes"])
    pool = read_union([args.pool], args.drop).set_index("post_id")
    scored = [read_predictions(file) for file in named_files("--predictions", args.predictions, names).values()]
    teachers = joined([frame[frame["post_id"].isin(pool.index)] for frame in scored], names, classes)
    check_distinct(teachers, names)
    beside = None
    if args.held_out:
        beside = teachers[0]["post_id"].isin(read_union([args.pool], args.drop + args.held_out)["post_id"]).to_numpy()
    gold, on_gold, temperatures = np.zeros(0, dtype=np.int64), [], [None] * len(names)
    if args.gold:
        posts = read_union([args.gold], args.drop)
        files = named_files("--on-gold", args.on_gold, names).values()
        both = [aligned(posts, read_predictions(file), (args.gold, file)) for file in files]
        gold, on_gold = both[0][0]["label"].to_numpy(dtype=np.int64), [frame for _, frame in both]
    if len(names) > 1 and on_gold:  # one teacher's own probabilities rank its answers
        temperatures = [calibration(frame, gold) for frame in on_gold]
    train = class_counts(read_union([args.train], args.drop + args.held_out)["label"], classes)
    budget = class_counts(read_posts(args.budget)["label"], classes) if args.budget else None
    prior = train if spec["balance"] == "gold" else None
    how = {"prior": prior, "budget": budget, "seed": spec["seed"]} | {key: spec.get(key) for key in ("share", "above")}
    rows, labels, shortfall = kept(teachers, temperatures, spec["keep"], **how, beside=beside, part=spec.get("part"))

    parents = teachers[0]["post_id"].to_numpy()[rows]
    frame = pool.loc[parents].reset_index().assign(label=labels, origin="label", parent=parents)
    frame["post_id"] = [f"{parent}~{spec['node']}~0" for parent in parents]
    frame["teachers"] = np.stack([matrix(teacher)[rows] for teacher in teachers], axis=1).tolist()
    write_posts(frame, args.out, LABELLED)

    figures = flow(teachers, labels, budget, shortfall, temperatures, on_gold, gold, beside)
    stem = {key: spec.get(key) for key in ("node", "keep", "share", "above", "balance", "teachers", "classes", "fit")}
    write_text(json_text({**stem, "pool": len(pool), **figures}), args.flow)
    word = verdict(teachers)
    print(
        f"label {spec['node']}: {len(frame)} of {len(teachers[0])} scored posts kept by {spec['keep']}; "
        f"{sum(figures[word].values())} {word}, shortfall {sum(shortfall)}.",
        file=sys.stderr,
    )


if __name__ == "__main__":
    run(main)
