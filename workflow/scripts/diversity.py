"""Diversity: how varied the posts of datasets are beside the train posts of their task, class by class.

python workflow/scripts/diversity.py --train results/demo/clean/smm4h24-task3/train.parquet \
  --drop results/demo/audit/smm4h24-task3/drop.parquet --data results/demo/ctyun/augment/filled.parquet \
  --base results/base/minilm/model.json --out results/demo/ctyun/diversity/diversity.json \
  --spec '{"recipe":"ctyun","tasks":{"outdoors":{"clusters":10,"embed":"minilm","labels":["unrelated","positive",
           "neutral","negative"],"model":"minilm","perplexity":30,"sample":1000,"seed":1,
           "sets":[{"dataset":"filled"},{"dataset":"written","reason":"not run"}]}}}'

Writes {"recipe": R, "tasks": {name: {
  "embed", "model", "sample", "seed", "perplexity",    as in the spec
  "n": posts of each group, "reference": train posts that are near or not, "clusters": of these,
  "silhouettes": [[k, mean silhouette of k clusters of the reference]],
  "groups": [{"dataset", "label", "rows": all its posts, "unique": [1-grams, 2-grams, 3-grams], "self_bleu",
              "cosine": mean of all pairs, "nearest": mean 1 - cosine to the nearest other train post,
              "coverage": share of the clusters, "entropy": of the clusters' shares, "points": [[x, y]] of the map}]
}}}. A group, a dataset or a task without figures has a "reason".
"""

import argparse
import json
import os
from functools import partial
from pathlib import Path

from postgrad.augmentation.diversity import measured
from postgrad.models.model_folder import base_facts
from postgrad.records.files import write_text
from postgrad.records.json_files import json_text
from postgrad.records.posts import read_union
from postgrad.runtime.cli import run

TOLD = ("embed", "model", "sample", "perplexity", "seed", "reason")  # of the spec, in the result as well


def entry(name, task, train, drop, base, data):
    """The task of that name in diversity.json. data: an iterator of the files of its datasets, and of later tasks'."""
    folder = Path(base).parent
    base_facts(folder, "encoder")
    os.environ |= {"TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}  # read by transformers' import
    from postgrad.models.inference import embeddings

    made = [part["dataset"] for part in task["sets"] if "reason" not in part]
    posts = {f"{name}/train": read_union([train], [drop])} | {id: read_union([next(data)], [drop]) for id in made}
    options = {key: task[key] for key in ("labels", "sample", "clusters", "perplexity", "seed")}
    found = measured(posts, embedded=partial(embeddings, folder), **options)
    found["groups"] += [part for part in task["sets"] if "reason" in part]
    return found


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--spec", type=json.loads, required=True, help="recipe and tasks, as JSON")
    parser.add_argument("--train", nargs="*", default=[], help="train posts, one file a task")
    parser.add_argument("--drop", nargs="*", default=[], help="posts that audit leaves out, one file a task")
    parser.add_argument("--base", nargs="*", default=[], help="model.json of the encoder, one a task")
    parser.add_argument("--data", nargs="*", default=[], help="datasets, task by task, one file each")
    parser.add_argument("--out", required=True, help="the figures, as JSON")
    args = parser.parse_args(argv)

    files, data, found = zip(args.train, args.drop, args.base, strict=True), iter(args.data), {}
    for name, task in sorted(args.spec["tasks"].items()):
        found[name] = {key: task[key] for key in TOLD if key in task}
        if "reason" not in task:
            found[name] |= entry(name, task, *next(files), data)
    write_text(json_text({"recipe": args.spec["recipe"], "tasks": found}), args.out)


if __name__ == "__main__":
    run(main)
