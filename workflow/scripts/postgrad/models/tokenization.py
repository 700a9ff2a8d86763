"""Posts as token ids, and batches of them as tensors."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch

from postgrad.records.posts import input_texts

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from postgrad.models.label_prompts import Prompt

Example = dict[str, Any]  # `ids` of one post, and what its loss reads
Batch = dict[str, torch.Tensor]

IGNORE_INDEX = -100  # a target that no loss reads


def encoder_examples(
    frame: pd.DataFrame, tokenizer: "PreTrainedTokenizerBase", max_length: int
) -> list[Example]:
    """n dicts.

    `ids` of a post with the tokenizer's marks, cut to max_length, and `label` (null is left out).
    """
    return [{"ids": ids, "label": label} for ids, label in
            zip(token_ids(input_texts(frame), tokenizer, max_length), codes(frame))]  # fmt: skip


def answer_examples(frame: pd.DataFrame, prompt: "Prompt") -> list[Example]:
    """n dicts.

    `ids` of prompt and gold answer, `taught` (how many last ids are the answer), `label`.
    """
    rows = []
    for ids, label in zip(prompt.fields(frame), frame["label"].astype(int).tolist()):
        answer = prompt.answers[label]
        rows.append({"ids": prompt.prefix + ids + answer, "taught": len(answer), "label": label})
    return rows


def next_token_examples(
    texts: Iterable[str], tokenizer: "PreTrainedTokenizerBase", max_length: int
) -> list[Example]:
    """One dict a post.

    Its ids and the end token, every id taught but the first. A post without text is left out.
    """
    end = [tokenizer.eos_token_id]
    rows = (ids + end for ids in token_ids(texts, tokenizer, max_length - 1))
    return [{"ids": ids, "taught": len(ids) - 1} for ids in rows if len(ids) > 1]


def maskable_examples(
    texts: Iterable[str], tokenizer: "PreTrainedTokenizerBase", max_length: int
) -> list[Example]:
    """One dict a post.

    `ids` with marks, `places` (positions that are not marks) and `post`, its number.
    """
    marks, rows = set(tokenizer.all_special_ids), []
    for post, ids in enumerate(token_ids(texts, tokenizer, max_length)):
        places = [place for place, i in enumerate(ids) if i not in marks]
        if places:
            rows.append({"ids": ids, "places": np.array(places), "post": post})
    return rows


def token_ids(
    texts: Iterable[str], tokenizer: "PreTrainedTokenizerBase", max_length: int
) -> list[list[int]]:
    texts = list(texts)
    return tokenizer(texts, truncation=True, max_length=max_length)["input_ids"] if texts else []


def codes(frame: pd.DataFrame) -> list[int | None]:
    """n class codes as int, None where a post has no label."""
    return [None if label is None else int(label) for label in frame["label"].astype(object).where(
        frame["label"].notna(), None)]  # fmt: skip


def padded(rows: Sequence[Sequence[int]], fill: int, width: int | None = None) -> torch.Tensor:
    """(n, longest) int64 tensor of lists of ids, `fill` on the right."""
    width = width or max(map(len, rows))
    return torch.tensor(
        [list(row) + [fill] * (width - len(row)) for row in rows], dtype=torch.int64
    )


def inputs(rows: Sequence[Sequence[int]], fill: int) -> Batch:
    """{"input_ids", "attention_mask"}: (n, longest) tensors of lists of ids."""
    return {
        "input_ids": padded(rows, fill),
        "attention_mask": padded([[1] * len(row) for row in rows], 0),
    }


def labelled_batch(examples: Sequence[Example], fill: int) -> Batch:
    """Inputs and `labels` (n,)."""
    labels = torch.tensor([example["label"] for example in examples])
    return inputs([example["ids"] for example in examples], fill) | {"labels": labels}


def causal_batch(examples: Sequence[Example], fill: int) -> Batch:
    """Inputs, `labels` where there are any, and `targets` (n, T).

    What position t should say next, else IGNORE_INDEX.
    """
    batch = inputs([example["ids"] for example in examples], fill)
    targets = torch.full_like(batch["input_ids"], IGNORE_INDEX)
    for row, example in zip(targets, examples):
        ids, taught = example["ids"], example["taught"]
        row[len(ids) - 1 - taught : len(ids) - 1] = torch.tensor(ids[len(ids) - taught :])
    if "label" in examples[0]:
        batch["labels"] = torch.tensor([example["label"] for example in examples])
    return batch | {"targets": targets}


def answer_choice_batch(
    examples: Sequence[Example], answers: Sequence[Sequence[int]], fill: int
) -> Batch:
    """causal_batch of each post with each of K answers (lists of ids) in the place of its own:
    tensors (n, K, T).

    `labels` are (n,).
    """
    stems = [example["ids"][: -example["taught"]] for example in examples]
    rows = [{"ids": stem + answer, "taught": len(answer)} for stem in stems for answer in answers]
    batch = {
        name: part.unflatten(0, (len(stems), -1)) for name, part in causal_batch(rows, fill).items()
    }
    return batch | {"labels": torch.tensor([example["label"] for example in examples])}


class MaskingCollator:
    """Batches for masked-language training: 15 % of a post's tokens are targets, another draw each
    epoch.

    Of the targets 80 % are hidden behind [MASK], 10 % swapped for a random token, 10 % left (Devlin
    et al. 2019, section 3.1). Each post has at least one target. The draw depends on (seed, epoch,
    post) alone, so neither the batch nor a resume changes it.
    """

    def __init__(self, tokenizer: "PreTrainedTokenizerBase", share: float, seed: int) -> None:
        self.mark, self.fill, self.size = (
            tokenizer.mask_token_id,
            tokenizer.pad_token_id,
            len(tokenizer),
        )
        self.share, self.seed, self.epoch = share, seed, 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __call__(self, examples: Sequence[Example]) -> Batch:
        rows, targets = [], []
        for example in examples:
            random = np.random.default_rng([self.seed, self.epoch, example["post"]])
            ids, places = np.array(example["ids"]), example["places"]
            chosen = random.permutation(places)[: max(1, round(self.share * len(places)))]
            target = np.full(len(ids), IGNORE_INDEX)
            target[chosen] = ids[chosen]
            draw = random.random(len(chosen))
            ids[chosen[draw < 0.8]] = self.mark
            swapped = chosen[(draw >= 0.8) & (draw < 0.9)]
            ids[swapped] = random.integers(self.size, size=len(swapped))
            rows.append(ids.tolist())
            targets.append(target.tolist())
        return inputs(rows, self.fill) | {"targets": padded(targets, IGNORE_INDEX)}
