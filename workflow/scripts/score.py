r"""Score every predictor of a recipe against the gold labels of every dataset asked for.

python workflow/scripts/score.py --spec results/demo/ctyun/score/score.json.spec.json \
    --predictions ages-plain@seed=1 results/demo/ctyun/predict/ages-plain@seed=1/scored.parquet \
    --gold ages-plain@seed=1 ages/dev results/demo/clean/smm4h24-task6/dev.parquet \
    --groups smm4h24-task6 results/demo/audit/smm4h24-task6/groups.parquet \
    --outcomes results/demo/ctyun/score/outcomes.parquet --out results/demo/ctyun/score/score.json

score.json has the scores of each predictor on each dataset, and the interval of each node over its
seeds. outcomes.parquet has what each predictor answered for each post, without texts.
"""

import argparse
from collections.abc import Sequence
from typing import cast

import pandas as pd

from postgrad.evaluation.metrics import ScoredPair, ScoreOptions, score_predictions
from postgrad.evaluation.node_estimates import node_estimates
from postgrad.evaluation.post_groups import post_groups
from postgrad.records.files import write_text
from postgrad.records.json_files import json_text
from postgrad.records.options import read_options
from postgrad.records.outcomes import Outcomes, write_outcomes
from postgrad.records.posts import read_posts
from postgrad.records.predictions import (
    align_with_gold,
    dataset_predictions,
    prediction_matrix,
    read_predictions,
)
from postgrad.records.score_files import ScoreEntry
from postgrad.runtime.cli import add_named_files, add_spec, named_files, parse_arguments, run


def aligned_outcomes(
    pair: ScoredPair,
    predictions: pd.DataFrame,
    duplicates: pd.Series,
    predictions_path: str,
    gold_path: str,
) -> pd.DataFrame:
    """Return the gold label and the prediction of each post of one dataset that has a gold label.

    Parameters
    ----------
    pair
        The predictor and the dataset.
    predictions
        The predictions of the file `predictions_path`.
    duplicates
        The group of duplicates of each post of the task, by post_id.
    predictions_path, gold_path
        The files of the predictions and of the posts.
    """
    gold = read_posts(gold_path)
    gold, predictions = align_with_gold(
        gold, dataset_predictions(predictions, pair.dataset), (gold_path, predictions_path)
    )
    rows = pd.DataFrame(
        {
            "predictor": pair.predictor,
            "dataset": pair.dataset,
            "post_id": gold["post_id"].to_numpy(),
            "group": post_groups(gold["author"], gold["post_id"].map(duplicates)),
            "gold": gold["label"].to_numpy(dtype="int64"),
            "label": predictions["label"].to_numpy(dtype="int64"),
            "probs": predictions["probs"].to_numpy(),
            "platform": gold["platform"].to_numpy(),
            "keyword": gold["keyword"].to_numpy(),
            "words": gold["text"].str.split().str.len().to_numpy(dtype="int64"),
        }
    )
    return rows.assign(groups=gold["groups"].to_numpy()) if "groups" in gold else rows


def entry(pair: ScoredPair, outcomes: pd.DataFrame, predictions_path: str) -> ScoreEntry:
    """Return the scores of one predictor on one dataset, or the reason why there are none."""
    named = {key: getattr(pair, key) for key in ("predictor", "node", "axes", "dataset", "task")}
    if outcomes.empty:
        return cast(ScoreEntry, {**named, "n": 0, "reason": "no gold labels"})
    task = (pair.labels, pair.positive, pair.metric)
    try:
        scores = score_predictions(
            outcomes["gold"], outcomes["label"], prediction_matrix(outcomes), *task
        )
    except ValueError as fault:
        raise ValueError(f"{predictions_path}: {pair.dataset}: {fault}") from fault
    return cast(ScoreEntry, {**named, **scores})


def main(argv: Sequence[str] | None = None) -> None:
    """Score all predictors of a recipe and write the scores."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_spec(parser, "recipe, and pairs of predictor and dataset")
    for option, words, text in (
        ("--predictions", ("PREDICTOR", "FILE"), "what a predictor says of all its datasets"),
        ("--gold", ("PREDICTOR", "DATASET", "FILE"), "the posts of a dataset, for each pair"),
        ("--groups", ("TASK", "FILE"), "the audit's groups of duplicates of each task"),
    ):
        add_named_files(parser, option, words, text)
    parser.add_argument("--outcomes", required=True, help="the answers for each post, as Parquet")
    parser.add_argument("--out", required=True, help="the scores, as JSON")
    args = parse_arguments(parser, argv)

    options = read_options(ScoreOptions, args.spec)
    pairs = {(pair.predictor, pair.dataset): pair for pair in options.pairs}
    gold = named_files("--gold", args.gold, pairs)
    files = named_files(
        "--predictions", args.predictions, dict.fromkeys(predictor for predictor, _ in pairs)
    )
    tasks = dict.fromkeys(pair.task for pair in options.pairs)
    duplicates = {
        task: pd.read_parquet(path).drop_duplicates("post_id").set_index("post_id")["group"]
        for task, path in named_files("--groups", args.groups, tasks).items()
    }
    entries, frames = [], []
    for predictor, path in files.items():
        predictions = read_predictions(path)
        for key, pair in pairs.items():
            if pair.predictor == predictor:
                outcomes = aligned_outcomes(
                    pair, predictions, duplicates[pair.task], path, gold[key]
                )
                entries.append(entry(pair, outcomes, path))
                frames.append(outcomes)
    write_outcomes(frames, args.outcomes)
    rows = pd.concat(frames) if frames else pd.DataFrame()
    estimates = node_estimates(entries, Outcomes(rows))
    scores = {"recipe": options.recipe, "entries": entries, "estimates": estimates}
    write_text(json_text(scores), args.out)


if __name__ == "__main__":
    run(main)
