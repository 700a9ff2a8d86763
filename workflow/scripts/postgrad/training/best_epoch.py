"""The choice of the epoch whose model is kept: the best on dev by the task's official metric."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_model, save_model
from torch import Tensor
from transformers import TrainerCallback

from postgrad.models.batching import Batches
from postgrad.predictors.calibration import metric_to_maximise
from postgrad.records.files import atomic_write, write_text
from postgrad.training.distributed import Ranks
from postgrad.training.options import FinetuneOptions

SCORES = "scores.json"


class BestEpochCallback(TrainerCallback):
    """Score the model after each epoch and keep the weights of the best epoch.

    The first of equal epochs is the best. The weights lie in `checkpoint-best` of `folder`, and are
    removed with the other checkpoints. An epoch is scored before the checkpoint of its last step is
    written. So a run that was killed finds the scores of all epochs before its checkpoint; epochs
    that it trains again are scored again.

    Parameters
    ----------
    score
        Function of the model that returns its score on dev.
    folder
        Folder of the checkpoints.
    ranks
        Processes of the training.
    steps
        Steps of an epoch.
    """

    def __init__(
        self, score: Callable[[Any], float], folder: Path | str, ranks: Ranks, steps: int
    ) -> None:
        self.score = score
        self.folder = Path(folder) / "checkpoint-best"
        self.ranks = ranks
        self.steps = steps

    def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        """Score the model if the step was the last of an epoch or of the training."""
        if state.global_step % self.steps and state.global_step < state.max_steps:
            return
        epoch, value = math.ceil(state.global_step / self.steps), self.score(model)
        if self.ranks.is_first:
            scores = {**self.read_scores(), epoch: value}
            if epoch == first_best_epoch(scores):
                self.folder.mkdir(exist_ok=True)
                with atomic_write(self.weights_file(epoch)) as temporary:
                    save_model(model, str(temporary))
            # The scores are written after the weights that they name.
            write_text(json.dumps(scores), self.folder / SCORES)
            best = self.weights_file(first_best_epoch(scores))
            for path in set(self.folder.glob("*.safetensors")) - {best}:
                path.unlink()
        self.ranks.barrier()

    def weights_file(self, epoch: int) -> Path:
        """Return the path of an epoch's weights."""
        return self.folder / f"epoch-{epoch}.safetensors"

    def read_scores(self) -> dict[int, float]:
        """Return the scores on dev of the epochs so far, by epoch, counted from 1."""
        path = self.folder / SCORES
        scores = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        return {int(epoch): value for epoch, value in scores.items()}

    def restore_best_weights(self, model: Any) -> dict[str, Any]:
        """Put the best epoch's weights into the model.

        Returns
        -------
        dict
            `epoch`: the best epoch, counted from 1. `dev`: the scores of all epochs, in order.
        """
        scores = self.read_scores()
        epoch = first_best_epoch(scores)
        device = str(next(model.parameters()).device)
        load_model(model, str(self.weights_file(epoch)), device=device)
        return {"epoch": epoch, "dev": [scores[epoch] for epoch in sorted(scores)]}


def first_best_epoch(scores: Mapping[int, float]) -> int:
    """Return the epoch of the highest score; the first of equal epochs wins.

    Examples
    --------
    >>> first_best_epoch({1: 0.2, 2: 0.7, 3: 0.7})
    2
    """
    return min(scores, key=lambda epoch: (-scores[epoch], epoch))


def dev_score(
    model: Any,
    examples: Sequence[dict[str, Any]],
    collate: Callable[[Sequence[dict[str, Any]]], dict[str, Tensor]],
    logits_of: Callable[[Any, dict[str, Tensor]], Tensor],
    options: FinetuneOptions,
) -> float:
    """Return the official metric of a model on labelled examples.

    The logits are computed in the precision of the training. Every rank reads all posts.

    Parameters
    ----------
    model
        The model in training; it is in training mode again afterwards.
    examples
        Labelled examples, with `ids` and `label`.
    collate
        Function of a list of examples that returns the inputs of the model.
    logits_of
        Function of the model and its inputs that returns (n, K) logits.
    options
        Of which precision, batch, labels, metric and positive are read.
    """
    device = next(model.parameters()).device
    gold = np.array([example["label"] for example in examples])
    logits = np.zeros((len(examples), len(options.labels)))
    model.eval()
    bf16 = options.precision == "bf16"
    with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        for positions in Batches([len(example["ids"]) for example in examples], 0, options.batch):
            batch = collate([examples[i] for i in positions])
            output = logits_of(model, {name: part.to(device) for name, part in batch.items()})
            logits[positions] = output.float().cpu().numpy()
    model.train()
    task = (options.names, options.positive or [], options.metric or "")
    return metric_to_maximise(gold, logits.argmax(axis=1), logits, task)
