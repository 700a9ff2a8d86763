r"""Continue the pretraining of a base on posts without labels.

python workflow/scripts/pretrain.py --spec results/public/ctyun/pretrain/reader.spec.json \
    --base results/base/minilm --data stress stress/unlabeled \
    results/public/clean/stress/unlabeled.parquet \
    --drop stress audit results/public/audit/stress/drop.parquet \
    --work work/public/ctyun/pretrain/reader --out results/public/ctyun/pretrain/reader

A causal model predicts the next token, an encoder masked tokens. --nodes, --ranks, --zero and
--cpus say how many processes train. They do not change the model that is trained: the processes
share the batch of the spec.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from postgrad.models.model_folder import model_key, posts_digest, read_training_posts
from postgrad.records.options import read_options
from postgrad.records.posts import first_by_hash
from postgrad.runtime import launcher, signals
from postgrad.runtime.cli import add_named_files, add_spec, named_files, parse_arguments, run
from postgrad.runtime.cost import COST, read_tokens, record_cost
from postgrad.runtime.locks import hold_lock
from postgrad.runtime.result_cache import restore_result, result_folder
from postgrad.runtime.signals import handle_stop_signals
from postgrad.training.options import PretrainOptions

VERSION = 1  # raise when the same spec gives another model


def main(argv: Sequence[str] | None = None) -> None:
    """Pretrain a model, or restore the result of an equal pretraining."""
    words = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_spec(parser, "the node's options")
    parser.add_argument(
        "--base", required=True, help="folder of the base or model that is trained on"
    )
    add_named_files(parser, "--data", ("TASK", "DATASET", "FILE"), "posts to read")
    add_named_files(
        parser,
        "--drop",
        ("TASK", "MAKER", "FILE"),
        "posts of a task that audit, or a fold, leaves out",
    )
    parser.add_argument(
        "--work", required=True, help="folder for checkpoints and for the finished model"
    )
    parser.add_argument("--out", required=True, help="the folder for the model")
    launcher.add_arguments(parser)
    args = parse_arguments(parser, words)

    options = read_options(PretrainOptions, args.spec)
    data, drops = named_files("--data", args.data), named_files("--drop", args.drop)
    if not data:
        raise ValueError("--data TASK DATASET FILE is missing; pretraining needs posts to read.")
    left_out = [[file for (of, _), file in drops.items() if of == task] for task, _ in data]
    frame, digests = read_training_posts(list(data.values()), left_out)
    frame = first_by_hash(frame, options.rows)
    if options.rows is not None:
        digests = {"chosen": posts_digest(frame)}
    facts = {"kind": options.kind, "labels": None, "spec": args.spec, "version": VERSION}
    facts |= {
        "base": model_key(args.base),
        "rows": len(frame),
        "classes": None,
        "tokens": None,
        "data": digests,
    }
    with handle_stop_signals(), launcher.lock_unless_rank(hold_lock(args.work)):
        if not signals.is_rank() and restore_result(args.work, facts, args.out):
            return
        launcher.launch_ranks(__file__, words, args, options.threads)
        # Read by transformers when it is imported.
        os.environ.update({"TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"})
        from postgrad.training import pretraining

        with record_cost(result_folder(args.work, facts) / COST, options.node) as cost:
            pretraining.pretrain_model(
                options, args.base, frame, facts, args.work, args.out, args.zero
            )
            cost["tokens"] = read_tokens(args.out)


if __name__ == "__main__":
    run(main)
    signals.end_rank()
