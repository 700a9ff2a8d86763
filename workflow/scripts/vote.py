"""Vote: several predictions of one dataset as one, with its ties counted.

python workflow/scripts/vote.py --spec '{"rule":"majority","ties":"probability"}' \
  --predictions results/demo/ctyun/predict/ages-expert@seed=1/ages/dev.parquet \
  results/demo/ctyun/predict/ages-expert@seed=2/ages/dev.parquet \
  --out results/demo/ctyun/vote/ages-vote/ages/dev.parquet \
  --counts results/demo/ctyun/vote/ages-vote/ages/dev.json
"""

import argparse
import sys

import numpy as np

from postgrad.predictors.voting import check_members, spread, vote
from postgrad.records.files import write_text
from postgrad.records.json_files import json_text
from postgrad.records.posts import read_posts
from postgrad.records.predictions import ABSTAIN, matrix, read_predictions, write_predictions
from postgrad.runtime.cli import add_spec, parse_arguments, run


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_spec(parser, "rule, ties, and the members' weights if they have any")
    parser.add_argument("--predictions", nargs="+", required=True, help="one file a member")
    parser.add_argument("--posts", nargs="?", help="the posts that the members share, where each has held out some")
    parser.add_argument("--out", required=True, help="the vote's predictions")
    parser.add_argument("--counts", required=True, help="members, ties and abstentions, as JSON")
    args = parse_arguments(parser, argv)

    rule, ties, weights = args.spec["rule"], args.spec["ties"], args.spec.get("weights")
    frames = [read_predictions(path) for path in args.predictions]
    if args.posts:
        frames = spread(frames, read_posts(args.posts)["post_id"], args.predictions)
    check_members(frames, args.predictions)
    probs = np.stack([matrix(frame) for frame in frames])
    labels, logits, tied = vote(probs, np.stack([frame["label"] for frame in frames]), rule, ties, weights)
    abstained = int((labels == ABSTAIN).sum())
    write_predictions(frames[0]["post_id"], logits, args.out, labels=labels)
    counts = {"members": len(frames), "posts": len(labels), "rule": rule, "broken by": ties}
    counts |= {"weights": weights} if weights else {}
    write_text(json_text({**counts, "ties": tied, "abstained": abstained}), args.counts)
    print(
        f"vote: {rule} of {len(frames)} members on {len(labels)} posts; {tied} ties broken by {ties}, "
        f"{abstained} posts without an answer.",
        file=sys.stderr,
    )


if __name__ == "__main__":
    run(main)
