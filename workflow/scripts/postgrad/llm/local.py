"""Text that a causal model in a folder writes.

Greedily, so that the same request gets the same answer.
"""

import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import jinja2
import torch
import transformers

from postgrad.llm.answer_cache import Reply, Request
from postgrad.models.loading import load_model, load_tokenizer, set_threads

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()


class Local:
    """A causal model, called with a Request: its Reply. It knows no schema: the messages have to
    tell it.

    base: folder, threads, attention and precision as predict's; `base` is its name. Requests are
    answered one by one: in other company a token may differ.
    """

    def __init__(self, base: Mapping[str, Any]) -> None:
        set_threads(base["threads"])
        self.name, self.bf16 = base["base"], base["precision"] == "bf16"
        self.tokenizer = load_tokenizer(base["folder"])
        self.model = (
            load_model(base["folder"], "causal", base["attention"]).eval().requires_grad_(False)
        )
        self.model.to("cuda" if torch.cuda.is_available() else "cpu")
        ends = self.model.generation_config.eos_token_id
        ends = ends if isinstance(ends, list) else [ends, self.tokenizer.eos_token_id]
        self.ends = sorted({end for end in ends if end is not None})
        # Of a folder's own way to sample, such as a penalty for repetition, nothing is taken but
        # its end tokens.
        self.model.generation_config = transformers.GenerationConfig(
            do_sample=False, eos_token_id=self.ends, pad_token_id=self.tokenizer.pad_token_id
        )

    def __call__(self, request: Request) -> Reply:
        if request.temperature:
            raise ValueError(f"base {self.name}: a model in a folder answers greedily, and temperature "
                             f"{request.temperature:g} was asked for: write 0, or name an endpoint")  # fmt: skip
        ids = self.prompt(request.messages)
        longest = getattr(self.model.config, "max_position_embeddings", None)
        new = request.max_tokens or (longest or 0) - len(ids)
        if new < 1 or (longest and len(ids) + new > longest):
            return Reply("", "prompt_too_long", 0, 0)
        given = torch.tensor([ids], device=self.model.device)
        with (
            torch.inference_mode(),
            torch.autocast(self.model.device.type, torch.bfloat16, enabled=self.bf16),
        ):
            made = self.model.generate(
                given, attention_mask=torch.ones_like(given), max_new_tokens=new
            )
        written = made[0, len(ids) :].tolist()
        finish = "stop" if written[-1] in self.ends else "length"
        return Reply(
            self.tokenizer.decode(written, skip_special_tokens=True), finish, len(ids), len(written)
        )

    def prompt(self, messages: Sequence[tuple[str, str]]) -> list[int]:
        """The ids of the messages, in the chat template where the tokenizer has one.

        Marks such as <|im_end|> inside a message stay plain text: a post cannot end its turn.
        """
        places = [f"place{secrets.token_hex(8)}" for _ in messages]
        text = "\n\n".join([*places, ""])
        if self.tokenizer.chat_template:
            turns = [{"role": role, "content": place} for (role, _), place in zip(messages, places)]
            try:
                text = self.tokenizer.apply_chat_template(
                    turns, tokenize=False, add_generation_prompt=True
                )
            except jinja2.TemplateError:
                text = ""
            if re.findall("place[0-9a-f]{16}", text) != places:  # refused, or a turn left out
                roles = ", ".join(role for role, _ in messages)
                raise ValueError(f"base {self.name}: its chat template does not take the turns {roles}: put the "
                                 "instruction into the user's turn")  # fmt: skip
            ids: list[int] = []
        else:
            marks = self.tokenizer("")["input_ids"]
            ids = marks[:1] if marks[:1] == [self.tokenizer.bos_token_id] else []
        for (_, said), place in zip(messages, places):
            before, _, text = text.partition(place)
            ids += self.ids(before) + self.ids(said, split_special_tokens=True)
        return ids + self.ids(text)

    def ids(self, text: str, **options: Any) -> list[int]:
        return (
            self.tokenizer(text, add_special_tokens=False, **options)["input_ids"] if text else []
        )
