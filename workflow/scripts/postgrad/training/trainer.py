"""The training loop of pretraining and fine-tuning.

It is Hugging Face's Trainer with a loss, batches, checkpoints and progress lines of our own.
"""

import json
import math
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor
from torch.utils.data import DataLoader
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from postgrad.models.batching import Batches
from postgrad.models.heads import POOLINGS
from postgrad.models.loading import freeze_parameters, load_tokenizer, set_threads
from postgrad.models.model_folder import read_base_record, write_model_folder
from postgrad.models.tokenization import IGNORE_INDEX
from postgrad.runtime import signals
from postgrad.runtime.result_cache import (
    COMPLETE,
    open_work,
    remove_checkpoints,
    result_folder,
    store_result,
)
from postgrad.training import distributed
from postgrad.training.best_epoch import BestEpochCallback
from postgrad.training.distributed import Ranks
from postgrad.training.options import TrainingOptions

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
PROGRESS_SECONDS = 2.0  # between two lines of progress
# Each of these has a line of progress. A comparison with the lines of another machine shows whether
# both compute alike.
FIRST_STEPS = 20


class PostTrainer(Trainer):
    """A Trainer with batches and a loss of our own.

    Parameters
    ----------
    *args, **options
        Arguments of `transformers.Trainer`.
    batches
        The positions of the examples in each batch.
    loss
        Function of the model and its inputs that returns a scalar tensor.
    ranks
        The processes of the training.
    """

    def __init__(
        self,
        *args: Any,
        batches: Batches,
        loss: Callable[[Any, dict[str, Tensor]], Tensor],
        ranks: Ranks,
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        self.batches, self.loss, self.ranks = batches, loss, ranks
        self.tokens = self.last_loss = torch.zeros(())

    def get_train_dataloader(self) -> Any:
        """Return the loader of the batches."""
        loader = DataLoader(
            self.train_dataset, batch_sampler=self.batches, collate_fn=self.data_collator
        )
        # A loader that is prepared for several ranks would give them different batches. Each rank
        # reads every batch and takes its rows.
        return self.accelerator.prepare(loader) if self.ranks.is_single_process else loader

    def save_model(self, *args: Any, **options: Any) -> None:
        """Save the model into a checkpoint, except under DeepSpeed.

        DeepSpeed's checkpoint holds the weights already; gathered weights of a 72B model would be
        145 GB more.
        """
        if not self.ranks.zero:
            super().save_model(*args, **options)

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Tensor:
        """Return the loss of this rank's rows, and count the tokens of the batch."""
        if self.ranks.is_single_process:
            self.tokens = self.tokens + inputs["attention_mask"].sum().to("cpu")
            loss = self.loss(model, inputs)
        else:
            self.tokens = self.tokens + inputs.pop("tokens")
            loss = inputs.pop("weight") * self.loss(model, inputs)
        self.last_loss = self.ranks.mean_over_ranks(loss.detach().clone())
        return loss


class CheckpointCallback(TrainerCallback):
    """Set the epoch of batches, masks and class weights, complete checkpoints, report progress.

    Parameters
    ----------
    trainer
        The trainer that this callback belongs to.
    folder
        Folder of the checkpoints; lines of progress are appended to its progress.jsonl.
    epoch_dependents
        Objects with a method `set_epoch(epoch)`, which is called before each epoch.
    """

    def __init__(
        self, trainer: PostTrainer, folder: Path | str, epoch_dependents: Sequence[Any]
    ) -> None:
        self.trainer, self.ranks = trainer, trainer.ranks
        self.path = Path(folder) / "progress.jsonl"
        self.epoch_dependents = epoch_dependents
        self.start_time = self.last_report = time.monotonic()
        self.first_step: int | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Let signals wait for the end of a step, and give each rank a seed of its own."""
        signals.defer_stop_signals()
        if not self.ranks.is_single_process:
            # Each rank drops other units. A resumed run restores the states of a checkpoint.
            torch.manual_seed(args.seed + self.ranks.rank)

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Set the epoch, which follows from the step, so that it is right after a resume too."""
        epoch = state.global_step // len(self.trainer.batches)
        for part in self.epoch_dependents:
            part.set_epoch(epoch)
        if self.first_step is None:
            self.first_step = state.global_step

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Mark the checkpoint as complete after every rank has written its part."""
        self.ranks.barrier()
        if self.ranks.is_first:
            path = Path(args.output_dir) / f"checkpoint-{state.global_step}" / COMPLETE
            path.write_text(str(self.ranks), encoding="utf-8")

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        """Stop with a checkpoint if a signal asks for it, report progress, and return `control`."""
        now, is_last = time.monotonic(), state.global_step >= state.max_steps
        if is_last:
            control.should_save = False  # the model itself is written next
        elif self.ranks.any_rank(signals.is_stop_requested()):
            control.should_save = control.should_training_stop = True
        is_due = (
            is_last
            or state.global_step <= FIRST_STEPS
            or now - self.last_report >= PROGRESS_SECONDS
        )
        if self.ranks.is_first and is_due:
            self.last_report = now
            self._report_progress(state, now - self.start_time)
        return control

    def _report_progress(self, state: Any, seconds: float) -> None:
        """Append a line to progress.jsonl and print it. seconds: since the start of this run."""
        left = state.max_steps - state.global_step
        line = {
            "step": state.global_step,
            "of": state.max_steps,
            "epoch": round(state.epoch, 3),
            "loss": round(float(self.trainer.last_loss), 4),
            "tokens_per_s": round(float(self.trainer.tokens) / seconds),
            "eta_s": round(seconds / (state.global_step - self.first_step) * left, 1),
        }
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        print(json.dumps(line), file=sys.stderr, flush=True)


def check_training_options(options: TrainingOptions) -> None:
    """Raise `ValueError` if an option has a value that this code does not know."""
    known_values = {
        "epoch": ["last", "best"],
        "schedule": ["cosine", "linear"],
        "precision": ["fp32", "bf16"],
        "attention": ["eager", "sdpa"],
        "head": ["linear", "cosine"],
        "pooling": ["pooler", *POOLINGS],
        "optimizer": ["adamw", "radam"],
        "loss": ["cross-entropy", "focal", "ldam", "mm-ldam", "logit-adjusted"],
    }
    for key, values in known_values.items():
        value = getattr(options, key, values[0])
        if value not in values:
            raise ValueError(
                f"node {options.node}: {key} {value} is unknown here; write {' or '.join(values)}"
            )


def start_training(
    options: TrainingOptions, base: Path | str, zero: int
) -> tuple[dict[str, Any], Ranks, Any]:
    """Check options and base, and start threads and ranks; call it before any model is loaded.

    Parameters
    ----------
    options
        Options of the training.
    base
        Folder of the base or model that is trained on.
    zero
        Stage of DeepSpeed's ZeRO, or 0 for none.

    Returns
    -------
    facts : dict
        The base's model.json.
    ranks : Ranks
        The processes of this training.
    tokenizer
        The base's tokenizer.

    Raises
    ------
    ValueError
        If an option has an unknown value, or the base is of another kind.
    """
    check_training_options(options)
    facts = read_base_record(base, options.kind)
    set_threads(options.threads)
    ranks = distributed.start_ranks(zero, options.precision)
    return facts, ranks, load_tokenizer(base)


def optimizer_class(
    name: str, lr: float
) -> tuple[type[torch.optim.Optimizer], dict[str, Any]] | None:
    """Return RAdam (Liu et al. 2020) and its arguments, or None for AdamW, the Trainer's default.

    Both decay weights apart from the gradient, as the code published with RAdam does.
    """
    if name == "radam":
        return torch.optim.RAdam, {"lr": lr, "decoupled_weight_decay": True}
    return None


def find_checkpoint(work: Path | str, key: dict[str, Any], ranks: Ranks) -> Path | None:
    """Return the newest complete checkpoint that this training can resume, or None.

    Checkpoints of another number of ranks or another ZeRO stage are removed.

    Parameters
    ----------
    work
        Folder in which checkpoints and finished models are kept.
    key
        Key of the training: its facts in model.json.
    ranks
        The processes of this training.
    """
    checkpoint = open_work(work, key)
    if checkpoint:
        written_by = (checkpoint / COMPLETE).read_text(encoding="utf-8")
        if written_by != str(ranks):
            print(
                f"{key['spec']['node']}: {checkpoint.name} was written by "
                f"{written_by or 'one process'}, and this run has {str(ranks) or 'one process'}; "
                "training starts again from the beginning",
                file=sys.stderr,
            )
            remove_checkpoints(result_folder(work, key))
            return None
    return checkpoint


def train_model(
    model: Any,
    examples: Sequence[dict[str, Any]],
    batches: Batches,
    collate: Callable[[Sequence[dict[str, Any]]], dict[str, Tensor]],
    loss: Callable[[Any, dict[str, Tensor]], Tensor],
    options: TrainingOptions,
    work: Path | str,
    key: dict[str, Any],
    ranks: Ranks,
    score: Callable[[Any], float] | None = None,
    epoch_dependents: Iterable[Any] = (),
    optimizer: str = "adamw",
) -> dict[str, Any]:
    """Train a model in place.

    The run resumes the newest complete checkpoint in `work` that has this key and was written by as
    many ranks. If a signal asks the run to stop, it writes a checkpoint and ends the process with
    exit code 75.

    Parameters
    ----------
    model
        The model before training.
    examples
        Dictionaries with `ids`.
    batches
        The positions of the examples in each batch.
    collate
        Function of a list of examples that returns a dictionary of tensors.
    loss
        Function of the model and its inputs that returns a scalar.
    options
        Options of the training.
    work
        Folder in which checkpoints and finished models are kept.
    key
        Key of the training: its facts in model.json.
    ranks
        The processes of the training.
    score
        Function of the model that returns its score on dev. If it is given, the model ends with the
        weights of its best epoch.
    epoch_dependents
        The parts of collate and loss that change with the epoch. Their method `set_epoch(epoch)` is
        called before each epoch.
    optimizer
        "adamw" or "radam".

    Returns
    -------
    dict
        seconds, steps, tokens, threads, world, zero and resumed of this run; with `score` also
        epoch and dev.
    """
    distributed.check_partitioning(model, ranks)
    checkpoint = ranks.broadcast(find_checkpoint(work, key, ranks) if ranks.is_first else None)
    folder = result_folder(work, key)
    freeze_parameters(model, options.frozen)
    trainer = PostTrainer(
        model,
        training_arguments(options, folder, len(batches), ranks),
        data_collator=collate
        if ranks.is_single_process
        else distributed.RankCollator(collate, ranks),
        train_dataset=examples,
        batches=batches,
        loss=loss,
        ranks=ranks,
        optimizer_cls_and_kwargs=optimizer_class(optimizer, options.lr),
    )
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(CheckpointCallback(trainer, folder, [batches, *epoch_dependents]))
    best_epoch = BestEpochCallback(score, folder, ranks, len(batches)) if score else None
    if best_epoch:
        trainer.add_callback(best_epoch)
    start = time.monotonic()
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if (step := trainer.state.global_step) < trainer.state.max_steps:
        ranks.barrier()  # every rank has written its part of the checkpoint
        message = (
            f"{options.node}: stopped on request after step {step} of {trainer.state.max_steps}; "
            "a rerun continues from there"
        )
        signals.exit_stopped(message if ranks.is_first else "")
    return {
        "seconds": round(time.monotonic() - start, 2),
        "steps": trainer.state.global_step,
        "tokens": int(trainer.tokens),
        "threads": torch.get_num_threads(),
        "world": ranks.world,
        "zero": ranks.zero,
        "resumed": checkpoint.name if checkpoint else None,
        **(best_epoch.restore_best_weights(model) if best_epoch else {}),
    }


def training_arguments(
    options: TrainingOptions, folder: Path, steps: int, ranks: Ranks
) -> TrainingArguments:
    """Return the Trainer's arguments. folder: of the checkpoints; steps: of an epoch."""
    return TrainingArguments(
        output_dir=str(folder),
        learning_rate=options.lr,
        lr_scheduler_type=options.schedule,
        warmup_steps=math.ceil(options.warmup * steps * options.epochs),
        weight_decay=options.weight_decay,
        num_train_epochs=options.epochs,
        bf16=options.precision == "bf16",
        use_cache=True,  # the saved config records this value; training itself passes False
        use_cpu=not torch.cuda.is_available(),
        seed=options.seed,
        save_strategy="steps",
        save_steps=options.checkpoint_steps,
        save_total_limit=2,
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        **distributed.rank_training_arguments(ranks),
    )


def save_trained_model(
    model: Any,
    tokenizer: Any,
    examples: Sequence[dict[str, Any]],
    timing: dict[str, Any],
    facts: dict[str, Any],
    more_facts: dict[str, Any],
    work: Path | str,
    out: Path | str,
    ranks: Ranks,
    convert: Callable[[Any], Any] | None = None,
) -> None:
    """Write the model folder `out` and keep it in `work`. Every rank must call it.

    Parameters
    ----------
    model, tokenizer
        The trained model and its tokenizer.
    examples
        The examples of the training, whose tokens are counted.
    timing
        Content of timing.json.
    facts
        Content of model.json that is the key of the training.
    more_facts
        Content of model.json that is no part of the key.
    work
        Folder in which checkpoints and finished models are kept.
    out
        The model folder.
    ranks
        The processes of the training.
    convert
        Function of the trained model that returns the model to save.
    """
    tokens = sum(len(example["ids"]) for example in examples)
    model = distributed.gather_model(model, ranks)
    if ranks.is_first:
        with write_model_folder(out, facts | {"tokens": tokens} | more_facts, timing) as folder:
            (convert(model) if convert else model).save_pretrained(folder)
            tokenizer.save_pretrained(folder)
        store_result(work, facts, out)
    ranks.barrier()


def target_logits(model: Any, inputs: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Return logits and targets at the positions where some post of the batch has a target.

    The output layer is run at these positions only.

    Parameters
    ----------
    model
        A causal model.
    inputs
        `input_ids`, `attention_mask` and `targets`, all (n, T).

    Returns
    -------
    logits : Tensor
        (n, T', V), where T' is the number of positions.
    targets : Tensor
        (n, T').
    """
    places = (inputs["targets"] != IGNORE_INDEX).any(dim=0).nonzero().squeeze(1)
    output = model(
        inputs["input_ids"], inputs["attention_mask"], logits_to_keep=places, use_cache=False
    )
    return output.logits, inputs["targets"][:, places]
