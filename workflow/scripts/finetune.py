"""Fine-tune a base (or another model) into a classifier.

python workflow/scripts/finetune.py --spec "$(cat spec.json)" --base results/base/minilm
    --data results/public/clean/caves/train.parquet --drop results/public/audit/caves/drop.parquet
    --work work/public/ctyun/finetune/plain --out results/public/ctyun/finetune/plain
"""

import argparse
import json
import os

from postgrad.cli import run
from postgrad.folders import class_counts, model_record, training_posts
from postgrad.locks import held
from postgrad.stopping import heeded
from postgrad.work import restored

VERSION = 1  # raise when the same spec gives another model


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spec", required=True, type=json.loads)
    parser.add_argument("--base", required=True)
    parser.add_argument("--data", required=True, nargs="+")
    parser.add_argument("--drop", nargs="*", default=[])
    parser.add_argument("--work", required=True)
    parser.add_argument("--out", required=True)
    options = parser.parse_args(argv)
    spec = options.spec
    frame, digests = training_posts(options.data, options.drop)
    counts = class_counts(frame, spec["labels"], spec["node"])
    facts = {"kind": spec["kind"], "labels": list(counts), "spec": spec, "version": VERSION}
    facts |= {
        "base": model_record(options.base),
        "rows": len(frame),
        "classes": counts,
        "tokens": None,
        "data": digests,
    }
    with heeded(), held(options.work):
        if restored(options.work, facts, options.out):
            return
        if spec["kind"] == "linear":
            from postgrad.linear import finetune
        else:
            os.environ |= {"TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}  # read by transformers' import
            from postgrad.training import finetune
        finetune(spec, options.base, frame, facts, options.work, options.out)


if __name__ == "__main__":
    run(main)
