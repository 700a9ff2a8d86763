"""Continued pretraining on plain posts: next token for a causal model, masked tokens for an
encoder.

One post is one example. Posts are padded, never joined, so none sees another; batches of a token
budget keep the padding small.
"""

from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import transformers
from torch import Tensor

from postgrad.models.batching import Batches
from postgrad.models.loading import load_model, load_tokenizer, set_threads
from postgrad.models.model_folder import base_facts
from postgrad.models.tokenization import (
    UNTAUGHT,
    Masks,
    masked_examples,
    next_token_examples,
    taught_batch,
)
from postgrad.records.posts import input_texts
from postgrad.training import distributed
from postgrad.training.losses import token_losses
from postgrad.training.options import PretrainOptions
from postgrad.training.trainer import check, finish, taught_logits, trained


def pretrain(
    options: PretrainOptions,
    base: Path | str,
    frame: pd.DataFrame,
    facts: dict[str, Any],
    work: Path | str,
    out: Path | str,
    zero: int = 0,
) -> None:
    """Go on training folder `base` on the texts of `frame` and write the folder `out`; labels are
    not read.

    facts: model.json so far. An encoder is saved as a plain body with the base's pooler, so that a
    later head finds all it needs. zero: DeepSpeed's stage, 0 for none.
    """
    check(options)
    base_facts(base, options.kind)
    set_threads(options.threads)
    among = distributed.begin(zero, options.precision)
    transformers.set_seed(options.seed)
    tokenizer = load_tokenizer(base)
    causal = options.kind == "causal"
    if not causal and tokenizer.mask_token_id is None:
        raise ValueError(
            f"base {base} has no mask token, so it cannot be pretrained; choose another encoder"
        )
    rows = next_token_examples if causal else masked_examples
    examples = rows(input_texts(frame), tokenizer, options.max_length)
    if not examples:
        raise ValueError(
            f"node {options.node}: no post has any text; see the data and the audit's drop.parquet"
        )
    model = load_model(base, "causal" if causal else "mlm", options.attention, options.dropout)
    batches = Batches(
        [len(example["ids"]) for example in examples], options.seed, options.batch, options.tokens
    )
    given = (options, work, facts, among)
    if causal:
        teach = partial(taught_batch, fill=tokenizer.pad_token_id)
        timing = trained(model, examples, batches, teach, next_token_loss, *given)
    else:
        if options.mask is None:
            raise ValueError(
                f"node {options.node}: mask is missing; give the share of tokens to mask, such as 0.15"
            )
        masks = Masks(tokenizer, options.mask, options.seed)
        timing = trained(model, examples, batches, masks, masked_loss, *given, by_epoch=[masks])
    final = None if causal else partial(with_pooler, base=base)
    finish(model, tokenizer, examples, timing, facts, {}, work, out, among, final)


def with_pooler(model: Any, base: Path | str) -> Any:
    """The plain body of `base`, pooler and all, with the weights that `model` learned."""
    body = load_model(base, "plain")
    body.load_state_dict(model.base_model.state_dict(), strict=False)
    return body


def next_token_loss(model: Any, inputs: dict[str, Tensor]) -> Tensor:
    """Mean negative log-likelihood of a batch's tokens."""
    logits, targets = taught_logits(model, inputs)
    return token_losses(logits, targets).sum() / (targets != UNTAUGHT).sum()


def masked_loss(model: Any, inputs: dict[str, Tensor]) -> Tensor:
    """Mean negative log-likelihood of a batch's hidden tokens. The output layer reads those places
    alone: at a vocabulary of 30,522 it would otherwise cost as much as MiniLM's six layers.
    """
    targets = inputs.pop("targets")
    places = targets != UNTAUGHT
    inner = getattr(model, "module", model)  # several ranks train a model within a wrapper
    head = next(part for name, part in inner.named_children() if name != inner.base_model_prefix)
    hook = head.register_forward_pre_hook(lambda _, args: (args[0][places][None],))
    try:
        logits = model(**inputs).logits
    finally:
        hook.remove()
    return token_losses(logits, targets[places][None]).mean()
