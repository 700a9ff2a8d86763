"""What pretraining and fine-tuning share.

Hugging Face's Trainer with a loss, batches, resume and progress of ours.
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
from postgrad.models.loading import freeze
from postgrad.models.model_folder import model_folder
from postgrad.models.tokenization import UNTAUGHT
from postgrad.runtime import signals
from postgrad.runtime.result_cache import (
    COMPLETE,
    keep,
    open_work,
    remove_checkpoints,
    result_folder,
)
from postgrad.training import distributed
from postgrad.training.best_epoch import BestEpoch
from postgrad.training.distributed import Ranks
from postgrad.training.options import TrainingOptions

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
SECONDS = 2.0  # between two lines of progress
FIRST_STEPS = (
    20  # each has a line: beside those of another machine they tell whether both compute alike
)


class PostTrainer(Trainer):
    """A Trainer with batches and a loss of our own.

    loss: (model, inputs) -> scalar tensor; among: the Ranks.
    """

    def __init__(
        self,
        *args: Any,
        batches: Batches,
        loss: Callable[[Any, dict[str, Tensor]], Tensor],
        among: Ranks,
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        self.batches, self.loss, self.among = batches, loss, among
        self.tokens = self.last_loss = torch.zeros(())

    def get_train_dataloader(self) -> Any:
        loader = DataLoader(
            self.train_dataset, batch_sampler=self.batches, collate_fn=self.data_collator
        )
        # Prepared for several ranks it would give them different batches; each reads every batch
        # and takes its rows.
        return self.accelerator.prepare(loader) if self.among.alone else loader

    def save_model(self, *args: Any, **options: Any) -> None:
        if (
            not self.among.zero
        ):  # DeepSpeed's checkpoint holds the weights; gathered too, 72B would be 145 GB more
            super().save_model(*args, **options)

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Tensor:
        if self.among.alone:
            self.tokens = self.tokens + inputs["attention_mask"].sum().to("cpu")
            loss = self.loss(model, inputs)
        else:
            self.tokens = self.tokens + inputs.pop("tokens")
            loss = inputs.pop("weight") * self.loss(model, inputs)
        self.last_loss = self.among.mean(loss.detach().clone())
        return loss


class Keeper(TrainerCallback):
    """Sets the epoch of batches, masks and class weights, marks checkpoints complete, and reports
    progress.
    """

    def __init__(self, trainer: PostTrainer, folder: Path | str, by_epoch: Sequence[Any]) -> None:
        self.trainer, self.path, self.among = (
            trainer,
            Path(folder) / "progress.jsonl",
            trainer.among,
        )
        self.by_epoch = by_epoch
        self.begun = self.told = time.monotonic()
        self.first: int | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        signals.wait_for_steps()
        if not self.among.alone:
            torch.manual_seed(
                args.seed + self.among.rank
            )  # each rank drops other units; a resume sets them back

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        # From the step, not from a count of calls: right after a resume as well.
        epoch = state.global_step // len(self.trainer.batches)
        for part in self.by_epoch:
            part.set_epoch(epoch)
        if self.first is None:
            self.first = state.global_step

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.among.barrier()  # every rank has written its part
        if self.among.first:
            path = Path(args.output_dir) / f"checkpoint-{state.global_step}" / COMPLETE
            path.write_text(str(self.among), encoding="utf-8")

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        now, last = time.monotonic(), state.global_step >= state.max_steps
        if last:
            control.should_save = False  # the model itself is written next
        elif self.among.any(signals.wanted()):
            control.should_save = control.should_training_stop = True
        due = last or state.global_step <= FIRST_STEPS or now - self.told >= SECONDS
        if self.among.first and due:
            self.told, seconds = now, now - self.begun
            left = state.max_steps - state.global_step
            line = {
                "step": state.global_step,
                "of": state.max_steps,
                "epoch": round(state.epoch, 3),
                "loss": round(float(self.trainer.last_loss), 4),
                "tokens_per_s": round(float(self.trainer.tokens) / seconds),
                "eta_s": round(seconds / (state.global_step - self.first) * left, 1),
            }
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            print(json.dumps(line), file=sys.stderr, flush=True)
        return control


def check(options: TrainingOptions) -> None:
    """Raise ValueError for the value of an option that this code does not know."""
    known = {"epoch": ["last", "best"], "schedule": ["cosine", "linear"], "precision": ["fp32", "bf16"],
             "attention": ["eager", "sdpa"], "head": ["linear", "cosine"],
             "pooling": ["pooler", *POOLINGS], "optimizer": ["adamw", "radam"],
             "loss": ["cross-entropy", "focal", "ldam", "mm-ldam", "logit-adjusted"]}  # fmt: skip
    for key, values in known.items():
        value = getattr(options, key, values[0])
        if value not in values:
            raise ValueError(
                f"node {options.node}: {key} {value} is unknown here; write {' or '.join(values)}"
            )


def optimizer_of(name: str, lr: float) -> tuple[type[torch.optim.Optimizer], dict[str, Any]] | None:
    """RAdam (Liu et al. 2020) and its arguments, or None for AdamW, which the trainer takes by
    itself.

    Both decay weights apart from the gradient, as the code published with RAdam does.
    """
    if name == "radam":
        return torch.optim.RAdam, {"lr": lr, "decoupled_weight_decay": True}
    return None


def checkpoint_of(work: Path | str, key: dict[str, Any], among: Ranks) -> Path | None:
    """The newest complete checkpoint of this key that these Ranks can go on from, or None."""
    checkpoint = open_work(work, key)
    if checkpoint:
        made = (checkpoint / COMPLETE).read_text(encoding="utf-8")
        if made != str(among):
            names = " and this run has ".join(
                words or "one process" for words in (made, str(among))
            )
            print(
                f"{key['spec']['node']}: {checkpoint.name} is of {names}; training begins anew",
                file=sys.stderr,
            )
            remove_checkpoints(result_folder(work, key))
            return None
    return checkpoint


def trained(
    model: Any,
    examples: Sequence[dict[str, Any]],
    batches: Batches,
    collate: Callable[[Sequence[dict[str, Any]]], dict[str, Tensor]],
    loss: Callable[[Any, dict[str, Tensor]], Tensor],
    options: TrainingOptions,
    work: Path | str,
    key: dict[str, Any],
    among: Ranks,
    score: Callable[[Any], float] | None = None,
    by_epoch: Iterable[Any] = (),
    optimizer: str = "adamw",
) -> dict[str, Any]:
    """Train `model` in place: {"seconds", "steps", "tokens", "threads", "world", "zero", "resumed"}
    of this run.

    examples: dicts with `ids`, of which `batches` gives the positions. collate: list of examples ->
    dict of tensors. loss: (model, inputs) -> scalar. score: model -> float; with it the model ends
    as it was after its best epoch, and the result has `epoch` and `dev`. by_epoch: those of collate
    and loss that change with the epoch; `set_epoch(epoch)` is called before each epoch. The run
    goes on from the newest complete checkpoint in `work` that has this key and is of as many ranks.
    One that is told to stop ends the process with exit code 75 when it has written one.
    """
    distributed.check_parts(model, among)
    checkpoint = among.from_first(checkpoint_of(work, key, among) if among.first else None)
    folder = result_folder(work, key)
    freeze(model, options.frozen)
    arguments = TrainingArguments(
        output_dir=str(folder),
        learning_rate=options.lr,
        lr_scheduler_type=options.schedule,
        warmup_steps=math.ceil(options.warmup * len(batches) * options.epochs),
        weight_decay=options.weight_decay,
        num_train_epochs=options.epochs,
        bf16=options.precision == "bf16",
        use_cache=True,  # this is what the saved config says; training itself passes False
        use_cpu=not torch.cuda.is_available(),
        seed=options.seed,
        save_strategy="steps",
        save_steps=options.checkpoint_steps,
        save_total_limit=2,
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        **distributed.arguments(among),
    )
    trainer = PostTrainer(
        model, arguments, data_collator=collate if among.alone else distributed.Share(collate, among),
        train_dataset=examples, batches=batches, loss=loss, among=among,
        optimizer_cls_and_kwargs=optimizer_of(optimizer, options.lr),
    )  # fmt: skip
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(Keeper(trainer, folder, [batches, *by_epoch]))
    chooser = BestEpoch(score, folder, among, len(batches)) if score else None
    if chooser:
        trainer.add_callback(chooser)
    begun = time.monotonic()
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if (step := trainer.state.global_step) < trainer.state.max_steps:
        among.barrier()  # every rank has written its part of the checkpoint
        told = f"stopped as told after step {step} of {trainer.state.max_steps}; a rerun goes on from there"
        signals.stop(f"{options.node}: {told}" if among.first else "")
    return {"seconds": round(time.monotonic() - begun, 2), "steps": trainer.state.global_step,
            "tokens": int(trainer.tokens), "threads": torch.get_num_threads(),
            "world": among.world, "zero": among.zero,
            "resumed": checkpoint.name if checkpoint else None,
            **(chooser.take(model) if chooser else {})}  # fmt: skip


def finish(
    model: Any,
    tokenizer: Any,
    examples: Sequence[dict[str, Any]],
    timing: dict[str, Any],
    facts: dict[str, Any],
    told: dict[str, Any],
    work: Path | str,
    out: Path | str,
    among: Ranks,
    final: Callable[[Any], Any] | None = None,
) -> None:
    """Write the folder `out` and keep it in `work`. told: of model.json, and no part of the key.

    final: model -> the model that is saved.
    """
    tokens = sum(len(example["ids"]) for example in examples)
    model = distributed.whole(model, among)
    if among.first:
        with model_folder(out, facts | {"tokens": tokens} | told, timing) as folder:
            (final(model) if final else model).save_pretrained(folder)
            tokenizer.save_pretrained(folder)
        keep(work, facts, out)
    among.barrier()


def taught_logits(model: Any, inputs: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """(logits, targets) at the positions where some post is taught.

    The output layer is run there alone.
    """
    places = (inputs["targets"] != UNTAUGHT).any(dim=0).nonzero().squeeze(1)
    output = model(
        inputs["input_ids"], inputs["attention_mask"], logits_to_keep=places, use_cache=False
    )
    return output.logits, inputs["targets"][:, places]
