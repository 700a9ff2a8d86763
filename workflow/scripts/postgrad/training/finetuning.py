"""Fine-tuning of a classifier: an encoder with a head, or a causal model that answers with labels.

A causal model is scored at the answers of its labels. The loss may weight classes by the epoch, and
a training that ends in one class may start again with another seed.
"""

import gc
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import transformers
from torch import Tensor

from postgrad.models.batching import Batches
from postgrad.models.heads import DEFAULT_HEAD, initialize_head
from postgrad.models.label_prompts import LabelPrompt
from postgrad.models.loading import load_model
from postgrad.models.tokenization import (
    answer_choice_batch,
    answer_examples,
    causal_batch,
    encoder_examples,
    labelled_batch,
)
from postgrad.runtime.result_cache import collapsed_seeds, note_collapse
from postgrad.training import distributed, losses
from postgrad.training.best_epoch import dev_score
from postgrad.training.distributed import Ranks
from postgrad.training.options import FinetuneOptions
from postgrad.training.trainer import (
    save_trained_model,
    start_training,
    target_logits,
    train_model,
)

RESTART = 1000  # added to the seed of a training that collapsed, for the next one's seed

Examples = list[dict[str, Any]]
Collate = Callable[[Sequence[dict[str, Any]]], dict[str, Tensor]]
LogitsOf = Callable[[Any, Mapping[str, Tensor]], Tensor]  # (model, inputs) -> (n, K)
# (logits, labels, weights of the classes) -> scalar
LabelLoss = Callable[[Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class LabelScoring:
    """How a kind of model computes (n, K) logits of the labels of n posts.

    Attributes
    ----------
    examples_of
        Function of posts that returns examples.
    collate
        Function of a list of examples that returns the inputs for `logits_of`.
    logits_of
        Function of the model and its inputs that returns (n, K) logits.
    """

    examples_of: Callable[[pd.DataFrame], Examples]
    collate: Collate
    logits_of: LogitsOf


def finetune_classifier(
    options: FinetuneOptions,
    base: Path | str,
    frame: pd.DataFrame,
    facts: dict[str, Any],
    work: Path | str,
    out: Path | str,
    zero: int = 0,
    dev: pd.DataFrame | None = None,
) -> None:
    """Train a classifier on labelled posts and write its model folder.

    A causal model with the loss cross-entropy learns its gold answer. Every other loss compares the
    answers of all K labels, so that each post is read K times.

    With `restarts`, a training that ends in one class starts again, at most so many times;
    model.json then holds the `seed` and the `collapsed` seeds. With `epoch: best`, the model of the
    epoch with the best official metric on dev is kept; model.json then holds its `epoch` and the
    scores of all epochs as `dev`.

    Parameters
    ----------
    options
        Options of the fine-tuning.
    base
        Folder of the base or model that is trained on.
    frame
        Labelled posts.
    facts
        The content of model.json so far: kind, labels, spec, version, base, rows, classes and data.
        With the base's digest it is the key of the training.
    work
        Folder in which checkpoints and finished models are kept.
    out
        Folder for the model.
    zero
        Stage of DeepSpeed's ZeRO, or 0 for none.
    dev
        Labelled posts on which `epoch: best` chooses.

    Raises
    ------
    ValueError
        If an option is missing or has an unknown value, or `epoch: best` cannot choose.
    """
    if options.epoch == "best":
        check_dev_posts(options, dev, zero)
    base_record, ranks, tokenizer = start_training(options, base, zero)
    scoring = label_scoring(options, tokenizer)
    examples, score = scoring.examples_of(frame), None
    if options.epoch == "best" and dev is not None:
        score = partial(
            dev_score,
            examples=scoring.examples_of(dev),
            collate=scoring.collate,
            logits_of=scoring.logits_of,
            options=options,
        )
    counts = [facts["classes"][name] for name in options.names]
    collate, loss = training_loss(options, scoring, counts, tokenizer.pad_token_id)
    seeds = [options.seed + RESTART * k for k in range(1 + (options.restarts or 0))]
    collapsed = ranks.broadcast(collapsed_seeds(work, facts) if ranks.is_first else None)
    for seed in seeds[len(collapsed) :]:
        seeded = replace(options, seed=seed)
        model = load_initial_model(seeded, base, base_record, ranks)
        batches = Batches([len(example["ids"]) for example in examples], seed, options.batch)
        context = (seeded, work, facts, ranks, score, [loss], options.optimizer)
        timing = train_model(model, examples, batches, collate, loss, *context)
        if options.restarts is None or not is_collapsed(
            model, examples, scoring.collate, scoring.logits_of, seeded, ranks
        ):
            break
        collapsed.append(seed)
        if seed != seeds[-1]:
            del model
            discard_collapsed_training(collapsed, seed + RESTART, work, facts, ranks)
    more_facts = {} if options.restarts is None else {"seed": seed, "collapsed": collapsed}
    more_facts |= {key: timing.pop(key) for key in ("epoch", "dev") if key in timing}
    save_trained_model(model, tokenizer, examples, timing, facts, more_facts, work, out, ranks)


def check_dev_posts(options: FinetuneOptions, dev: pd.DataFrame | None, zero: int) -> None:
    """Raise `ValueError` if the best epoch cannot be chosen on these posts or under ZeRO."""
    if zero:
        raise ValueError(
            f"node {options.node}: epoch best saves whole weights, but under ZeRO {zero} each rank "
            "holds a part of them; write epoch last"
        )
    if dev is None or dev.empty or dev["label"].isna().any():
        raise ValueError(
            f"node {options.node}: epoch best needs labelled posts to choose on; "
            "give them with --dev, or write epoch last"
        )


def label_scoring(options: FinetuneOptions, tokenizer: Any) -> LabelScoring:
    """Return how a model of the options' kind computes the logits of labels."""
    fill = tokenizer.pad_token_id
    if options.kind == "encoder":
        return LabelScoring(
            partial(encoder_examples, tokenizer=tokenizer, max_length=options.max_length),
            partial(labelled_batch, fill=fill),
            encoder_logits,
        )
    prompt = LabelPrompt(tokenizer, options.prompt or "", options.words, options.max_length)
    return LabelScoring(
        partial(answer_examples, prompt=prompt),
        partial(answer_choice_batch, answers=prompt.answers, fill=fill),
        answer_logits,
    )


def training_loss(
    options: FinetuneOptions, scoring: LabelScoring, counts: Sequence[int], fill: int
) -> tuple[Collate, "EpochWeightedLoss"]:
    """Return the function that collates examples for the training, and its loss.

    Parameters
    ----------
    options
        Options of the fine-tuning.
    scoring
        How the model computes the logits of labels.
    counts
        Training posts of each of K classes.
    fill
        Id of the padding token.
    """
    if options.kind == "causal" and options.loss == "cross-entropy":
        collate: Collate = partial(causal_batch, fill=fill)
        return collate, EpochWeightedLoss(gold_answer_loss, counts, options)
    function = losses.loss_function(options, counts)
    loss = partial(label_loss, logits_of=scoring.logits_of, loss=function)
    return scoring.collate, EpochWeightedLoss(loss, counts, options)


def load_initial_model(
    options: FinetuneOptions, base: Path | str, base_record: Mapping[str, Any], ranks: Ranks
) -> Any:
    """Return the model before training.

    An encoder gets a new head unless the base has a head of the same kind for the same labels.

    Parameters
    ----------
    options
        Options of the fine-tuning.
    base
        Folder of the base or model that is trained on.
    base_record
        Its model.json.
    ranks
        The processes of the training.
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
        base_record["spec"].get(key, default) != getattr(options, key)
        for key, default in DEFAULT_HEAD.items()
    )
    if base_record["labels"] != options.names or has_other_head:
        with distributed.gathered_parameters(model.parameters(), ranks):
            initialize_head(model, options.seed)
    return model


def is_collapsed(
    model: Any,
    examples: Sequence[dict[str, Any]],
    collate: Collate,
    logits_of: LogitsOf,
    options: FinetuneOptions,
    ranks: Ranks,
) -> bool:
    """Return whether the model predicts one class for all training posts, which have two or more.

    Prediction ends when a second class is predicted, so that a sound model costs a batch or two,
    and a collapsed one an epoch without gradients. Every rank reads the same posts, because ZeRO-3
    needs all ranks to take part.
    """
    seen: set[int] = set()
    device = next(model.parameters()).device
    model.eval()
    lengths = [len(example["ids"]) for example in examples]
    for positions in Batches(lengths, options.seed, options.batch):
        batch = collate([examples[i] for i in positions])
        with torch.no_grad():
            logits = logits_of(model, {name: part.to(device) for name, part in batch.items()})
        seen |= set(logits.argmax(dim=1).tolist())
        if not ranks.any_rank(len(seen) < 2):
            return False
    return len({example["label"] for example in examples}) > 1


def discard_collapsed_training(
    collapsed: list[int], seed: int, work: Path | str, facts: dict[str, Any], ranks: Ranks
) -> None:
    """Report that a training ended in one class, and remove its checkpoints.

    Parameters
    ----------
    collapsed
        The seeds of the trainings that ended in one class so far.
    seed
        The seed of the next training.
    work
        Folder in which checkpoints and finished models are kept.
    facts
        Key of the training.
    ranks
        The processes of the training.
    """
    if ranks.is_first:
        print(
            f"{facts['spec']['node']}: the model of seed {collapsed[-1]} predicts one class for "
            f"all training posts; training starts again with seed {seed}",
            file=sys.stderr,
            flush=True,
        )
        note_collapse(work, facts, collapsed)
    ranks.barrier()
    gc.collect()  # a trainer and its model refer to each other
    torch.cuda.empty_cache()


class EpochWeightedLoss:
    """A loss with the class weights of the epoch that was set last.

    With `drw`, the weights of deferred re-weighting replace `class_weights` from that share of the
    epochs on.

    Parameters
    ----------
    loss
        Function of the model, its inputs and (K,) class weights that returns a scalar.
    counts
        Training posts of each of K classes.
    options
        Of which class_weights, drw and epochs are read.
    """

    def __init__(
        self,
        loss: Callable[[Any, dict[str, Tensor], Tensor], Tensor],
        counts: Sequence[int],
        options: FinetuneOptions,
    ) -> None:
        self.loss, self.epoch = loss, 0
        self.early_weights = losses.class_weights(counts, options.class_weights)
        late = losses.effective_number_weights(counts)
        self.late_weights = losses.scaled_class_weights(late, counts)
        self.first_late_epoch = losses.first_reweighted_epoch(options.drw, options.epochs)

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch, counted from 0."""
        self.epoch = epoch

    def __call__(self, model: Any, inputs: dict[str, Tensor]) -> Tensor:
        """Return the loss of a batch."""
        is_early = self.epoch < self.first_late_epoch
        weights = self.early_weights if is_early else self.late_weights
        return self.loss(model, inputs, weights.to(inputs["labels"].device))


def label_loss(
    model: Any, inputs: Mapping[str, Tensor], weights: Tensor, logits_of: LogitsOf, loss: LabelLoss
) -> Tensor:
    """Return the loss of the label logits that a model computes from its inputs."""
    return loss(logits_of(model, inputs), inputs["labels"], weights)


def encoder_logits(model: Any, inputs: Mapping[str, Tensor]) -> Tensor:
    """Return the (n, K) logits of an encoder's head, in float32."""
    output = model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"])
    return output.logits.float()


def answer_logits(model: Any, inputs: Mapping[str, Tensor]) -> Tensor:
    """Return the (n, K) log-probabilities of a causal model's answers, as `predict` scores them.

    Parameters
    ----------
    model
        A causal model.
    inputs
        The (n, K, T) tensors of `answer_choice_batch`.
    """
    rows = {name: inputs[name].flatten(0, 1) for name in ("input_ids", "attention_mask", "targets")}
    nll = losses.token_losses(*target_logits(model, rows)).sum(dim=1)
    return -nll.view(inputs["targets"].shape[:2])


def gold_answer_loss(model: Any, inputs: Mapping[str, Tensor], weights: Tensor) -> Tensor:
    """Return the loss of a causal model's gold answers."""
    logits, targets = target_logits(model, inputs)
    return losses.answer_loss(logits, targets, inputs["labels"], weights)
