"""FLOPs of a transformer's passes, and the ledger that every result carries.

Counts matrix products and attention, two FLOPs a multiply-add; leaves out norms, softmax and
rotations (under 1% at the lab's sizes). Source: Kaplan et al. 2020, table 1, kept exact.
"""

from dataclasses import dataclass, fields
from types import SimpleNamespace

# What is counted is read from these, where a configuration has them.
_SHAPE = (
    "hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim",
    "intermediate_size", "n_inner", "vocab_size",
)  # fmt: skip


def shape_of(config) -> SimpleNamespace:
    """The part of a configuration that is counted: quick to read where it is counted often."""
    return SimpleNamespace(**{name: getattr(config, name) for name in _SHAPE
                              if hasattr(config, name)})  # fmt: skip


def matrix_parameters(config) -> int:
    """Weights of one layer's matrices, all layers together, without embedding and output."""
    width, size = config.hidden_size, head_size(config)
    heads, kv = config.num_attention_heads, getattr(config, "num_key_value_heads", None)
    attention = width * size * (2 * heads + 2 * (kv or heads))
    inner = getattr(config, "intermediate_size", None) or getattr(config, "n_inner", None)
    gated = hasattr(config, "intermediate_size")  # Llama and Qwen: gate, up and down
    mlp = (3 if gated else 2) * width * (inner or 4 * width)
    return config.num_hidden_layers * (attention + mlp)


def head_size(config) -> int:
    """Width of one attention head."""
    return getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads


def forward_flops(
    config, tokens: float, context: float, logits_tokens: float | None = None
) -> float:
    """FLOPs of a forward pass over `tokens` tokens.

    context: the mean number of tokens each attends to, itself included.
    logits_tokens: how many of them pass through the output layer; default all.
    """
    logits_tokens = tokens if logits_tokens is None else logits_tokens
    attended = config.num_hidden_layers * config.num_attention_heads * head_size(config)
    output = config.hidden_size * config.vocab_size
    products = tokens * matrix_parameters(config) + logits_tokens * output
    return 2.0 * products + 4.0 * tokens * attended * context


def training_flops(
    config, tokens: float, context: float, logits_tokens: float | None = None
) -> float:
    """FLOPs of forward and backward: three times the forward pass."""
    return 3 * forward_flops(config, tokens, context, logits_tokens)


@dataclass
class Ledger:
    """What a method cost: tokens read, written and scored, and FLOPs of policy and verifier."""

    prompt_tokens: int = 0
    generated_tokens: int = 0
    scored_tokens: int = 0
    policy_flops: float = 0.0
    verifier_flops: float = 0.0

    @property
    def flops(self) -> float:
        return self.policy_flops + self.verifier_flops

    def __add__(self, other: "Ledger") -> "Ledger":
        pairs = [(getattr(self, f.name), getattr(other, f.name)) for f in fields(self)]
        return Ledger(*(a + b for a, b in pairs))


def ledger_of(rollouts) -> Ledger:
    """The ledger of sampled rollouts; a prompt shared by several is counted once for each group."""
    rollouts = list(rollouts)
    prompts = {tuple(r.prompt_ids) for r in rollouts}
    return Ledger(
        prompt_tokens=sum(map(len, prompts)),
        generated_tokens=sum(len(r.ids) for r in rollouts),
        policy_flops=sum(r.flops for r in rollouts),
    )
