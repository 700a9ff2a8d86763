"""Several trainings one after the other in the same ranks: to start ranks costs more than a tiny
training.

python tests/rank_runs.py runs.json 2    # starts itself again in two ranks
runs.json: {name: [verb, words]}. Each rank r writes <name>.<r>.json beside it: the loss of every
step, and the numbers of parameters that the model has and that this rank holds before training.
"""

import importlib
import json
import os
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def recorded(verb, words):
    """{"losses", "parameters", "held"} of one training in this process."""
    from postgrad.training import trainer

    seen, compute, train = (
        {"losses": []},
        trainer.PostTrainer.compute_loss,
        trainer.PostTrainer.train,
    )

    def computed(self, *args, **options):
        loss = compute(self, *args, **options)
        seen["losses"].append(float(self.last_loss))
        return loss

    def begun(self, *args, **options):
        parts = list(self.model.parameters())
        seen["parameters"] = sum(getattr(part, "ds_numel", part.numel()) for part in parts)
        seen["held"] = sum(
            part.ds_tensor.numel() if hasattr(part, "ds_id") else part.numel() for part in parts
        )
        return train(self, *args, **options)

    trainer.PostTrainer.compute_loss, trainer.PostTrainer.train = computed, begun
    try:
        importlib.import_module(verb).main(words)
    finally:
        trainer.PostTrainer.compute_loss, trainer.PostTrainer.train = compute, train
    return seen


def run_all(path):
    for name, (verb, words) in json.loads(path.read_text()).items():
        text = json.dumps(recorded(verb, words))
        (path.parent / f"{name}.{os.environ['RANK']}.json").write_text(text)


if __name__ == "__main__":
    sys.path[:0] = [str(ROOT / "workflow/scripts")]
    from postgrad.runtime import launcher, signals

    if not signals.is_rank():
        sys.exit(launcher.run_ranks([sys.executable, *sys.argv], int(sys.argv[2])))
    run_all(Path(sys.argv[1]))
    signals.end_rank()
