r"""Fine-tune a base or another model into a classifier.

python workflow/scripts/finetune.py --spec results/public/ctyun/finetune/plain.spec.json \
    --base results/base/minilm --data results/public/clean/caves/train.parquet \
    --drop results/public/audit/caves/drop.parquet \
    --work work/public/ctyun/finetune/plain --out results/public/ctyun/finetune/plain

--nodes, --ranks, --zero and --cpus say how many processes train. They do not change the model that
is trained: the processes share the batch of the spec.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from postgrad.models import linear
from postgrad.models.linear import LinearOptions
from postgrad.models.model_folder import model_key, read_training_posts, training_class_counts
from postgrad.records.options import read_options
from postgrad.runtime import launcher, signals
from postgrad.runtime.cli import add_spec, parse_arguments, run
from postgrad.runtime.cost import COST, read_tokens, record_cost
from postgrad.runtime.locks import hold_lock
from postgrad.runtime.result_cache import restore_result, result_folder
from postgrad.runtime.signals import handle_stop_signals
from postgrad.training.options import FinetuneOptions

VERSION = 1  # raise when the same spec gives another model


def main(argv: Sequence[str] | None = None) -> None:
    """Train a classifier, or restore the result of an equal training."""
    words = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_spec(parser, "the node's options and its task")
    parser.add_argument(
        "--base", required=True, help="folder of the base or model that is trained on"
    )
    parser.add_argument("--data", required=True, nargs="+", help="labelled posts, gold first")
    parser.add_argument(
        "--drop", nargs="*", default=[], help="posts that audit, or a fold, leaves out"
    )
    parser.add_argument(
        "--dev", nargs="*", default=[], help="labelled posts on which epoch: best chooses"
    )
    parser.add_argument(
        "--work", required=True, help="folder for checkpoints and for the finished model"
    )
    parser.add_argument("--out", required=True, help="the folder for the model")
    launcher.add_arguments(parser)
    args = parse_arguments(parser, words)

    is_linear = args.spec.get("kind") == "linear"
    options = (
        read_options(LinearOptions, args.spec)
        if is_linear
        else read_options(FinetuneOptions, args.spec)
    )
    frame, digests = read_training_posts(args.data, [args.drop] * len(args.data), options.input)
    counts = training_class_counts(frame, options.labels, options.node)
    dev, chosen_on = (
        read_training_posts(args.dev, [[]] * len(args.dev), options.input)
        if args.dev
        else (None, {})
    )
    facts = {"kind": options.kind, "labels": list(counts), "spec": args.spec, "version": VERSION}
    facts |= {
        "base": model_key(args.base),
        "rows": len(frame),
        "classes": counts,
        "tokens": None,
    }
    facts["data"] = digests | chosen_on
    arguments = (args.base, frame, facts, args.work, args.out)
    with handle_stop_signals(), launcher.lock_unless_rank(hold_lock(args.work)):
        if not signals.is_rank() and restore_result(args.work, facts, args.out):
            return
        if not isinstance(options, LinearOptions):
            launcher.launch_ranks(__file__, words, args, options.threads)
        with record_cost(result_folder(args.work, facts) / COST, options.node) as cost:
            if isinstance(options, LinearOptions):
                linear.finetune_linear_classifier(options, *arguments)
            else:
                # Read by transformers when it is imported.
                os.environ.update({"TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"})
                from postgrad.training import finetuning

                finetuning.finetune_classifier(options, *arguments, args.zero, dev)
            cost["tokens"] = read_tokens(args.out)


if __name__ == "__main__":
    run(main)
    signals.end_rank()
