"""Posts as token ids, and batches of them as tensors."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch

from postgrad.records.posts import input_texts

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from postgrad.models.label_prompts import LabelPrompt

Example = dict[str, Any]  # `ids` of one post, and what its loss reads
Batch = dict[str, torch.Tensor]

IGNORE_INDEX = -100  # a target that no loss reads


def encoder_examples(
    frame: pd.DataFrame, tokenizer: "PreTrainedTokenizerBase", max_length: int
) -> list[Example]:
    """Return an example of each post for an encoder.

    Returns
    -------
    list of dict
        `ids` with the tokenizer's special tokens, at most `max_length`, and `label`, which is None
        if it is missing.
    """
    rows = token_ids(input_texts(frame), tokenizer, max_length)
    return [{"ids": ids, "label": label} for ids, label in zip(rows, label_codes(frame))]


def answer_examples(frame: pd.DataFrame, prompt: "LabelPrompt") -> list[Example]:
    """Return an example of each labelled post for a causal model that learns to answer.

    Returns
    -------
    list of dict
        `ids` of prompt and gold answer, `n_targets`, the number of last ids that are the answer,
        and `label`.
    """
    rows = []
    for ids, label in zip(prompt.encode_posts(frame), frame["label"].astype(int).tolist()):
        answer = prompt.answers[label]
        rows.append({"ids": prompt.prefix + ids + answer, "n_targets": len(answer), "label": label})
    return rows


def next_token_examples(
    texts: Iterable[str], tokenizer: "PreTrainedTokenizerBase", max_length: int
) -> list[Example]:
    """Return an example of each text for the pretraining of a causal model.

    Texts without a token are left out.

    Returns
    -------
    list of dict
        `ids` with the end token, at most `max_length`, and `n_targets`: all ids but the first.
    """
    end = [tokenizer.eos_token_id]
    rows = (ids + end for ids in token_ids(texts, tokenizer, max_length - 1))
    return [{"ids": ids, "n_targets": len(ids) - 1} for ids in rows if len(ids) > 1]


def maskable_examples(
    texts: Iterable[str], tokenizer: "PreTrainedTokenizerBase", max_length: int
) -> list[Example]:
    """Return an example of each text for the pretraining of an encoder.

    Texts without a token are left out.

    Returns
    -------
    list of dict
        `ids` with special tokens, `places`, the positions of the other tokens, and `post`, the
        number of the text.
    """
    special, rows = set(tokenizer.all_special_ids), []
    for post, ids in enumerate(token_ids(texts, tokenizer, max_length)):
        places = [place for place, i in enumerate(ids) if i not in special]
        if places:
            rows.append({"ids": ids, "places": np.array(places), "post": post})
    return rows


def token_ids(
    texts: Iterable[str], tokenizer: "PreTrainedTokenizerBase", max_length: int
) -> list[list[int]]:
    """Return the ids of each text, with special tokens, cut to `max_length`."""
    texts = list(texts)
    return tokenizer(texts, truncation=True, max_length=max_length)["input_ids"] if texts else []


def label_codes(frame: pd.DataFrame) -> list[int | None]:
    """Return the class code of each post, None for a post without a label."""
    labels = frame["label"].astype(object).where(frame["label"].notna(), None)
    return [None if label is None else int(label) for label in labels]


def pad_rows(rows: Sequence[Sequence[int]], fill: int) -> torch.Tensor:
    """Return an (n, T) int64 tensor of n rows, with `fill` after rows shorter than the longest.

    Examples
    --------
    >>> pad_rows([[5, 6], [7]], 0).tolist()
    [[5, 6], [7, 0]]
    """
    width = max(map(len, rows))
    return torch.tensor(
        [list(row) + [fill] * (width - len(row)) for row in rows], dtype=torch.int64
    )


def padded_inputs(rows: Sequence[Sequence[int]], fill: int) -> Batch:
    """Return `input_ids` and `attention_mask`, both (n, T), of n lists of ids."""
    return {
        "input_ids": pad_rows(rows, fill),
        "attention_mask": pad_rows([[1] * len(row) for row in rows], 0),
    }


def labelled_batch(examples: Sequence[Example], fill: int) -> Batch:
    """Return the inputs and the labels of examples.

    Parameters
    ----------
    examples
        Dictionaries with `ids` and `label`.
    fill
        Id of the padding token.

    Returns
    -------
    dict of Tensor
        `input_ids` and `attention_mask` (n, T), padded at the end, and `labels` (n,).
    """
    labels = torch.tensor([example["label"] for example in examples])
    return padded_inputs([example["ids"] for example in examples], fill) | {"labels": labels}


def causal_batch(examples: Sequence[Example], fill: int) -> Batch:
    """Return the inputs and targets of examples for a causal model.

    Parameters
    ----------
    examples
        Dictionaries with `ids`, `n_targets`, and perhaps `label`.
    fill
        Id of the padding token.

    Returns
    -------
    dict of Tensor
        The padded inputs; `labels` (n,) if the examples have labels; and `targets` (n, T): at
        position t the id that follows, or `IGNORE_INDEX` where it is no target.
    """
    batch = padded_inputs([example["ids"] for example in examples], fill)
    targets = torch.full_like(batch["input_ids"], IGNORE_INDEX)
    for row, example in zip(targets, examples):
        ids, n_targets = example["ids"], example["n_targets"]
        row[len(ids) - 1 - n_targets : len(ids) - 1] = torch.tensor(ids[len(ids) - n_targets :])
    if "label" in examples[0]:
        batch["labels"] = torch.tensor([example["label"] for example in examples])
    return batch | {"targets": targets}


def answer_choice_batch(
    examples: Sequence[Example], answers: Sequence[Sequence[int]], fill: int
) -> Batch:
    """Return the inputs and targets of each post with each of the K answers.

    Parameters
    ----------
    examples
        Dictionaries of `answer_examples`, whose own answers are replaced.
    answers
        The ids of each label's answer.
    fill
        Id of the padding token.

    Returns
    -------
    dict of Tensor
        `input_ids`, `attention_mask` and `targets`, (n, K, T), and `labels` (n,).
    """
    stems = [example["ids"][: -example["n_targets"]] for example in examples]
    rows = [
        {"ids": stem + answer, "n_targets": len(answer)} for stem in stems for answer in answers
    ]
    batch = {
        name: part.unflatten(0, (len(stems), -1)) for name, part in causal_batch(rows, fill).items()
    }
    return batch | {"labels": torch.tensor([example["label"] for example in examples])}


class MaskingCollator:
    """Collate batches for masked-language training; the masked tokens are drawn in each epoch.

    Of the chosen tokens 80 % are replaced by the mask token, 10 % by a random token, and 10 % are
    left as they are (Devlin et al. 2019, section 3.1). Each post has at least one target. The draw
    depends on (seed, epoch, post) only, so that neither the batch nor a resume changes it.

    Parameters
    ----------
    tokenizer
        The encoder's tokenizer.
    share
        The share of a post's tokens that are targets, for example 0.15.
    seed
        Seed of the draw.
    """

    def __init__(self, tokenizer: "PreTrainedTokenizerBase", share: float, seed: int) -> None:
        self.mask_id, self.fill = tokenizer.mask_token_id, tokenizer.pad_token_id
        self.vocabulary_size = len(tokenizer)
        self.share, self.seed, self.epoch = share, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch, counted from 0."""
        self.epoch = epoch

    def __call__(self, examples: Sequence[Example]) -> Batch:
        """Return the padded inputs of `maskable_examples`, and `targets` (n, T)."""
        rows, targets = [], []
        for example in examples:
            random = np.random.default_rng([self.seed, self.epoch, example["post"]])
            ids, places = np.array(example["ids"]), example["places"]
            chosen = random.permutation(places)[: max(1, round(self.share * len(places)))]
            target = np.full(len(ids), IGNORE_INDEX)
            target[chosen] = ids[chosen]
            draw = random.random(len(chosen))
            ids[chosen[draw < 0.8]] = self.mask_id
            replaced = chosen[(draw >= 0.8) & (draw < 0.9)]
            ids[replaced] = random.integers(self.vocabulary_size, size=len(replaced))
            rows.append(ids.tolist())
            targets.append(target.tolist())
        return padded_inputs(rows, self.fill) | {"targets": pad_rows(targets, IGNORE_INDEX)}
