"""Models and tokenizers in and out of their folders: safetensors only, no remote code."""

import torch
import torch.nn.functional as F
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
)

CLASSES = {"encoder": AutoModelForSequenceClassification, "causal": AutoModelForCausalLM,
           "mlm": AutoModelForMaskedLM, "plain": AutoModel}  # fmt: skip
SAFE = {"trust_remote_code": False, "local_files_only": True}


def set_threads(count):
    """Use `count` threads within an operation and one between them: other counts give other last digits."""
    torch.set_num_threads(count)
    if torch.get_num_interop_threads() != 1:
        torch.set_num_interop_threads(1)


def load_tokenizer(folder):
    """The tokenizer of a model folder; its end token pads where it has no padding token of its own."""
    tokenizer = AutoTokenizer.from_pretrained(folder, **SAFE)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


class Cosine(torch.nn.Linear):
    """The last layer of a head: s times the cosines of its input and each class's weights, no bias (Cao et al. 2019).

    Computed in float32: bf16 would round 30 times a cosine to steps of 0.1.
    """

    def __init__(self, linear, s):
        super().__init__(linear.in_features, linear.out_features, bias=False, device="meta")
        self.weight, self.s = linear.weight, s

    def forward(self, inputs):
        with torch.autocast(inputs.device.type, enabled=False):
            return self.s * F.linear(F.normalize(inputs.float(), dim=-1), F.normalize(self.weight.float(), dim=-1))


def with_head(model):
    """The encoder, a cosine layer in the place of its head's last where its config says so: `cosine_s`, the scale.

    So config.json and safetensors hold all of it; what transformers loads into the bias falls away.
    """
    if s := getattr(model.config, "cosine_s", None):
        body = f"{model.base_model_prefix}."
        layers = [name for name, layer in model.named_modules() if isinstance(layer, torch.nn.Linear)]
        last = [name for name in layers if not name.startswith(body)][-1]
        parent, _, name = last.rpartition(".")
        setattr(model.get_submodule(parent), name, Cosine(model.get_submodule(last), s))
    return model


def load_model(folder, form, attention="eager", dropout=None, labels=None, s=None):
    """A float32 model. form: encoder (with a head), causal, mlm, or plain (the body alone).

    attention: eager or sdpa. dropout: written over every dropout of the config unless None. labels: class
    names of a head that is to be trained, and s: the scale of its cosines, None for a linear head.
    """
    config = AutoConfig.from_pretrained(folder, **SAFE)
    if labels:
        config.id2label = dict(enumerate(labels))
        config.label2id = {name: code for code, name in enumerate(labels)}
        config.problem_type = "single_label_classification"
        if s is not None:
            config.cosine_s = s
        elif hasattr(config, "cosine_s"):  # the base's
            del config.cosine_s
    if dropout is not None:
        for name, value in config.to_dict().items():
            if ("dropout" in name or name.endswith("_pdrop")) and isinstance(value, float):
                setattr(config, name, dropout)
    model = CLASSES[form].from_pretrained(
        folder, config=config, attn_implementation=attention, dtype=torch.float32, use_safetensors=True,
        ignore_mismatched_sizes=bool(labels), **SAFE
    )  # fmt: skip
    return with_head(model) if form == "encoder" else model


def new_head(model, seed):
    """Draw an encoder's head afresh: weights normal(0, initializer_range) from `seed`, biases zero."""
    random = torch.Generator().manual_seed(seed)
    for name, part in model.named_children():
        if name != model.base_model_prefix:
            for layer in part.modules():
                if isinstance(layer, torch.nn.Linear):
                    layer.weight.data.normal_(0.0, model.config.initializer_range, generator=random)
                    if layer.bias is not None:
                        layer.bias.data.zero_()


def freeze(model, names):
    """Hold parts of a model still. `embeddings` is the only part that has a name here."""
    for name in names:
        if name != "embeddings":
            raise ValueError(f"frozen: {name} is not a part that can be frozen; write embeddings")
        part = getattr(model.base_model, "embeddings", None) or model.get_input_embeddings()
        part.requires_grad_(False)
