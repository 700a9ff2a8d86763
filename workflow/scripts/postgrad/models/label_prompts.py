"""The words around a post that a causal model reads, and the answers it may give."""

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

LEAST = 8  # tokens of a post that must fit, or the prompt is refused


class Prompt:
    """A prompt template with {text} and, where the task has one, {keyword}, as token ids.

    The tokenizer's chat template is used when it has one. The post alone is cut so that prompt and
    longest answer fit max_length. Marks such as <|im_end|> inside a post stay plain text: a post
    cannot end the turn.

    prefix: the ids that every post shares, before the first field. answers: one list of ids a
    class, the word (or digit) and the end token.
    """

    def __init__(
        self,
        tokenizer: "PreTrainedTokenizerBase",
        template: str,
        words: Sequence[str],
        max_length: int,
    ) -> None:
        if template.count("{text}") != 1:
            raise ValueError("prompt: write {text} exactly once, where the post goes")
        if tokenizer.eos_token_id is None:
            raise ValueError(
                "the tokenizer has no end token: give a base whose tokenizer_config.json names eos_token"
            )
        self.tokenizer, self.max_length = tokenizer, max_length
        if tokenizer.chat_template:
            turn = [{"role": "user", "content": template}]
            template = tokenizer.apply_chat_template(
                turn, tokenize=False, add_generation_prompt=True
            )
            start: list[int] = []  # the chat template writes its own first mark
        else:
            marks = tokenizer("")["input_ids"]
            start = marks[:1] if marks[:1] == [tokenizer.bos_token_id] else []
        # A space belongs to the word after it: byte-level tokens hold their leading space.
        self.spaced = set(re.findall(r" (\{(?:keyword|text)\})", template))
        parts = re.split(r" ?(\{keyword\}|\{text\})", template)
        ends_line = parts[-1].endswith("\n")
        parts[-1] = parts[-1].rstrip(" ")
        if not parts[-1]:
            raise ValueError(
                "prompt: write a word after the last field, such as Answer:, for the answer to follow"
            )
        self.prefix = start + self.ids(parts[0])
        rest = [part if part in ("{keyword}", "{text}") else self.ids(part) for part in parts[1:]]
        self.parts: list[str | list[int]] = [self.prefix, *rest]
        end = [tokenizer.eos_token_id]
        self.answers = [self.ids(word if ends_line else f" {word}") + end for word in words]
        if len({tuple(answer) for answer in self.answers}) < len(words):
            raise ValueError(
                "two classes have the same answer: give each label a word and a digit of its own"
            )
        fixed = sum(len(part) for part in self.parts if isinstance(part, list))
        self.room = max_length - fixed - max(map(len, self.answers))
        if self.room < LEAST:
            raise ValueError(
                f"max_length {max_length} leaves {self.room} tokens for a post beside prompt and answer: "
                f"raise it by {LEAST - self.room} or shorten the prompt"
            )

    def ids(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False)["input_ids"] if text else []

    def fields(self, frame: pd.DataFrame) -> list[list[int]]:
        """n lists of ids.

        Each post's prompt without the shared prefix. keyword is empty where it is null.
        """
        columns = {"{text}": self.column(frame["text"], "{text}")}
        words = frame["keyword"].fillna("").astype(str)
        columns["{keyword}"] = (
            self.column(words, "{keyword}") if "{keyword}" in self.parts else [[]] * len(frame)
        )
        rows = []
        for text, keyword in zip(columns["{text}"], columns["{keyword}"]):
            keyword = keyword[: self.room // 2]
            filled = {"{text}": text[: self.room - len(keyword)], "{keyword}": keyword}
            rows.append(
                [
                    i
                    for part in self.parts[1:]
                    for i in (filled[part] if isinstance(part, str) else part)
                ]
            )
        return rows

    def column(self, texts: Iterable[str], field: str) -> list[list[int]]:
        lead = " " if field in self.spaced else ""
        led = [lead + text for text in texts]
        options = {"add_special_tokens": False, "split_special_tokens": True}
        return self.tokenizer(led, **options)["input_ids"] if led else []
