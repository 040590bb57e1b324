"""A program that turns a GGUF file of Qwen2 shape into a Hugging Face folder of bf16 weights.

Run by path as `python dequantise.py MODEL.gguf FOLDER` in the model server's environment, the
only one with gguf and torch; so it imports nothing of ksolve. Prints how far it is (0 to 1), a
number a line. What quantisation lost stays lost.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from gguf import GGUFReader, ReaderField, ReaderTensor, TokenType
from safetensors.torch import save_file
from tokenizers import AddedToken, Regex, Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.normalizers import NFC
from tokenizers.pre_tokenizers import ByteLevel, Sequence, Split

_SHARD_BYTES = 512 * 2**20
"""One shard of bf16 weights is in memory at a time."""

_CHUNK_VALUES = 2**20
"""Values dequantised in one step, which takes some 20 MB for its temporaries."""

# How the tokenizer called qwen2 cuts text into words before it merges within them.
_QWEN2_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

_LAYER_NAMES = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def main(model: Path, folder: Path) -> None:
    """Write config, tokenizer and weights of `model` into `folder`."""
    reader = GGUFReader(model)
    fields = dict(reader.fields)
    if fields["general.architecture"].contents() != "qwen2":
        raise SystemExit(f"{model} is not a Qwen2 model")
    _write_config(fields, folder)
    _write_tokenizer(fields, folder)
    _write_weights(_named(reader.tensors), folder)


def _write_config(fields: dict[str, ReaderField], folder: Path) -> None:
    def value(name: str) -> Any:
        return fields[name].contents()

    bos, eos, pad = (value(f"tokenizer.ggml.{name}_token_id") for name in ("bos", "eos", "padding"))
    config = {
        "architectures": ["Qwen2ForCausalLM"],
        "model_type": "qwen2",
        # Without it the tokenizer is taken for one that an old version wrote wrongly.
        "transformers_version": version("transformers"),
        "torch_dtype": "bfloat16",
        "vocab_size": len(value("tokenizer.ggml.tokens")),
        "hidden_size": value("qwen2.embedding_length"),
        "intermediate_size": value("qwen2.feed_forward_length"),
        "num_hidden_layers": value("qwen2.block_count"),
        "num_attention_heads": value("qwen2.attention.head_count"),
        "num_key_value_heads": value("qwen2.attention.head_count_kv"),
        "max_position_embeddings": value("qwen2.context_length"),
        # Stored as float32: back to the short decimal that it was.
        "rms_norm_eps": float(f"{value('qwen2.attention.layer_norm_rms_epsilon'):.6g}"),
        "rope_theta": value("qwen2.rope.freq_base"),
        "hidden_act": "silu",
        "tie_word_embeddings": True,
        "bos_token_id": bos,
        "eos_token_id": eos,
    }
    generation = {"bos_token_id": bos, "eos_token_id": [eos, pad], "pad_token_id": pad}
    _write_json(folder / "config.json", config)
    _write_json(folder / "generation_config.json", generation)


def _write_tokenizer(fields: dict[str, ReaderField], folder: Path) -> None:
    tokens: list[str] = fields["tokenizer.ggml.tokens"].contents()
    kinds: list[int] = fields["tokenizer.ggml.token_type"].contents()
    merges: list[str] = fields["tokenizer.ggml.merges"].contents()
    vocabulary = {
        token: index
        for index, (token, kind) in enumerate(zip(tokens, kinds, strict=True))
        # These only pad the vocabulary to the size of the embedding.
        if kind != TokenType.UNUSED
    }
    pairs = [(left, right) for left, right in (merge.split(" ") for merge in merges)]
    tokenizer = Tokenizer(BPE(vocab=vocabulary, merges=pairs))
    tokenizer.normalizer = NFC()
    tokenizer.pre_tokenizer = Sequence(
        [
            Split(Regex(_QWEN2_WORDS), behavior="isolated"),
            ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = ByteLevelDecoder()
    special = {TokenType.CONTROL: True, TokenType.USER_DEFINED: False}
    tokenizer.add_tokens(
        [
            AddedToken(token, special=special[kinds[index]], normalized=False)
            for token, index in vocabulary.items()
            if kinds[index] in special
        ]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "Qwen2Tokenizer",
        "eos_token": tokens[fields["tokenizer.ggml.eos_token_id"].contents()],
        "pad_token": tokens[fields["tokenizer.ggml.padding_token_id"].contents()],
        "model_max_length": fields["qwen2.context_length"].contents(),
        "chat_template": fields["tokenizer.chat_template"].contents(),
    }
    _write_json(folder / "tokenizer_config.json", config)


def _write_json(file: Path, value: dict[str, Any]) -> None:
    file.write_text(json.dumps(value, indent=2) + "\n")


def _named(tensors: list[ReaderTensor]) -> dict[str, ReaderTensor]:
    """Return the tensors under their Hugging Face names."""
    found = {tensor.name: tensor for tensor in tensors}
    # Input and output embedding are the same weights; quantised files keep two of one.
    embeddings = [
        found.pop(name) for name in ("token_embd.weight", "output.weight") if name in found
    ]
    named = {"model.embed_tokens.weight": max(embeddings, key=lambda tensor: tensor.n_bytes)}
    named["model.norm.weight"] = found.pop("output_norm.weight")
    for name, tensor in found.items():
        _, layer, part, kind = name.split(".")
        named[f"model.layers.{layer}.{_LAYER_NAMES[part]}.{kind}"] = tensor
    return named


def _write_weights(tensors: dict[str, ReaderTensor], folder: Path) -> None:
    shards = list(_shards(tensors))
    total = sum(int(tensor.n_elements) for tensor in tensors.values())
    done = 0
    index: dict[str, str] = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for number, names in enumerate(shards, start=1):
            file = f"model-{number:05}-of-{len(shards):05}.safetensors"
            weights = {name: _bfloat16(tensors[name], pool) for name in names}
            save_file(weights, folder / file, metadata={"format": "pt"})
            index |= dict.fromkeys(names, file)
            done += sum(weight.numel() for weight in weights.values())
            sys.stdout.write(f"{done / total}\n")
            sys.stdout.flush()
    _write_json(
        folder / "model.safetensors.index.json",
        {"metadata": {"total_size": 2 * total}, "weight_map": index},
    )


def _shards(tensors: dict[str, ReaderTensor]) -> Iterator[list[str]]:
    names: list[str] = []
    size = 0
    for name, tensor in tensors.items():
        if names and size + 2 * int(tensor.n_elements) > _SHARD_BYTES:
            yield names
            names, size = [], 0
        names.append(name)
        size += 2 * int(tensor.n_elements)
    yield names


def _bfloat16(tensor: ReaderTensor, pool: ThreadPoolExecutor) -> torch.Tensor:
    shape = [int(length) for length in reversed(tensor.shape)]
    weight = torch.empty(shape, dtype=torch.bfloat16)
    rows = max(1, _CHUNK_VALUES // shape[-1]) if len(shape) > 1 else shape[0]

    def fill(start: int) -> None:
        part = gguf.dequantize(tensor.data[start : start + rows], tensor.tensor_type)
        # A copy where gguf hands out the mapped file itself, which torch must not get.
        weight[start : start + rows] = torch.from_numpy(np.require(part, requirements="W"))

    list(pool.map(fill, range(0, shape[0], rows)))
    return weight


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
