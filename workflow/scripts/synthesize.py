r"""Have language models write posts of a label after examples, and keep those that copy no post.

python workflow/scripts/synthesize.py \
    --spec results/demo/mine/synthesize/made.parquet.spec.json \
    --data results/demo/clean/smm4h24-task5/train.parquet \
    --drop results/demo/audit/smm4h24-task5/drop.parquet \
    --corpus train results/demo/clean/smm4h24-task5/train.parquet \
    --corpus dev results/demo/clean/smm4h24-task5/dev.parquet \
    --reached '{"answers":"work/demo/answers","bases":{},"budget":null}' \
    --out results/demo/mine/synthesize/made.parquet --flow results/demo/mine/synthesize/made.json
"""

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from postgrad.llm.client import ask_functions
from postgrad.llm.synthesis import PostWriter, SynthesizeOptions
from postgrad.records.files import write_text
from postgrad.records.json_files import json_text
from postgrad.records.options import read_options
from postgrad.records.posts import read_posts, read_posts_without_dropped, write_posts
from postgrad.runtime.cli import add_spec, named_files, parse_arguments, run
from postgrad.runtime.cost import cost_file, count_tokens, record_cost
from postgrad.runtime.signals import handle_stop_signals

VERSION = 2  # raise when the same answers give other posts, or the same posts other requests


def main(argv: Sequence[str] | None = None) -> None:
    """Have the models write posts, and write those that are kept."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_spec(parser, "the node's options")
    parser.add_argument(
        "--data", nargs="+", required=True, help="labelled posts from which examples are drawn"
    )
    parser.add_argument("--drop", nargs="*", default=[], help="posts that audit leaves out")
    split: dict[str, Any] = {"action": "append", "nargs": 2, "metavar": ("SPLIT", "FILE")}
    parser.add_argument(
        "--corpus", **split, required=True, help="posts that may not be copied, once for each split"
    )
    parser.add_argument(
        "--models", nargs="*", default=[], help="model.json of the models in folders that write"
    )
    parser.add_argument(
        "--reached", type=json.loads, required=True, help="how models are reached, as JSON"
    )
    parser.add_argument("--out", required=True, help="the new posts alone")
    parser.add_argument(
        "--flow", required=True, help="how many posts and answers went where, as JSON"
    )
    args = parse_arguments(parser, argv)

    options = read_options(SynthesizeOptions, args.spec)
    files = named_files("--corpus", args.corpus)
    corpus = {split: read_posts(file)["text"] for split, file in files.items()}
    writing = PostWriter(read_posts_without_dropped(args.data, args.drop), corpus, options)
    record = cost_file(args.reached["work"], args.out) if "work" in args.reached else None
    with handle_stop_signals(), record_cost(record, options.node) as cost:
        for model, answers in ask_functions(args.spec, args.reached, args.models).items():
            for answer in count_tokens(answers, cost)(writing.requests(model)):
                writing.add_answer(answer)
    flow = writing.flow()
    write_posts(writing.written_posts(), args.out)
    write_text(json_text(flow), args.flow)
    keys = ("kept", "wanted", "calls", "answered")
    kept, wanted, calls, answered = (sum(row[key] for row in flow["rows"]) for key in keys)
    print(
        f"synthesize {options.node}: {kept} of {wanted} posts in {calls} calls, "
        f"{calls - answered} of them malformed{'; its calls were spent' if kept < wanted else ''}.",
        file=sys.stderr,
    )


if __name__ == "__main__":
    run(main)
