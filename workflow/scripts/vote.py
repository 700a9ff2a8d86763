r"""Combine the predictions of several predictors, and count the ties on each dataset.

python workflow/scripts/vote.py \
    --spec results/demo/ctyun/vote/ages-vote/scored.parquet.spec.json \
    --predictions results/demo/ctyun/predict/ages-expert@seed=1/scored.parquet \
    results/demo/ctyun/predict/ages-expert@seed=2/scored.parquet \
    --out results/demo/ctyun/vote/ages-vote/scored.parquet \
    --counts results/demo/ctyun/vote/ages-vote/scored.json
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from postgrad.predictors.voting import VoteOptions, check_same_posts, extend_to_all_posts, vote
from postgrad.records.files import write_text
from postgrad.records.json_files import json_text
from postgrad.records.options import read_options
from postgrad.records.posts import read_posts
from postgrad.records.predictions import (
    ABSTAIN,
    dataset_predictions,
    prediction_matrix,
    prediction_rows,
    read_predictions,
    write_predictions,
)
from postgrad.runtime.cli import add_named_files, add_spec, named_files, parse_arguments, run


def main(argv: Sequence[str] | None = None) -> None:
    """Combine the members' predictions of each dataset and write them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_spec(
        parser, "rule, ties, the datasets of the file, and the members' weights if they have any"
    )
    parser.add_argument("--predictions", nargs="+", required=True, help="one file a member")
    add_named_files(
        parser,
        "--posts",
        ("DATASET", "FILE"),
        "the posts of a dataset of which each member has held out some",
    )
    parser.add_argument("--out", required=True, help="the vote's predictions")
    parser.add_argument(
        "--counts", required=True, help="members, and ties and abstentions on each dataset, as JSON"
    )
    args = parse_arguments(parser, argv)

    options, shared = read_options(VoteOptions, args.spec), named_files("--posts", args.posts)
    members, votes, counts = [read_predictions(path) for path in args.predictions], {}, {}
    for dataset in options.datasets:
        frames = [dataset_predictions(member, dataset) for member in members]
        if dataset in shared:
            frames = extend_to_all_posts(
                frames, read_posts(shared[dataset])["post_id"], args.predictions
            )
        check_same_posts(frames, [f"{dataset} of {path}" for path in args.predictions])
        probs = np.stack([prediction_matrix(frame) for frame in frames])
        member_labels = np.stack([frame["label"] for frame in frames])
        labels, logits, tied = vote(
            probs, member_labels, options.rule, options.ties, options.weights
        )
        votes[dataset] = prediction_rows(frames[0]["post_id"], logits, labels=labels)
        counts[dataset] = {
            "posts": len(labels),
            "ties": tied,
            "abstained": int((labels == ABSTAIN).sum()),
        }
        print(
            f"vote: {options.rule} of {len(frames)} members on {len(labels)} posts of {dataset}; "
            f"{tied} ties broken "
            f"by {options.ties}, {counts[dataset]['abstained']} posts without an answer.",
            file=sys.stderr,
        )
    write_predictions(votes, args.out)
    facts: dict[str, Any] = {
        "node": options.node,
        "members": len(members),
        "rule": options.rule,
        "broken by": options.ties,
    }
    facts |= {"weights": options.weights} if options.weights else {}
    write_text(json_text({**facts, "datasets": counts}), args.counts)


if __name__ == "__main__":
    run(main)
