"""Tiny policies from a stock `transformers` Llama configuration. Leaves out training and heads."""

# Name: width, layers, intermediate width. Four heads, two of them with keys and values.
SIZES = {"xs": (64, 2, 192), "s": (96, 4, 256), "m": (128, 4, 512), "l": (192, 6, 576)}
CONTEXT = 1024


def tiny_config(size: str = "m", vocab_size: int = 512, layers: int | None = None):
    """A `LlamaConfig` of about 0.1M (xs), 0.4M (s), 1M (m) or 2.7M (l) parameters.

    Rotary positions are relative: shifting all positions by an offset changes nothing, so no
    random offsets are needed; long distances are learned from packed 512-token rows.
    """
    from transformers import LlamaConfig

    if size not in SIZES:
        raise ValueError(f"no size {size!r}: choose one of {', '.join(SIZES)}")
    width, depth, inner = SIZES[size]
    return LlamaConfig(
        vocab_size=vocab_size,
        hidden_size=width,
        intermediate_size=inner,
        num_hidden_layers=layers or depth,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        tie_word_embeddings=True,
        attention_dropout=0.0,
        bos_token_id=None,
        eos_token_id=1,
        pad_token_id=0,
    )


def tiny_policy(size: str = "m", seed: int = 0, vocab_size: int = 512, layers: int | None = None):
    """A randomly initialised `LlamaForCausalLM`, float32; the same seed gives the same weights."""
    import torch
    from transformers import LlamaForCausalLM

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LlamaForCausalLM(tiny_config(size, vocab_size, layers))
