"""Score one dataset with one model: K logits and probabilities a post, in the dataset's order.

python workflow/scripts/predict.py --spec spec.json --model results/public/ctyun/finetune/plain
    --data results/public/clean/caves/dev.parquet --work work/public/ctyun/predict/plain/caves/dev
    --out results/public/ctyun/predict/plain/caves/dev.parquet
"""

import argparse
import os

from postgrad.corpus.text_forms import as_read
from postgrad.models.model_folder import model_facts, model_record, posts_digest
from postgrad.records.names import HELD_OUT
from postgrad.records.posts import first_by_hash, input_texts, read_posts
from postgrad.records.predictions import gathered, write_predictions
from postgrad.runtime.cli import add_spec, parse_arguments, run
from postgrad.runtime.locks import held
from postgrad.runtime.result_cache import keep, restored
from postgrad.runtime.signals import heeded

VERSION = 1  # raise when the same model gives other predictions
READ = ("post_id", "keyword", "text")  # the columns that a prediction hangs on: a new label alters none
KEPT = "predictions.parquet"


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_spec(parser, "the node's options, its task and the dataset")
    parser.add_argument("--model", required=True, help="folder of the fine-tuned model")
    parser.add_argument("--data", required=True, help="the posts to predict")
    parser.add_argument("--work", required=True, help="folder for the finished predictions, kept under their key")
    parser.add_argument("--out", required=True, help="the predictions")
    parser.add_argument("--shard", nargs="?", help="3-of-4: only every fourth batch, from the third on")
    parser.add_argument("--shards", nargs="*", default=[], help="all shards' files: gathered, no model is run")
    options = parse_arguments(parser, argv)
    spec = options.spec
    facts, names = model_facts(options.model), [label["name"] for label in spec["labels"]]
    if facts["labels"] != names or facts["kind"] != spec["kind"]:
        raise ValueError(f"model {options.model} ({facts['kind']}, {facts['labels']}) does not fit "
                         f"node {spec['node']} ({spec['kind']}, {names}): train it for this task")  # fmt: skip
    frame = read_posts(options.data)
    if spec["dataset"].endswith(f"/{HELD_OUT}"):
        frame = frame[frame["held_out"]].reset_index(drop=True)
    if spec["dataset"].endswith("/unlabeled"):
        frame = first_by_hash(frame, spec["pool"])
    key = {"spec": spec, "version": VERSION, "model": model_record(options.model), "posts": posts_digest(frame, READ)}
    key |= {"shard": options.shard} if options.shard else {}
    frame = as_read(frame, spec.get("input"))
    shard, _, shards = (options.shard or "1-of-1").partition("-of-")
    part = slice(int(shard) - 1, None, int(shards))
    with heeded(), held(options.work):
        if restored(options.work, key, options.out, KEPT):
            return
        rows = range(len(frame))[part]
        if options.shards:
            logits = gathered(frame["post_id"], options.shards)
        elif spec["kind"] == "linear":
            from postgrad.models import linear

            logits = linear.logits(linear.load(options.model), input_texts(frame.iloc[rows]))
        else:
            os.environ.update(
                {"TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
            )  # read by transformers' import
            from postgrad.models import inference

            rows, logits = inference.scores(spec, options.model, frame, part)
        write_predictions(frame["post_id"].iloc[rows], logits, options.out)
        keep(options.work, key, options.out, KEPT)


if __name__ == "__main__":
    run(main)
