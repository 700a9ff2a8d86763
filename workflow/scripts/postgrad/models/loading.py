"""Loading of models and tokenizers from their folders: safetensors only, no remote code."""

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
from postgrad.records.frozen_parts import EMBEDDINGS, layer_range

AUTO_CLASSES = {
    "encoder": AutoModelForSequenceClassification,
    "causal": AutoModelForCausalLM,
    "mlm": AutoModelForMaskedLM,
    "plain": AutoModel,
}
SAFE = {"trust_remote_code": False, "local_files_only": True}


def set_threads(count: int) -> None:
    """Let PyTorch use `count` threads within an operation, and one between operations.

    Another count changes the last digits of results.
    """
    torch.set_num_threads(count)
    if torch.get_num_interop_threads() != 1:
        torch.set_num_interop_threads(1)


def load_tokenizer(folder: Path | str) -> PreTrainedTokenizerBase:
    """Return the tokenizer of a model folder.

    Without a padding token its end token is used for padding.
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
    """Return the model of a folder, in float32.

    Parameters
    ----------
    folder
        The model folder.
    form
        "encoder" (with a head for labels), "causal", "mlm" (with a head for masked tokens), or
        "plain" (the body alone).
    attention
        "eager" or "sdpa".
    dropout
        Replaces every dropout of the config. Default: the config's own values.
    labels
        The names of the labels of a head that is to be trained. Default: the head of the folder.
    s
        With `labels`, the scale of a cosine head. Default: a linear head.
    pooling
        With `labels`, what the head reads; see `PoolingHead`. Default: what the encoder's own head
        reads.
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
            elif hasattr(config, name):  # of the base's head
                delattr(config, name)
    if dropout is not None:
        for name, value in config.to_dict().items():
            if ("dropout" in name or name.endswith("_pdrop")) and isinstance(value, float):
                setattr(config, name, dropout)
    model_class = AUTO_CLASSES[form]
    if form == "encoder" and getattr(config, "head_pooling", None):
        model_class = pooled_encoder_class(MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING[type(config)])
    model = model_class.from_pretrained(
        folder,
        config=config,
        attn_implementation=attention,
        dtype=torch.float32,
        use_safetensors=True,
        ignore_mismatched_sizes=bool(labels),
        **SAFE,
    )
    return install_cosine_layer(model) if form == "encoder" else model


def freeze_parameters(model: PreTrainedModel, names: Iterable[str]) -> None:
    """Exclude the named parts of a model from training, in place.

    Parameters
    ----------
    model
        The model.
    names
        `embeddings`, or ranges of layers such as `layers 0-5`, which count from 0 and include both
        ends.

    Raises
    ------
    ValueError
        If a name is another one, or if the model does not have all layers of a range.
    """
    for name in names:
        layers = layer_range(name)
        if layers:
            for layer in _layers_in_range(model, *layers):
                layer.requires_grad_(False)
        elif name == EMBEDDINGS:
            part = getattr(model.base_model, "embeddings", None) or model.get_input_embeddings()
            part.requires_grad_(False)
        else:
            raise ValueError(
                f"frozen: {name} is not a part that can be frozen; write {EMBEDDINGS} or layers 0-5"
            )


def _layers_in_range(model: PreTrainedModel, first: int, last: int) -> list[torch.nn.Module]:
    """Return the layers of a model from `first` to `last`.

    Raise `ValueError` if the model does not have all of them. The layers are the outermost list of
    modules that has as many items as the config says: `encoder.layer` of BERT, `layers` of Qwen2.
    """
    count = model.config.num_hidden_layers
    stack = next(
        (
            part
            for part in model.base_model.modules()
            if isinstance(part, torch.nn.ModuleList) and len(part) == count
        ),
        None,
    )
    if stack is None:
        raise ValueError(
            f"frozen: layers {first}-{last} cannot be found in a {type(model).__name__}; leave "
            "them out"
        )
    if not first <= last < count:
        raise ValueError(
            f"frozen: layers {first}-{last} are not all among the model's {count} layers; write "
            f"layers 0-{count - 1} or a part of it"
        )
    return list(stack[first : last + 1])
