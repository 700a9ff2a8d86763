"""Continued pretraining on plain posts: next tokens for a causal model, masked ones for an encoder.

One post is one example. Posts are padded and never joined, so that no post attends to another;
batches of a token budget keep the padding small.
"""

from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import transformers
from torch import Tensor

from postgrad.models.batching import Batches
from postgrad.models.loading import load_model
from postgrad.models.tokenization import (
    IGNORE_INDEX,
    MaskingCollator,
    causal_batch,
    maskable_examples,
    next_token_examples,
)
from postgrad.records.posts import input_texts
from postgrad.training.losses import token_losses
from postgrad.training.options import PretrainOptions
from postgrad.training.trainer import (
    save_trained_model,
    start_training,
    target_logits,
    train_model,
)


def pretrain_model(
    options: PretrainOptions,
    base: Path | str,
    frame: pd.DataFrame,
    facts: dict[str, Any],
    work: Path | str,
    out: Path | str,
    zero: int = 0,
) -> None:
    """Continue the pretraining of a base on posts and write the model folder.

    An encoder is saved as a plain body with the base's pooler, so that a later head finds all that
    it needs.

    Parameters
    ----------
    options
        Options of the pretraining.
    base
        Folder of the base.
    frame
        Posts. Labels are not read.
    facts
        The content of model.json so far, which is the key of the training.
    work
        Folder in which checkpoints and finished models are kept.
    out
        Folder for the model.
    zero
        Stage of DeepSpeed's ZeRO, or 0 for none.

    Raises
    ------
    ValueError
        If no post has any text, an encoder's tokenizer has no mask token, `mask` is missing for an
        encoder, or an option has an unknown value.
    """
    _, ranks, tokenizer = start_training(options, base, zero)
    transformers.set_seed(options.seed)
    causal = options.kind == "causal"
    if not causal and tokenizer.mask_token_id is None:
        raise ValueError(
            f"base {base} has no mask token, so it cannot be pretrained; choose another encoder"
        )
    examples_of = next_token_examples if causal else maskable_examples
    examples = examples_of(input_texts(frame), tokenizer, options.max_length)
    if not examples:
        raise ValueError(
            f"node {options.node}: no post has any text; see the data and the audit's drop.parquet"
        )
    model = load_model(base, "causal" if causal else "mlm", options.attention, options.dropout)
    batches = Batches(
        [len(example["ids"]) for example in examples], options.seed, options.batch, options.tokens
    )
    context = (options, work, facts, ranks)
    if causal:
        collate = partial(causal_batch, fill=tokenizer.pad_token_id)
        timing = train_model(model, examples, batches, collate, next_token_loss, *context)
    else:
        if options.mask is None:
            raise ValueError(
                f"node {options.node}: mask is missing; give the share of tokens to mask, "
                "such as 0.15"
            )
        masking = MaskingCollator(tokenizer, options.mask, options.seed)
        timing = train_model(
            model, examples, batches, masking, masked_loss, *context, epoch_dependents=[masking]
        )
    convert = None if causal else partial(encoder_with_pooler, base=base)
    save_trained_model(model, tokenizer, examples, timing, facts, {}, work, out, ranks, convert)


def encoder_with_pooler(model: Any, base: Path | str) -> Any:
    """Return the plain body of `base`, with its pooler, and with the weights of a trained model."""
    body = load_model(base, "plain")
    body.load_state_dict(model.base_model.state_dict(), strict=False)
    return body


def next_token_loss(model: Any, inputs: dict[str, Tensor]) -> Tensor:
    """Return the mean negative log-likelihood of a batch's target tokens."""
    logits, targets = target_logits(model, inputs)
    return token_losses(logits, targets).sum() / (targets != IGNORE_INDEX).sum()


def masked_loss(model: Any, inputs: dict[str, Tensor]) -> Tensor:
    """Return the mean negative log-likelihood of a batch's masked tokens.

    The output layer reads the masked positions only: with a vocabulary of 30,522 it would otherwise
    cost as much as MiniLM's six layers.
    """
    targets = inputs.pop("targets")
    places = targets != IGNORE_INDEX
    inner = getattr(model, "module", model)  # several ranks train a model within a wrapper
    head = next(part for name, part in inner.named_children() if name != inner.base_model_prefix)
    hook = head.register_forward_pre_hook(lambda _, args: (args[0][places][None],))
    try:
        logits = model(**inputs).logits
    finally:
        hook.remove()
    return token_losses(logits, targets[places][None]).mean()
