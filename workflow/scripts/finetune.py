"""Fine-tune a base (or another model) into a classifier.

python workflow/scripts/finetune.py --spec "$(cat spec.json)" --base results/base/minilm
    --data results/public/clean/caves/train.parquet --drop results/public/audit/caves/drop.parquet
    --work work/public/ctyun/finetune/plain --out results/public/ctyun/finetune/plain
"""

import argparse
import json
import os
import time

from postgrad.checkpoints import restored
from postgrad.cli import run
from postgrad.folders import base_record, class_counts, model_folder, training_posts
from postgrad.posts import input_texts

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
    facts |= {"base": base_record(options.base), "rows": len(frame), "classes": counts, "tokens": None, "data": digests}
    if spec["kind"] == "linear":
        from postgrad import linear

        begun = time.monotonic()
        model = linear.train(input_texts(frame), frame["label"].tolist(), spec)
        facts["tokens"] = sum(len(linear.terms(text, (1, 1))) for text in input_texts(frame))
        timing = {"seconds": round(time.monotonic() - begun, 2), "tokens": facts["tokens"], "threads": 1}
        with model_folder(options.out, facts, timing) as folder:
            linear.save(model, folder)
        return
    if restored(options.work, facts, options.out):
        return
    os.environ |= {"TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}  # read when transformers is imported
    from postgrad import training

    training.finetune(spec, options.base, frame, facts, options.work, options.out)


if __name__ == "__main__":
    run(main)
