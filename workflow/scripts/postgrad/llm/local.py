"""Greedy generation of text by a causal model in a folder: equal requests get equal answers."""

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


class LocalModel:
    """A causal model as a function of a request that returns its reply.

    The schema of a request is not read; the messages must describe it. Requests are answered one by
    one, because a token may differ if requests share a batch.

    Parameters
    ----------
    base
        `base`, its name, and folder, threads, attention and precision as `predict` reads them.
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
        # Of the folder's own generation config, such as a penalty for repetition, only the end
        # tokens are used.
        self.model.generation_config = transformers.GenerationConfig(
            do_sample=False, eos_token_id=self.ends, pad_token_id=self.tokenizer.pad_token_id
        )

    def __call__(self, request: Request) -> Reply:
        """Return the reply to a request; raise `ValueError` if its temperature is not 0.

        A request whose prompt is too long ends by prompt_too_long.
        """
        if request.temperature:
            raise ValueError(
                f"base {self.name}: a model in a folder answers greedily, but the temperature is "
                f"{request.temperature:g}: write 0, or name an endpoint"
            )
        ids = self.encode_messages(request.messages)
        longest = getattr(self.model.config, "max_position_embeddings", None)
        new = request.max_tokens or (longest or 0) - len(ids)
        if new < 1 or (longest and len(ids) + new > longest):
            return Reply("", "prompt_too_long", 0, 0)
        prompt = torch.tensor([ids], device=self.model.device)
        with (
            torch.inference_mode(),
            torch.autocast(self.model.device.type, torch.bfloat16, enabled=self.bf16),
        ):
            output = self.model.generate(
                prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=new
            )
        written = output[0, len(ids) :].tolist()
        finish = "stop" if written[-1] in self.ends else "length"
        return Reply(
            self.tokenizer.decode(written, skip_special_tokens=True), finish, len(ids), len(written)
        )

    def encode_messages(self, messages: Sequence[tuple[str, str]]) -> list[int]:
        """Return the ids of messages, in the tokenizer's chat template if it has one.

        Marks such as <|im_end|> inside a message are read as plain text, so that a post cannot end
        its turn. Raise `ValueError` if the template does not accept these roles.
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
                raise ValueError(
                    f"base {self.name}: its chat template does not accept the turns {roles}: "
                    "put the instruction into the user's turn"
                )
            ids: list[int] = []
        else:
            marks = self.tokenizer("")["input_ids"]
            ids = marks[:1] if marks[:1] == [self.tokenizer.bos_token_id] else []
        for (_, message), place in zip(messages, places):
            before, _, text = text.partition(place)
            ids += self.encode(before) + self.encode(message, split_special_tokens=True)
        return ids + self.encode(text)

    def encode(self, text: str, **options: Any) -> list[int]:
        """Return the ids of a text without special tokens. options: of the tokenizer."""
        return (
            self.tokenizer(text, add_special_tokens=False, **options)["input_ids"] if text else []
        )
