"""Fine-tuning into a classifier: an encoder with a head, or a causal model scored at its labels'
answers.

The loss may weigh classes by the epoch, and a training that ends in one class may begin anew.
"""

import gc
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import transformers
from torch import Tensor

from postgrad.models.batching import Batches
from postgrad.models.heads import OWN, new_head
from postgrad.models.label_prompts import Prompt
from postgrad.models.loading import load_model, load_tokenizer, set_threads
from postgrad.models.model_folder import base_facts
from postgrad.models.tokenization import (
    answer_examples,
    choice_batch,
    encoder_examples,
    labelled_batch,
    taught_batch,
)
from postgrad.runtime.result_cache import collapsed_seeds, note_collapse
from postgrad.training import distributed, losses
from postgrad.training.best_epoch import dev_score
from postgrad.training.distributed import Ranks
from postgrad.training.options import FinetuneOptions
from postgrad.training.trainer import check, finish, taught_logits, trained

RESTART = 1000  # from the seed of a training that collapsed to the next one's

LogitsOf = Callable[[Any, Mapping[str, Tensor]], Tensor]  # (model, inputs) -> (n, K)
LabelLoss = Callable[
    [Tensor, Tensor, Tensor], Tensor
]  # (logits, labels, weights of the classes) -> scalar


def finetune(
    options: FinetuneOptions,
    base: Path | str,
    frame: pd.DataFrame,
    facts: dict[str, Any],
    work: Path | str,
    out: Path | str,
    zero: int = 0,
    dev: pd.DataFrame | None = None,
) -> None:
    """Train a classifier from folder `base` on the posts of `frame` and write its folder `out`.

    facts: model.json so far (kind, labels, spec, version, base, rows, classes, data), which with
    the base's digest is the key of the work. A causal model learns its gold answer by
    cross-entropy; every other loss compares the answers of all K labels, so each post is read K
    times. With `restarts` a training that ends in one class begins anew, so many times at most;
    model.json then tells the `seed` and those that `collapsed`. zero: DeepSpeed's stage, 0 for
    none. dev: labelled posts; with `epoch: best` the epoch of the best official metric there is
    kept, and model.json tells its `epoch` and the scores of all on `dev`.
    """
    check(options)
    chosen_on = labelled_dev(options, dev, zero) if options.epoch == "best" else None
    held = base_facts(base, options.kind)
    set_threads(options.threads)
    among = distributed.begin(zero, options.precision)
    tokenizer = load_tokenizer(base)
    counts = [facts["classes"][name] for name in options.names]
    fill = tokenizer.pad_token_id
    examples_of: Callable[[pd.DataFrame], list[dict[str, Any]]]
    compare: Callable[[Sequence[dict[str, Any]]], dict[str, Tensor]]
    logits_of: LogitsOf
    if options.kind == "encoder":
        examples_of = partial(encoder_examples, tokenizer=tokenizer, max_length=options.max_length)
        compare, logits_of = partial(labelled_batch, fill=fill), label_logits
    else:
        prompt = Prompt(tokenizer, options.prompt or "", options.words, options.max_length)
        examples_of = partial(answer_examples, prompt=prompt)
        compare, logits_of = partial(choice_batch, answers=prompt.answers, fill=fill), answer_logits
    examples, score = examples_of(frame), None
    if chosen_on is not None:
        seen = examples_of(chosen_on)
        score = partial(
            dev_score, examples=seen, collate=compare, logits_of=logits_of, options=options
        )
    if options.kind == "causal" and options.loss == "cross-entropy":
        collate = partial(taught_batch, fill=fill)
        loss = Weighted(answered_loss, counts, options)
    else:
        collate = compare
        loss = Weighted(
            partial(label_loss, logits_of=logits_of, loss=losses.loss_of(options, counts)),
            counts,
            options,
        )
    seeds = [options.seed + RESTART * k for k in range(1 + (options.restarts or 0))]
    collapsed = among.from_first(collapsed_seeds(work, facts) if among.first else None)
    for seed in seeds[len(collapsed) :]:
        own = replace(options, seed=seed)
        model = begun_model(own, base, held, among)
        batches = Batches([len(example["ids"]) for example in examples], seed, own.batch)
        timing = trained(
            model,
            examples,
            batches,
            collate,
            loss,
            own,
            work,
            facts,
            among,
            score,
            [loss],
            options.optimizer,
        )
        if options.restarts is None or not one_class(
            model, examples, compare, logits_of, own, among
        ):
            break
        collapsed.append(seed)
        if seed != seeds[-1]:
            del model
            begin_anew(collapsed, seed + RESTART, work, facts, among)
    told = {} if options.restarts is None else {"seed": seed, "collapsed": collapsed}
    told |= {key: timing.pop(key) for key in ("epoch", "dev") if key in timing}
    finish(model, tokenizer, examples, timing, facts, told, work, out, among)


def labelled_dev(options: FinetuneOptions, dev: pd.DataFrame | None, zero: int) -> pd.DataFrame:
    """The posts on which the best epoch is chosen. Raises ValueError if none can be chosen."""
    if zero:
        raise ValueError(
            f"node {options.node}: epoch best writes whole weights, and ZeRO {zero} holds parts: write last"
        )
    if dev is None or dev.empty or dev["label"].isna().any():
        raise ValueError(
            f"node {options.node}: epoch best chooses on labelled posts: give them with --dev, or write last"
        )
    return dev


def begun_model(
    options: FinetuneOptions, base: Path | str, held: Mapping[str, Any], among: Ranks
) -> Any:
    """The model before training.

    An encoder's head is new unless the base has one of its kind for the same labels.
    """
    transformers.set_seed(options.seed)
    if options.kind == "causal":
        return load_model(base, "causal", options.attention, options.dropout)
    model = load_model(
        base,
        "encoder",
        options.attention,
        options.dropout,
        options.names,
        options.s,
        options.pooling,
    )
    has_other_head = any(
        held["spec"].get(key, own) != getattr(options, key) for key, own in OWN.items()
    )
    if held["labels"] != options.names or has_other_head:
        with distributed.gathered(model.parameters(), among):
            new_head(model, options.seed)
    return model


def one_class(
    model: Any,
    examples: Sequence[dict[str, Any]],
    collate: Callable[[Sequence[dict[str, Any]]], dict[str, Tensor]],
    logits_of: LogitsOf,
    options: FinetuneOptions,
    among: Ranks,
) -> bool:
    """Whether the model gives all training posts one class, where they have two or more.

    It reads no further than the second class, so a sound model costs a batch or two, a collapsed
    one an epoch without gradients. Every rank reads the same posts: ZeRO-3 has all of them take
    part.
    """
    seen: set[int] = set()
    device = next(model.parameters()).device
    model.eval()
    for group in Batches(
        [len(example["ids"]) for example in examples], options.seed, options.batch
    ):
        batch = collate([examples[i] for i in group])
        with torch.no_grad():
            logits = logits_of(model, {name: part.to(device) for name, part in batch.items()})
        seen |= set(logits.argmax(dim=1).tolist())
        if not among.any(len(seen) < 2):
            return False
    return len({example["label"] for example in examples}) > 1


def begin_anew(
    collapsed: list[int], seed: int, work: Path | str, facts: dict[str, Any], among: Ranks
) -> None:
    """Tell that a training ended in one class, and forget its checkpoints."""
    if among.first:
        told = f"seed {collapsed[-1]} ended in one class for all training posts; seed {seed} begins"
        print(f"{facts['spec']['node']}: {told}", file=sys.stderr, flush=True)
        note_collapse(work, facts, collapsed)
    among.barrier()
    gc.collect()  # a trainer and its model hold each other
    torch.cuda.empty_cache()


class Weighted:
    """A loss (model, inputs, weights) -> scalar with the class weights of the epoch that was set
    last.

    counts: training posts of the K classes. With `drw`, the weights of deferred re-weighting take
    the place of `class_weights` from that share of the epochs on.
    """

    def __init__(
        self,
        loss: Callable[[Any, dict[str, Tensor], Tensor], Tensor],
        counts: Sequence[int],
        options: FinetuneOptions,
    ) -> None:
        self.loss, self.epoch = loss, 0
        self.early = losses.class_weights(counts, options.class_weights)
        self.late = losses.mean_one(losses.deferred_weights(counts), counts)
        self.begin = losses.deferred_epoch(options.drw, options.epochs)

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __call__(self, model: Any, inputs: dict[str, Tensor]) -> Tensor:
        weights = self.early if self.epoch < self.begin else self.late
        return self.loss(model, inputs, weights.to(inputs["labels"].device))


def label_loss(
    model: Any, inputs: Mapping[str, Tensor], weights: Tensor, logits_of: LogitsOf, loss: LabelLoss
) -> Tensor:
    return loss(logits_of(model, inputs), inputs["labels"], weights)


def label_logits(model: Any, inputs: Mapping[str, Tensor]) -> Tensor:
    """(n, K) logits of an encoder's head."""
    return model(
        input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"]
    ).logits.float()


def answer_logits(model: Any, inputs: Mapping[str, Tensor]) -> Tensor:
    """(n, K) log-probabilities of a causal model's K answers, as `predict` scores them."""
    rows = {name: inputs[name].flatten(0, 1) for name in ("input_ids", "attention_mask", "targets")}
    return (
        -losses.token_losses(*taught_logits(model, rows))
        .sum(dim=1)
        .view(inputs["targets"].shape[:2])
    )


def answered_loss(model: Any, inputs: Mapping[str, Tensor], weights: Tensor) -> Tensor:
    logits, targets = taught_logits(model, inputs)
    return losses.answer_loss(logits, targets, inputs["labels"], weights)
