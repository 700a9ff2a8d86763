"""Heads of encoders: what is taken from the hidden states, and the layer that turns it into K
logits.

All of a head stands in config.json (`head_pooling`, `cosine_s`) and in the weights: no code comes
with a model.
"""

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence
from transformers.modeling_outputs import SequenceClassifierOutput

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel
    from transformers import PreTrainedModel as Encoder
else:
    Encoder = object

POOLINGS = ("mean", "last2+pooler", "last3", "last3+pooler", "bigru-pooler", "bigru-tokens")
DEFAULT_HEAD = {
    "head": "linear",
    "pooling": "pooler",
}  # the head that transformers gives an encoder, where a spec is silent


class PoolingHead(torch.nn.Module):
    """A head without dropout: K logits from what `head_pooling` takes from the hidden states (Bai &
    Zhou 2020).

    H: the encoder's width. h_k (H): the first token in the k-th last layer; in an encoder of two
    layers h_3 is its embedding. P (H): the pooler's output. mean: of the last layer's tokens (H).
    last2+pooler: P, h_1, h_2 (3 H). last3: h_1, h_2, h_3 (3 H). last3+pooler: P and these (4 H).
    bigru-tokens: the last states of a GRU over the last layer's tokens in either direction, each of
    2/3 H units, 512 where H is 768 as in the paper (4/3 H). bigru-pooler: of a GRU over P alone, a
    sequence of length 1, as in the published code (4/3 H). ValueError where the encoder has no
    pooler, or too few layers.
    """

    def __init__(self, config: "PretrainedConfig", pooler: bool) -> None:
        super().__init__()
        name, width = config.head_pooling, config.hidden_size
        self.pooler, self.last = (
            name.endswith("pooler"),
            int(name[4]) if name.startswith("last") else 0,
        )
        if self.pooler and not pooler:
            raise ValueError(
                f"pooling {name} needs an encoder with a pooler, as BERT has one; write mean or last3"
            )
        if self.last > config.num_hidden_layers + 1:
            raise ValueError(
                f"pooling {name} needs more layers than {config.num_hidden_layers}; write mean"
            )
        self.gru, units = None, round(width * 2 / 3)
        if name.startswith("bigru"):
            self.gru = torch.nn.GRU(width, units, batch_first=True, bidirectional=True)
        read = 2 * units if self.gru else width * max(1, self.pooler + self.last)
        self.out = torch.nn.Linear(read, config.num_labels)

    def features(
        self, states: Sequence[torch.Tensor], pooled: torch.Tensor, mask: torch.Tensor
    ) -> torch.Tensor:
        """The (n, D) features of n posts.

        states: layers + 1 tensors (n, T, H). pooled: (n, H), None where it is not read. mask: (n,
        T), 0 on the right.
        """
        if self.gru:
            with torch.autocast(mask.device.type, enabled=False):
                row: torch.Tensor | PackedSequence
                if self.pooler:
                    row = pooled[:, None].float()
                else:
                    lengths = mask.sum(1).cpu()
                    row = pack_padded_sequence(
                        states[-1].float(), lengths, batch_first=True, enforce_sorted=False
                    )
                return self.gru(row)[1].transpose(0, 1).flatten(1)
        if self.last:
            first = [states[-k][:, 0] for k in range(1, self.last + 1)]
            return torch.cat([pooled, *first] if self.pooler else first, dim=1)
        weights = mask[:, :, None].to(states[-1].dtype)
        return (states[-1] * weights).sum(1) / weights.sum(1)

    def forward(
        self, states: Sequence[torch.Tensor], pooled: torch.Tensor, mask: torch.Tensor
    ) -> torch.Tensor:
        return self.out(self.features(states, pooled, mask))


class PooledEncoder(Encoder):
    """The part of a class that `pooled_encoder_class` makes: a PoolingHead in the place of the head that
    transformers has.

    A pooler that is not read falls away: it would learn nothing, and ranks would wait for its
    gradients.
    """

    def __init__(self, config: "PretrainedConfig") -> None:
        super().__init__(config)
        for name in [name for name, _ in self.named_children() if name != self.base_model_prefix]:
            delattr(self, name)
        self.head = PoolingHead(config, getattr(self.base_model, "pooler", None) is not None)
        if not self.head.pooler:
            self.base_model.pooler = None

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, **_: Any
    ) -> SequenceClassifierOutput:
        output = self.base_model(
            input_ids, attention_mask=attention_mask, output_hidden_states=True
        )
        return SequenceClassifierOutput(
            logits=self.head(output.hidden_states, output.get("pooler_output"), attention_mask)
        )


@cache
def pooled_encoder_class(plain: type) -> type:
    """Return a class like `plain`, one of transformers, whose head is the PoolingHead that the config
    names.

    config.json names it under `architectures`, for example PooledBertForSequenceClassification: the
    head can be rebuilt by `load_model` alone, which reads `head_pooling`. Older folders name the
    class of transformers there.
    """
    return type(f"Pooled{plain.__name__}", (PooledEncoder, plain), {"__module__": __name__})


class CosineLayer(torch.nn.Linear):
    """The last layer of a head: s times the cosines of its input and each class's weights, no bias
    (Cao et al. 2019).

    Computed in float32: bf16 would round 30 times a cosine to steps of 0.1.
    """

    def __init__(self, linear: torch.nn.Linear, s: float) -> None:
        super().__init__(linear.in_features, linear.out_features, bias=False, device="meta")
        self.weight, self.s = linear.weight, s

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        with torch.autocast(inputs.device.type, enabled=False):
            return self.s * F.linear(
                F.normalize(inputs.float(), dim=-1), F.normalize(self.weight.float(), dim=-1)
            )


def install_cosine_layer(model: "PreTrainedModel") -> "PreTrainedModel":
    """The encoder, a cosine layer in the place of its head's last where its config says so:
    `cosine_s`, the scale.

    So config.json and safetensors hold all of it; what transformers loads into the bias falls away.
    """
    if s := getattr(model.config, "cosine_s", None):
        body = f"{model.base_model_prefix}."
        layers = [
            name for name, layer in model.named_modules() if isinstance(layer, torch.nn.Linear)
        ]
        last = [name for name in layers if not name.startswith(body)][-1]
        parent, _, name = last.rpartition(".")
        setattr(model.get_submodule(parent), name, CosineLayer(model.get_submodule(last), s))
    return model


def initialize_head(model: "PreTrainedModel", seed: int) -> None:
    """Draw an encoder's head afresh from `seed`: weights normal(0, initializer_range), biases zero.

    A GRU's are uniform within 1 / sqrt(units), biases included, as PyTorch draws them.
    """
    random = torch.Generator().manual_seed(seed)
    for name, part in model.named_children():
        if name != model.base_model_prefix:
            for layer in part.modules():
                if isinstance(layer, torch.nn.Linear):
                    layer.weight.data.normal_(0.0, model.config.initializer_range, generator=random)
                    if layer.bias is not None:
                        layer.bias.data.zero_()
                elif isinstance(layer, torch.nn.GRU):
                    for weights in layer.parameters():
                        bound = layer.hidden_size**-0.5
                        weights.data.uniform_(-bound, bound, generator=random)
