"""Models and tokenizers in and out of their folders: safetensors only, no remote code."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from transformers import (
    MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING,
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from postgrad.models.heads import DEFAULT_HEAD, install_cosine_layer, pooled_encoder_class

CLASSES = {"encoder": AutoModelForSequenceClassification, "causal": AutoModelForCausalLM,
           "mlm": AutoModelForMaskedLM, "plain": AutoModel}  # fmt: skip
SAFE = {"trust_remote_code": False, "local_files_only": True}


def set_threads(count: int) -> None:
    """Use `count` threads within an operation and one between them.

    Other counts give other last digits.
    """
    torch.set_num_threads(count)
    if torch.get_num_interop_threads() != 1:
        torch.set_num_interop_threads(1)


def load_tokenizer(folder: Path | str) -> PreTrainedTokenizerBase:
    """The tokenizer of a model folder.

    Its end token pads where it has no padding token of its own.
    """
    tokenizer = AutoTokenizer.from_pretrained(folder, **SAFE)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_model(
    folder: Path | str,
    form: str,
    attention: str = "eager",
    dropout: float | None = None,
    labels: Sequence[str] | None = None,
    s: float | None = None,
    pooling: str | None = None,
) -> PreTrainedModel:
    """A float32 model. form: encoder (with a head), causal, mlm, or plain (the body alone).

    attention: eager or sdpa. dropout: written over every dropout of the config unless None. labels:
    class names of a head that is to be trained, s: the scale of its cosines, None for a linear
    head, and pooling: what it reads, None for what the encoder's own does.
    """
    config = AutoConfig.from_pretrained(folder, **SAFE)
    if labels:
        config.id2label = dict(enumerate(labels))
        config.label2id = {name: code for code, name in enumerate(labels)}
        config.problem_type = "single_label_classification"
        for name, value in (
            ("cosine_s", s),
            ("head_pooling", None if pooling == DEFAULT_HEAD["pooling"] else pooling),
        ):
            if value is not None:
                setattr(config, name, value)
            elif hasattr(config, name):  # the base's
                delattr(config, name)
    if dropout is not None:
        for name, value in config.to_dict().items():
            if ("dropout" in name or name.endswith("_pdrop")) and isinstance(value, float):
                setattr(config, name, dropout)
    made = CLASSES[form]
    if form == "encoder" and getattr(config, "head_pooling", None):
        made = pooled_encoder_class(MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING[type(config)])
    model = made.from_pretrained(
        folder, config=config, attn_implementation=attention, dtype=torch.float32, use_safetensors=True,
        ignore_mismatched_sizes=bool(labels), **SAFE
    )  # fmt: skip
    return install_cosine_layer(model) if form == "encoder" else model


def freeze(model: PreTrainedModel, names: Iterable[str]) -> None:
    """Hold parts of a model still. `embeddings` is the only part that has a name here."""
    for name in names:
        if name != "embeddings":
            raise ValueError(f"frozen: {name} is not a part that can be frozen; write embeddings")
        part = getattr(model.base_model, "embeddings", None) or model.get_input_embeddings()
        part.requires_grad_(False)
