"""Inference of networks: the label logits or the embeddings of posts."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import transformers
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from postgrad.models.batching import shard_batches, token_budget_batches
from postgrad.models.label_prompts import LabelPrompt
from postgrad.models.loading import load_model, load_tokenizer, set_threads
from postgrad.models.prediction import PredictOptions, Scorer
from postgrad.models.tokenization import encoder_examples, padded_inputs, token_ids
from postgrad.records.posts import input_texts

EMBEDDED_TOKENS = 256  # most tokens of a post; all-MiniLM-L6-v2 was trained with so many
EMBEDDING_BATCH = 4096  # most tokens of a batch

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()


def load_scorer(options: PredictOptions, folder: str | Path) -> Scorer:
    """Load a network once, and return the function that scores posts with it.

    An encoder returns the logits of its head. A causal model returns the log-probability of each
    class's whole answer (word or digit, then the end token) after the prompt; nothing is generated.
    All posts are cut into batches before the slice is taken, because a post's logits differ in the
    last bits, by up to 3e-6 in fp32, when it shares its batch with other posts.

    Parameters
    ----------
    options
        Options of the prediction.
    folder
        The model folder.
    """
    set_threads(options.threads)
    tokenizer = load_tokenizer(folder)
    model = load_model(folder, options.kind, options.attention).eval().requires_grad_(False)
    model.to("cuda" if torch.cuda.is_available() else "cpu")
    if options.kind == "causal":
        words = [label[options.answers.removesuffix("s")] for label in options.labels]
        prompt = LabelPrompt(tokenizer, options.prompt, words, options.max_length)

    def score_posts(
        frame: pd.DataFrame, part: slice = slice(None)
    ) -> tuple[np.ndarray, np.ndarray]:
        bf16 = options.precision == "bf16"
        with (
            torch.inference_mode(),
            torch.autocast(model.device.type, torch.bfloat16, enabled=bf16),
        ):
            if options.kind == "encoder":
                return encoder_scores(
                    model, tokenizer, frame, options.max_length, options.batch_tokens, part
                )
            return answer_scores(model, tokenizer, prompt, frame, options.batch_tokens, part)

    return score_posts


def encoder_scores(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    frame: pd.DataFrame,
    max_length: int,
    batch_tokens: int,
    part: slice,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the logits of an encoder's head.

    Parameters
    ----------
    model, tokenizer
        The encoder and its tokenizer.
    frame
        Posts.
    max_length
        Most tokens of a post.
    batch_tokens
        Most tokens of a batch, padding included.
    part
        The slice of the list of batches that is scored.

    Returns
    -------
    positions : ndarray
        The positions of m posts in `frame`, ascending.
    logits : ndarray
        (m, K) float64.
    """
    rows = [example["ids"] for example in encoder_examples(frame, tokenizer, max_length)]
    logits = np.zeros((len(rows), model.config.num_labels))
    groups, positions = shard_batches(
        token_budget_batches([len(row) for row in rows], batch_tokens), part
    )
    for group in groups:
        batch = padded_inputs([rows[i] for i in group], tokenizer.pad_token_id)
        output = model(**{name: tensor.to(model.device) for name, tensor in batch.items()})
        logits[group] = output.logits.float().cpu().numpy()
    return positions, logits[positions]


def answer_scores(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompt: LabelPrompt,
    frame: pd.DataFrame,
    batch_tokens: int,
    part: slice,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the log-probabilities of a causal model's K whole answers.

    The beginning that all prompts share is run once, and its keys and values are reused. One run of
    the rest of a prompt gives the first token of every answer; the tokens after it are then run for
    one answer after the other.

    Parameters
    ----------
    model, tokenizer
        The causal model and its tokenizer.
    prompt
        The prompt and the answers.
    frame
        Posts.
    batch_tokens
        Most tokens of a batch, padding included.
    part
        The slice of the list of batches that is scored.

    Returns
    -------
    positions : ndarray
        The positions of m posts in `frame`, ascending.
    logits : ndarray
        (m, K) float64.
    """
    rows = prompt.encode_posts(frame)
    logits = np.zeros((len(rows), len(prompt.answers)))
    shared = len(prompt.prefix)
    prefix: Any = None
    if shared:
        start = torch.tensor([prompt.prefix], device=model.device)
        prefix = model(start, use_cache=True, logits_to_keep=1).past_key_values
    longest = max(map(len, prompt.answers))
    groups, positions = shard_batches(
        token_budget_batches([shared + len(row) + longest for row in rows], batch_tokens), part
    )
    for group in groups:
        batch = padded_inputs([rows[i] for i in group], tokenizer.pad_token_id)
        ids, mask = (batch[name].to(model.device) for name in ("input_ids", "attention_mask"))
        cache = copy.deepcopy(prefix)
        if shared:
            cache.batch_repeat_interleave(len(group))
        lengths = mask.sum(dim=1)
        mask = torch.cat([mask.new_ones(len(group), shared), mask], dim=1)
        places, row_places = (lengths - 1).unique(return_inverse=True)
        output = model(
            ids, attention_mask=mask, past_key_values=cache, use_cache=True, logits_to_keep=places
        )
        posts = torch.arange(len(group), device=model.device)
        first = output.logits[posts, row_places].float().log_softmax(dim=-1)
        cache = output.past_key_values
        for k, answer in enumerate(prompt.answers):
            score = first[:, answer[0]].double()
            answer_ids = torch.tensor([answer[:-1]], device=model.device).expand(len(group), -1)
            # Padding is between prompt and answer: it is masked, and positions count real tokens.
            output = model(
                answer_ids,
                attention_mask=torch.cat([mask, mask.new_ones(answer_ids.shape)], dim=1),
                position_ids=shared
                + lengths[:, None]
                + torch.arange(answer_ids.shape[1], device=model.device),
                past_key_values=cache,
                use_cache=True,
            )
            rest = output.logits.float().log_softmax(dim=-1).double()
            for place, token in enumerate(answer[1:]):
                score = score + rest[:, place, token]
            cache.crop(-answer_ids.shape[1])
            logits[group, k] = score.cpu().numpy()
    return positions, logits[positions]


def post_embeddings(folder: Path | str, frame: pd.DataFrame) -> np.ndarray:
    """Return the mean of each post's tokens in the last layer, scaled to length 1.

    The method is that of Reimers & Gurevych 2019. One thread computes it, so that the same posts
    give the same bytes.

    Parameters
    ----------
    folder
        The folder of an encoder.
    frame
        n posts.

    Returns
    -------
    ndarray
        (n, H) float64.
    """
    set_threads(1)
    tokenizer = load_tokenizer(folder)
    model = load_model(folder, "plain").eval().requires_grad_(False)
    model.to("cuda" if torch.cuda.is_available() else "cpu")
    rows = token_ids(
        input_texts(frame), tokenizer, min(EMBEDDED_TOKENS, model.config.max_position_embeddings)
    )
    vectors = np.zeros((len(rows), model.config.hidden_size))
    with torch.inference_mode():
        for group in token_budget_batches([len(row) for row in rows], EMBEDDING_BATCH):
            batch = padded_inputs([rows[i] for i in group], tokenizer.pad_token_id)
            batch = {name: tensor.to(model.device) for name, tensor in batch.items()}
            mask = batch["attention_mask"][..., None]
            sums = (model(**batch).last_hidden_state * mask).sum(dim=1)
            vectors[group] = (sums / mask.sum(dim=1)).double().cpu().numpy()
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
