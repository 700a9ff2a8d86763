"""Go on pretraining a base on posts without labels: causal, or masked for encoders.

python workflow/scripts/pretrain.py --spec "$(cat spec.json)" --base results/base/minilm
    --data results/public/clean/stress/unlabeled.parquet --drop results/public/audit/stress/drop.parquet
    --work work/public/ctyun/pretrain/reader --out results/public/ctyun/pretrain/reader
"""

import argparse
import json
import os

from postgrad.cli import run
from postgrad.folders import model_record, posts_digest, training_posts
from postgrad.locks import held
from postgrad.posts import first_by_hash
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
    frame = first_by_hash(frame, spec["rows"])
    if spec["rows"] is not None:
        digests = {"chosen": posts_digest(frame)}
    facts = {"kind": spec["kind"], "labels": None, "spec": spec, "version": VERSION}
    facts |= {"base": model_record(options.base), "rows": len(frame), "classes": None, "tokens": None, "data": digests}
    with heeded(), held(options.work):
        if restored(options.work, facts, options.out):
            return
        os.environ |= {"TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}  # read by transformers' import
        from postgrad import pretraining

        pretraining.pretrain(spec, options.base, frame, facts, options.work, options.out)


if __name__ == "__main__":
    run(main)
