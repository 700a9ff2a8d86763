"""Tiny random models made here, from a seed: a Qwen2 (causal) or a BERT (encoder) and its
tokenizer.

Written with numpy and `tokenizers` alone: importing torch and transformers would take 4 s for half
a second of work. The layouts are those of transformers' Qwen2ForCausalLM and BertModel; a test
loads both and finds no weight missing and none left over.
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
MARKS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


class Sizes(TypedDict):
    """The sizes of a tiny model, and the seed of its weights."""

    hidden: int  # a multiple of twice the heads
    layers: int
    heads: int
    vocabulary: int  # at most
    length: int  # tokens
    seed: int


def make(folder: Path | str, kind: str, sizes: Sizes, texts: Iterable[str]) -> None:
    """Write config.json, model.safetensors and the tokenizer of a tiny model into `folder`.

    kind: causal or encoder. Matrices are normal with deviation 1 / sqrt(hidden): with the usual
    0.02, made for wide models, a narrow one has learned nothing from 400 posts after 5 epochs.
    texts: what the tokenizer is trained on.
    """
    from safetensors.numpy import save_file

    if kind not in ("causal", "encoder"):
        raise ValueError(
            f"a tiny model of kind {kind} cannot be made: write kind causal or encoder"
        )
    if sizes["hidden"] % (2 * sizes["heads"]):
        raise ValueError(
            f"make: hidden {sizes['hidden']} must be a multiple of twice heads {sizes['heads']}"
        )
    folder = Path(folder)
    tokenizer, marks = (byte_pairs if kind == "causal" else word_pieces)(texts, sizes["vocabulary"])
    tokenizer.save(str(folder / "tokenizer.json"))
    config, shapes = (qwen2 if kind == "causal" else bert)(sizes, tokenizer)
    random, spread = np.random.default_rng(sizes["seed"]), sizes["hidden"] ** -0.5
    weights = {}
    for name, shape in shapes.items():
        if name.endswith("bias"):
            weights[name] = np.zeros(shape, np.float32)
        elif len(shape) == 1:  # the scale of a norm
            weights[name] = np.ones(shape, np.float32)
        else:
            weights[name] = (spread * random.standard_normal(shape)).astype(np.float32)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    marks |= {"model_max_length": sizes["length"], "clean_up_tokenization_spaces": False}
    for name, value in (("config.json", config), ("tokenizer_config.json", marks)):
        (folder / name).write_text(
            json.dumps(value, indent=1, sort_keys=True) + "\n", encoding="utf-8"
        )


def byte_pairs(texts: Iterable[str], vocabulary: int) -> tuple["Tokenizer", dict[str, Any]]:
    """(byte-level BPE tokenizer without marks around a text, its tokenizer_config.json)."""
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


def word_pieces(texts: Iterable[str], vocabulary: int) -> tuple["Tokenizer", dict[str, Any]]:
    """(lower-case WordPiece tokenizer with [CLS] and [SEP], its tokenizer_config.json).

    The pieces are all characters and the most frequent words; the library's own trainer numbers its
    pieces by hash order, another in each process.
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
    pieces = [*MARKS, *letters, *(f"##{letter}" for letter in letters), *common][:vocabulary]
    tokenizer = Tokenizer(
        models.WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token="[UNK]")
    )
    tokenizer.normalizer, tokenizer.pre_tokenizer, tokenizer.decoder = (
        normal,
        split,
        decoders.WordPiece(),
    )
    tokenizer.add_special_tokens(MARKS)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B [SEP]",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    names = {f"{mark.strip('[]').lower()}_token": mark for mark in MARKS}
    return tokenizer, {"tokenizer_class": "PreTrainedTokenizerFast"} | names


def qwen2(sizes: Sizes, tokenizer: "Tokenizer") -> tuple[dict[str, Any], Shapes]:
    """Return config.json and the shape of each weight of a Qwen2ForCausalLM.

    Its output layer shares the weights of the input embeddings.
    """
    h, i, v = sizes["hidden"], 4 * sizes["hidden"], tokenizer.get_vocab_size()
    end = tokenizer.token_to_id(END)
    config = {
        "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "vocab_size": v, "hidden_size": h,
        "intermediate_size": i, "num_hidden_layers": sizes["layers"], "num_attention_heads": sizes["heads"],
        "num_key_value_heads": sizes["heads"], "max_position_embeddings": sizes["length"], "hidden_act": "silu",
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


def bert(sizes: Sizes, tokenizer: "Tokenizer") -> tuple[dict[str, Any], Shapes]:
    """(config.json, {name: shape}) of a BertModel with its pooler."""
    h, i, v = sizes["hidden"], 4 * sizes["hidden"], tokenizer.get_vocab_size()
    config = {
        "architectures": ["BertModel"], "model_type": "bert", "vocab_size": v, "hidden_size": h,
        "intermediate_size": i, "num_hidden_layers": sizes["layers"], "num_attention_heads": sizes["heads"],
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
