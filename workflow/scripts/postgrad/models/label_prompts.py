"""The prompt around a post that a causal model reads, and the answers of its labels."""

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

MIN_POST_TOKENS = 8  # a prompt that leaves less room for a post is refused


class LabelPrompt:
    """A prompt template as token ids, with {text} and, if the task has one, {keyword}.

    The tokenizer's chat template is used if it has one. Only the post is cut so that the prompt and
    the longest answer fit into max_length. Marks such as <|im_end|> inside a post are read as plain
    text, so that a post cannot end the turn.

    Parameters
    ----------
    tokenizer
        The tokenizer of the causal model.
    template
        The prompt, with {text} once.
    words
        The answer of each label, in class order.
    max_length
        Most tokens of a prompt with its answer.

    Attributes
    ----------
    prefix : list of int
        The ids that all posts share, before the first field.
    answers : list of list of int
        The ids of each label's answer: the word (or digit) and the end token.

    Raises
    ------
    ValueError
        If the template has no {text} or ends with a field, the tokenizer has no end token, two
        labels have the same answer, or too few tokens are left for a post.
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
                "the tokenizer has no end token: give a base whose tokenizer_config.json names "
                "eos_token"
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
        # A space belongs to the word after it: byte-level tokens include their leading space.
        self.spaced = set(re.findall(r" (\{(?:keyword|text)\})", template))
        parts = re.split(r" ?(\{keyword\}|\{text\})", template)
        ends_line = parts[-1].endswith("\n")
        parts[-1] = parts[-1].rstrip(" ")
        if not parts[-1]:
            raise ValueError(
                "prompt: write a word after the last field, such as Answer:, "
                "so that the answer follows it"
            )
        self.prefix = start + self.encode(parts[0])
        rest = [
            part if part in ("{keyword}", "{text}") else self.encode(part) for part in parts[1:]
        ]
        self.parts: list[str | list[int]] = [self.prefix, *rest]
        end = [tokenizer.eos_token_id]
        self.answers = [self.encode(word if ends_line else f" {word}") + end for word in words]
        if len({tuple(answer) for answer in self.answers}) < len(words):
            raise ValueError(
                "two classes have the same answer: give each label a word and a digit of its own"
            )
        fixed = sum(len(part) for part in self.parts if isinstance(part, list))
        self.room = max_length - fixed - max(map(len, self.answers))
        if self.room < MIN_POST_TOKENS:
            raise ValueError(
                f"max_length {max_length} leaves {self.room} tokens for a post after prompt and "
                f"answer: raise it by {MIN_POST_TOKENS - self.room} or shorten the prompt"
            )

    def encode(self, text: str) -> list[int]:
        """Return the ids of a part of the template."""
        return self.tokenizer(text, add_special_tokens=False)["input_ids"] if text else []

    def encode_posts(self, frame: pd.DataFrame) -> list[list[int]]:
        """Return the ids of each post's prompt without the shared prefix.

        Parameters
        ----------
        frame
            n posts with text and keyword. A keyword that is null is read as empty.
        """
        columns = {"{text}": self.encode_field(frame["text"], "{text}")}
        keywords = frame["keyword"].fillna("").astype(str)
        columns["{keyword}"] = (
            self.encode_field(keywords, "{keyword}")
            if "{keyword}" in self.parts
            else [[]] * len(frame)
        )
        rows = []
        for text, keyword in zip(columns["{text}"], columns["{keyword}"]):
            keyword = keyword[: self.room // 2]
            filled = {"{text}": text[: self.room - len(keyword)], "{keyword}": keyword}
            row: list[int] = []
            for part in self.parts[1:]:
                row += filled[part] if isinstance(part, str) else part
            rows.append(row)
        return rows

    def encode_field(self, texts: Iterable[str], field: str) -> list[list[int]]:
        """Return the ids of the texts that fill a field, with the space before it."""
        space = " " if field in self.spaced else ""
        spaced = [space + text for text in texts]
        options = {"add_special_tokens": False, "split_special_tokens": True}
        return self.tokenizer(spaced, **options)["input_ids"] if spaced else []
