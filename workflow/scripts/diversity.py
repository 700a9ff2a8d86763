r"""Measure how varied the posts of datasets are beside the train posts of their task.

python workflow/scripts/diversity.py \
    --spec results/demo/ctyun/diversity/diversity.json.spec.json \
    --train outdoors results/demo/clean/smm4h24-task3/train.parquet \
    --drop outdoors results/demo/audit/smm4h24-task3/drop.parquet \
    --base outdoors results/base/minilm/model.json \
    --data filled results/demo/ctyun/augment/filled.parquet \
    --out results/demo/ctyun/diversity/diversity.json

The result is {"recipe": R, "tasks": {name: {
  "embed", "model", "sample", "seed", "perplexity",    as in the spec
  "n": number of posts of each group,
  "reference": number of train posts that may be the nearest,
  "clusters": number of their clusters,
  "silhouettes": [[k, mean silhouette of k clusters of the reference]],
  "groups": [{"dataset", "label",
              "rows": number of all its posts,
              "unique": [share of distinct 1-grams, 2-grams, 3-grams],
              "self_bleu",
              "cosine": mean of all pairs,
              "nearest": mean 1 - cosine to the nearest other train post,
              "coverage": share of the clusters that it reaches,
              "entropy": entropy of its shares of the clusters,
              "points": [[x, y]] of the map}]
}}}. A group, a dataset or a task without figures has a "reason".
"""

import argparse
import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from postgrad.augmentation.diversity import DiversityOptions, DiversityTask, measure_diversity
from postgrad.models.model_folder import read_base_record
from postgrad.records.files import write_text
from postgrad.records.json_files import json_text
from postgrad.records.options import read_options
from postgrad.records.posts import read_posts_without_dropped
from postgrad.runtime.cli import add_spec, named_files, parse_arguments, run

# Options that stand in the result as they stand in the spec.
COPIED_OPTIONS = ("embed", "model", "sample", "perplexity", "seed", "reason")


def entry(
    name: str, task: DiversityTask, train: str, drop: str, base: str, data: Mapping[str, str]
) -> dict[str, Any]:
    """Return the entry of one task in diversity.json.

    Parameters
    ----------
    name
        The recipe's name for the task.
    task
        Its options and datasets.
    train, drop, base
        The files of its train posts, of the posts that are left out, and of its encoder.
    data
        The file of every dataset of the recipe.
    """
    folder = Path(base).parent
    read_base_record(folder, "encoder")
    # Read by transformers when it is imported.
    os.environ.update({"TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"})
    from postgrad.models.inference import post_embeddings

    datasets = [part.dataset for part in task.sets if part.reason is None]
    posts = {f"{name}/train": read_posts_without_dropped([train], [drop])} | {
        id: read_posts_without_dropped([data[id]], [drop]) for id in datasets
    }
    figures = measure_diversity(posts, task, partial(post_embeddings, folder))
    left_out = [
        {"dataset": part.dataset, "reason": part.reason}
        for part in task.sets
        if part.reason is not None
    ]
    return {**figures, "groups": [*figures["groups"], *left_out]}


def main(argv: Sequence[str] | None = None) -> None:
    """Measure the diversity of all datasets of a recipe and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_spec(parser, "recipe and tasks")
    named: dict[str, Any] = {"action": "append", "nargs": 2, "default": []}
    of_task = named | {"metavar": ("TASK", "FILE")}
    parser.add_argument("--train", **of_task, help="train posts, once for each task")
    parser.add_argument("--drop", **of_task, help="posts that audit leaves out, once for each task")
    parser.add_argument("--base", **of_task, help="model.json of the encoder, once for each task")
    parser.add_argument(
        "--data", **named, metavar=("DATASET", "FILE"), help="posts, once for each dataset"
    )
    parser.add_argument("--out", required=True, help="the figures, as JSON")
    args = parse_arguments(parser, argv)

    options = read_options(DiversityOptions, args.spec)
    tasks = dict(sorted(options.tasks.items()))
    run_here = [name for name, task in tasks.items() if task.reason is None]
    train, drop, base = (
        named_files(f"--{role}", vars(args)[role], run_here) for role in ("train", "drop", "base")
    )
    sets = [part.dataset for name in run_here for part in tasks[name].sets if part.reason is None]
    data, figures = named_files("--data", args.data, sets), {}
    for name, task in tasks.items():
        figures[name] = {
            key: getattr(task, key) for key in COPIED_OPTIONS if getattr(task, key) is not None
        }
        if task.reason is None:
            figures[name] |= entry(name, task, train[name], drop[name], base[name], data)
    write_text(json_text({"recipe": options.recipe, "tasks": figures}), args.out)


if __name__ == "__main__":
    run(main)
