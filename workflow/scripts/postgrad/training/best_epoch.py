"""Which epoch's model is kept: the best on dev by the task's official metric."""

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


class BestEpoch(TrainerCallback):
    """Scores the model after each epoch and keeps the weights of the best, the first of equal ones.

    score: model -> float. They lie in `checkpoint-best` of `folder` and go with the other
    checkpoints. An epoch is scored before the checkpoint of its last step is written, so a run that
    was killed finds every score of the epochs behind its checkpoint; those it trains again are
    scored again.
    """

    def __init__(
        self, score: Callable[[Any], float], folder: Path | str, among: Ranks, steps: int
    ) -> None:
        self.score, self.folder, self.among, self.steps = (
            score,
            Path(folder) / "checkpoint-best",
            among,
            steps,
        )

    def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        if state.global_step % self.steps and state.global_step < state.max_steps:
            return
        epoch, value = math.ceil(state.global_step / self.steps), self.score(model)
        if self.among.first:
            scores = {**self.scores(), epoch: value}
            if epoch == best(scores):
                self.folder.mkdir(exist_ok=True)
                with atomic_write(self.weights(epoch)) as beside:
                    save_model(model, str(beside))
            write_text(
                json.dumps(scores), self.folder / SCORES
            )  # behind the weights that it stands for
            for path in set(self.folder.glob("*.safetensors")) - {self.weights(best(scores))}:
                path.unlink()
        self.among.barrier()

    def weights(self, epoch: int) -> Path:
        return self.folder / f"epoch-{epoch}.safetensors"

    def scores(self) -> dict[int, float]:
        """{epoch: its score on dev} so far."""
        path = self.folder / SCORES
        found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        return {int(epoch): value for epoch, value in found.items()}

    def take(self, model: Any) -> dict[str, Any]:
        """Put the best epoch's weights into the model.

        {"epoch", "dev": the scores of all epochs}.
        """
        scores = self.scores()
        load_model(
            model, str(self.weights(best(scores))), device=str(next(model.parameters()).device)
        )
        return {"epoch": best(scores), "dev": [scores[epoch] for epoch in sorted(scores)]}


def best(scores: Mapping[int, float]) -> int:
    """The epoch of the highest score, the first of equal ones."""
    return min(scores, key=lambda epoch: (-scores[epoch], epoch))


def dev_score(
    model: Any,
    examples: Sequence[dict[str, Any]],
    collate: Callable[[Sequence[dict[str, Any]]], dict[str, Tensor]],
    logits_of: Callable[[Any, dict[str, Tensor]], Tensor],
    options: FinetuneOptions,
) -> float:
    """The official metric of a model on labelled examples, computed in the precision of the
    training.

    collate: list of examples -> inputs. logits_of: (model, inputs) -> (n, K) logits. Every rank
    reads all posts.
    """
    device, gold = (
        next(model.parameters()).device,
        np.array([example["label"] for example in examples]),
    )
    logits = np.zeros((len(examples), len(options.labels)))
    model.eval()
    bf16 = options.precision == "bf16"
    with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        for group in Batches([len(example["ids"]) for example in examples], 0, options.batch):
            batch = collate([examples[i] for i in group])
            found = logits_of(model, {name: part.to(device) for name, part in batch.items()})
            logits[group] = found.float().cpu().numpy()
    model.train()
    task = (options.names, options.positive or [], options.metric or "")
    return metric_to_maximise(gold, logits.argmax(axis=1), logits, task)
