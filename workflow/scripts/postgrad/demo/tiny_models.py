"""Make tiny random models from a seed: a Qwen2 (causal) or a BERT (encoder), with a tokenizer.

Only numpy and `tokenizers` are used, because the import of torch and transformers would take 4 s
for half a second of work. The layouts are those of Qwen2ForCausalLM and BertModel in transformers.
A test loads both, and checks that no weight is missing and none is left over.
"""

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Shapes = dict[str, tuple[int, ...]]

END, PAD = "<|endoftext|>", "<|pad|>"
SPECIAL_TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


class Sizes(TypedDict):
    """The sizes of a tiny model, and the seed of its weights."""

    hidden: int  # a multiple of twice the number of heads
    layers: int
    heads: int
    vocabulary: int  # the largest number of tokens
    length: int  # the largest number of tokens of a text
    seed: int


def make_tiny_model(folder: Path | str, kind: str, sizes: Sizes, texts: Iterable[str]) -> None:
    """Write config.json, model.safetensors and the tokenizer of a tiny model into a folder.

    The matrices are normally distributed with the standard deviation 1 / sqrt(hidden). The usual
    0.02 is meant for wide models. With it, a narrow one has learned nothing from 400 posts after 5
    epochs.

    Parameters
    ----------
    folder
        An existing folder.
    kind
        causal or encoder.
    sizes
        The sizes of the model, and its seed.
    texts
        The texts on which the tokenizer is trained.

    Raises
    ------
    ValueError
        If the kind is another one, or `hidden` is not a multiple of twice `heads`.
    """
    from safetensors.numpy import save_file

    if kind not in ("causal", "encoder"):
        raise ValueError(f"a tiny model cannot have the kind {kind}; write kind causal or encoder.")
    if sizes["hidden"] % (2 * sizes["heads"]):
        raise ValueError(
            f"make: hidden is {sizes['hidden']}, but must be a multiple of twice heads, which is "
            f"{2 * sizes['heads']}; change hidden or heads."
        )
    folder = Path(folder)
    train_tokenizer = train_bpe_tokenizer if kind == "causal" else train_wordpiece_tokenizer
    tokenizer, tokenizer_config = train_tokenizer(texts, sizes["vocabulary"])
    tokenizer.save(str(folder / "tokenizer.json"))
    config, shapes = (qwen2_layout if kind == "causal" else bert_layout)(sizes, tokenizer)
    random, deviation = np.random.default_rng(sizes["seed"]), sizes["hidden"] ** -0.5
    weights = {}
    for name, shape in shapes.items():
        if name.endswith("bias"):
            weights[name] = np.zeros(shape, np.float32)
        elif len(shape) == 1:  # the scale of a norm
            weights[name] = np.ones(shape, np.float32)
        else:
            weights[name] = (deviation * random.standard_normal(shape)).astype(np.float32)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    tokenizer_config |= {"model_max_length": sizes["length"], "clean_up_tokenization_spaces": False}
    for name, value in (("config.json", config), ("tokenizer_config.json", tokenizer_config)):
        (folder / name).write_text(
            json.dumps(value, indent=1, sort_keys=True) + "\n", encoding="utf-8"
        )


def train_bpe_tokenizer(
    texts: Iterable[str], vocabulary: int
) -> tuple["Tokenizer", dict[str, Any]]:
    """Return a byte-level BPE tokenizer and its tokenizer_config.json.

    It adds no special tokens to a text.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[END, PAD],
        initial_alphabet=alphabet,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer, {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": END,
        "pad_token": PAD,
    }


def train_wordpiece_tokenizer(
    texts: Iterable[str], vocabulary: int
) -> tuple["Tokenizer", dict[str, Any]]:
    """Return a lower-case WordPiece tokenizer and its tokenizer_config.json.

    It puts [CLS] before a text and [SEP] behind it. Its pieces are all characters and the most
    frequent words. The trainer of the library is not used, because it numbers the pieces in the
    order of their hashes, which differs from process to process.
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    normal, split = normalizers.BertNormalizer(lowercase=True), pre_tokenizers.BertPreTokenizer()
    words = Counter(
        w for text in texts for w, _ in split.pre_tokenize_str(normal.normalize_str(text))
    )
    letters = sorted({letter for word in words for letter in word})
    common = sorted(
        (word for word in words if len(word) > 1), key=lambda word: (-words[word], word)
    )
    pieces = [*SPECIAL_TOKENS, *letters, *(f"##{letter}" for letter in letters), *common][
        :vocabulary
    ]
    tokenizer = Tokenizer(
        models.WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token="[UNK]")
    )
    tokenizer.normalizer, tokenizer.pre_tokenizer, tokenizer.decoder = (
        normal,
        split,
        decoders.WordPiece(),
    )
    tokenizer.add_special_tokens(SPECIAL_TOKENS)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B [SEP]",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    names = {f"{token.strip('[]').lower()}_token": token for token in SPECIAL_TOKENS}
    return tokenizer, {"tokenizer_class": "PreTrainedTokenizerFast"} | names


def qwen2_layout(sizes: Sizes, tokenizer: "Tokenizer") -> tuple[dict[str, Any], Shapes]:
    """Return config.json and the shape of each weight of a Qwen2ForCausalLM.

    The output layer uses the weights of the input embeddings.
    """
    h, i, v = sizes["hidden"], 4 * sizes["hidden"], tokenizer.get_vocab_size()
    end = tokenizer.token_to_id(END)
    config = {
        "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "vocab_size": v,
        "hidden_size": h, "intermediate_size": i, "num_hidden_layers": sizes["layers"],
        "num_attention_heads": sizes["heads"], "num_key_value_heads": sizes["heads"],
        "max_position_embeddings": sizes["length"], "hidden_act": "silu",
        "tie_word_embeddings": True, "bos_token_id": None, "eos_token_id": end,
        "pad_token_id": tokenizer.token_to_id(PAD), "use_sliding_window": False,
    }  # fmt: skip
    shapes: Shapes = {"model.embed_tokens.weight": (v, h), "model.norm.weight": (h,)}
    for layer in range(sizes["layers"]):
        at = f"model.layers.{layer}"
        for part in "qkv":
            shapes |= {
                f"{at}.self_attn.{part}_proj.weight": (h, h),
                f"{at}.self_attn.{part}_proj.bias": (h,),
            }
        shapes |= {f"{at}.self_attn.o_proj.weight": (h, h), f"{at}.mlp.down_proj.weight": (h, i)}
        shapes |= {f"{at}.mlp.gate_proj.weight": (i, h), f"{at}.mlp.up_proj.weight": (i, h)}
        shapes |= {
            f"{at}.input_layernorm.weight": (h,),
            f"{at}.post_attention_layernorm.weight": (h,),
        }
    return config, shapes


def bert_layout(sizes: Sizes, tokenizer: "Tokenizer") -> tuple[dict[str, Any], Shapes]:
    """Return config.json and the shape of each weight of a BertModel with a pooler."""
    h, i, v = sizes["hidden"], 4 * sizes["hidden"], tokenizer.get_vocab_size()
    config = {
        "architectures": ["BertModel"], "model_type": "bert", "vocab_size": v, "hidden_size": h,
        "intermediate_size": i, "num_hidden_layers": sizes["layers"],
        "num_attention_heads": sizes["heads"],
        "max_position_embeddings": sizes["length"], "type_vocab_size": 1, "pad_token_id": 0,
        "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1,
    }  # fmt: skip

    def linear(name: str, rows: int, columns: int) -> Shapes:
        return {f"{name}.weight": (rows, columns), f"{name}.bias": (rows,)}

    def norm(name: str) -> Shapes:
        return {f"{name}.weight": (h,), f"{name}.bias": (h,)}

    shapes: Shapes = {f"embeddings.{name}_embeddings.weight": (rows, h) for name, rows in
              (("word", v), ("position", sizes["length"]), ("token_type", 1))}  # fmt: skip
    shapes |= norm("embeddings.LayerNorm") | linear("pooler.dense", h, h)
    for layer in range(sizes["layers"]):
        at = f"encoder.layer.{layer}"
        for part in ("query", "key", "value"):
            shapes |= linear(f"{at}.attention.self.{part}", h, h)
        shapes |= linear(f"{at}.attention.output.dense", h, h) | norm(
            f"{at}.attention.output.LayerNorm"
        )
        shapes |= linear(f"{at}.intermediate.dense", i, h) | linear(f"{at}.output.dense", h, i)
        shapes |= norm(f"{at}.output.LayerNorm")
    return config, shapes
