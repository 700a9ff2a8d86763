"""Heads of encoders: what is read from the hidden states, and the layer that gives K logits.

A head is described completely by config.json (`head_pooling`, `cosine_s`) and the weights: no code
comes with a model.
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
# The head that transformers gives an encoder; the default of a spec.
DEFAULT_HEAD = {"head": "linear", "pooling": "pooler"}


class PoolingHead(torch.nn.Module):
    r"""A head without dropout that reads what `head_pooling` names (Bai & Zhou 2020).

    Let H be the encoder's width, :math:`h_k` (H) the hidden state of the first token in the k-th
    last layer, and P (H) the pooler's output. In an encoder of two layers :math:`h_3` is the
    embedding. The poolings are:

    - mean: the mean of the last layer's tokens (H features).
    - last2+pooler: P, h_1 and h_2 (3 H).
    - last3: h_1, h_2 and h_3 (3 H).
    - last3+pooler: P, h_1, h_2 and h_3 (4 H).
    - bigru-tokens: the last states of a GRU over the last layer's tokens in both directions, each
      of 2/3 H units, which is 512 for the paper's H of 768 (4/3 H).
    - bigru-pooler: the same of a GRU over P alone, a sequence of length 1, as in the published code
      (4/3 H).

    Parameters
    ----------
    config
        The encoder's configuration, with `head_pooling`.
    pooler
        Whether the encoder has a pooler.

    Raises
    ------
    ValueError
        If the pooling needs a pooler and the encoder has none, or the encoder has too few layers.
    """

    def __init__(self, config: "PretrainedConfig", pooler: bool) -> None:
        super().__init__()
        name, width = config.head_pooling, config.hidden_size
        self.pooler = name.endswith("pooler")
        self.last = int(name[4]) if name.startswith("last") else 0
        if self.pooler and not pooler:
            raise ValueError(
                f"pooling {name} needs an encoder with a pooler, such as BERT; write mean or last3"
            )
        if self.last > config.num_hidden_layers + 1:
            raise ValueError(
                f"pooling {name} needs more layers than {config.num_hidden_layers}; write mean"
            )
        self.gru, units = None, round(width * 2 / 3)
        if name.startswith("bigru"):
            self.gru = torch.nn.GRU(width, units, batch_first=True, bidirectional=True)
        n_features = 2 * units if self.gru else width * max(1, self.pooler + self.last)
        self.out = torch.nn.Linear(n_features, config.num_labels)

    def features(
        self, states: Sequence[torch.Tensor], pooled: torch.Tensor, mask: torch.Tensor
    ) -> torch.Tensor:
        """Return the (n, D) features of n posts.

        Parameters
        ----------
        states
            The (n, T, H) hidden states of the embedding and of each layer.
        pooled
            (n, H) output of the pooler, or None if the pooling does not read it.
        mask
            (n, T) attention mask, with padding on the right.
        """
        if self.gru:
            with torch.autocast(mask.device.type, enabled=False):
                sequence: torch.Tensor | PackedSequence
                if self.pooler:
                    sequence = pooled[:, None].float()
                else:
                    lengths = mask.sum(1).cpu()
                    sequence = pack_padded_sequence(
                        states[-1].float(), lengths, batch_first=True, enforce_sorted=False
                    )
                return self.gru(sequence)[1].transpose(0, 1).flatten(1)
        if self.last:
            first = [states[-k][:, 0] for k in range(1, self.last + 1)]
            return torch.cat([pooled, *first] if self.pooler else first, dim=1)
        weights = mask[:, :, None].to(states[-1].dtype)
        return (states[-1] * weights).sum(1) / weights.sum(1)

    def forward(
        self, states: Sequence[torch.Tensor], pooled: torch.Tensor, mask: torch.Tensor
    ) -> torch.Tensor:
        """Return the (n, K) logits; the parameters are those of `features`."""
        return self.out(self.features(states, pooled, mask))


class PooledEncoder(Encoder):
    """The base class of `pooled_encoder_class`: a PoolingHead replaces the head of transformers.

    A pooler that is not read is removed: it would learn nothing, and ranks would wait for its
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
        """Return the output of transformers with the (n, K) logits of (n, T) token ids."""
        output = self.base_model(
            input_ids, attention_mask=attention_mask, output_hidden_states=True
        )
        return SequenceClassifierOutput(
            logits=self.head(output.hidden_states, output.get("pooler_output"), attention_mask)
        )


@cache
def pooled_encoder_class(plain: type) -> type:
    """Return a class like `plain`, one of transformers, with the PoolingHead that the config names.

    config.json names the class under `architectures`, for example
    PooledBertForSequenceClassification. Only `load_model`, which reads `head_pooling`, can rebuild
    the head. Older folders name the class of transformers there.
    """
    return type(f"Pooled{plain.__name__}", (PooledEncoder, plain), {"__module__": __name__})


class CosineLayer(torch.nn.Linear):
    """The last layer of a cosine head (Cao et al. 2019), without a bias.

    Its logits are s times the cosines of its input and the weights of each class. They are computed
    in float32, because bf16 would round 30 times a cosine to steps of 0.1.

    Parameters
    ----------
    linear
        The layer that is replaced, whose weights are kept.
    s
        The scale of the cosines.
    """

    def __init__(self, linear: torch.nn.Linear, s: float) -> None:
        super().__init__(linear.in_features, linear.out_features, bias=False, device="meta")
        self.weight, self.s = linear.weight, s

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return the (n, K) logits of (n, D) inputs."""
        with torch.autocast(inputs.device.type, enabled=False):
            return self.s * F.linear(
                F.normalize(inputs.float(), dim=-1), F.normalize(self.weight.float(), dim=-1)
            )


def install_cosine_layer(model: "PreTrainedModel") -> "PreTrainedModel":
    """Replace the last layer of an encoder's head by a cosine layer if the config has `cosine_s`.

    config.json and safetensors then describe the head completely; what transformers loads into the
    bias is dropped. The model is changed in place and returned.
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
    """Draw the weights of an encoder's head from `seed`, in place.

    Weights are normal with standard deviation `initializer_range`, and biases are zero. The weights
    and biases of a GRU are uniform within 1 / sqrt(units), as PyTorch draws them.
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
