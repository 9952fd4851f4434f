"""One decoding step at a time for many rollouts: the model run as few large matrix products.

Leaves out sampling, stopping and text (`generate`). Two decoders answer the same three calls:
`Decoder` for Llama- and Qwen3-shaped models, `HubDecoder` for any Hugging Face causal LM.

    logits = decoder.prefill(prompts, n)   # read each prompt once, for its n rollouts
    logits = decoder.step(tokens)          # one more token for every row
    decoder.keep(rows)                     # finished rows leave
"""

import torch
from torch.nn import functional as F

from o1lab.model.hub_decoder import HubDecoder
from o1lab.model.pasts import padded, sight

SHAPES = ("llama", "qwen3")
LARGEST = 100_000_000  # parameters; above it a second, fused copy of the weights costs too much
FEW = 64  # rows; up to so many, each row has a copy of its prompt's keys: more bytes, fewer calls


def decoder_for(model, room: int):
    """The faster decoder that can run this model. room: the most tokens a rollout may get."""
    return Decoder(model, room) if keeps_pasts(model) else HubDecoder(model, room)


def keeps_pasts(model) -> bool:
    """Whether its decoder can go on from a `Past`: that of plain small models can."""
    config = model.config
    plain = config.model_type in SHAPES and not getattr(config, "use_sliding_window", False)
    plain = plain and (config.rope_parameters or {}).get("rope_type") == "default"
    plain = plain and not getattr(config, "attention_bias", False)
    plain = plain and not getattr(config, "mlp_bias", False) and config.hidden_act == "silu"
    small = sum(p.numel() for p in model.parameters()) <= LARGEST
    return plain and small


class Layer:
    """One layer's weights, fused for decoding; all matrices are (in, out).

    Each head's rotary pairs (i, i + half) become neighbours, so that one complex product rotates
    queries and keys. Both are permuted alike, so their products stay what they were. A matrix
    that follows a norm takes the norm's weights and root of the width into its rows (`_unit`).
    """

    def __init__(self, block, heads: int, kv: int, size: int):
        attention, mlp = block.self_attn, block.mlp
        order = torch.arange(size).view(2, -1).T.reshape(-1)

        def pairs(weight, count):  # (count * size, D) with each head's rows in the new order
            return weight.view(count, size, -1)[:, order].reshape(count * size, -1)

        scale = size**-0.5  # of the attention scores, put into the queries here
        plain = not hasattr(attention, "q_norm")
        parts = [
            pairs(attention.q_proj.weight * (scale if plain else 1.0), heads),
            pairs(attention.k_proj.weight, kv),
            attention.v_proj.weight,
        ]
        self.qkv = _after(block.input_layernorm, torch.cat(parts)).T
        self.out = attention.o_proj.weight.T
        gate_up = torch.cat([mlp.gate_proj.weight, mlp.up_proj.weight])
        self.gate_up = _after(block.post_attention_layernorm, gate_up).T
        self.down = mlp.down_proj.weight.T
        self.norm_qk = None
        if not plain:  # Qwen3 normalises each head's queries and keys
            q, k = attention.q_norm.weight[order] * scale, attention.k_norm.weight[order]
            norms = torch.cat([q.expand(heads, size), k.expand(kv, size)])  # (H + K, d)
            self.norm_qk = norms * size**0.5


def _after(norm, weight: torch.Tensor) -> torch.Tensor:
    """A matrix (out, in) with the norm before it folded in."""
    return weight * (norm.weight * weight.shape[1] ** 0.5)


class Decoder:
    """Fused weights, one cache of prompts and one of what each row has written.

    Letters: P prompts, R rows, H heads, K key-value heads, G = H / K, d head size, D width.
    """

    def __init__(self, model, room: int):
        config = model.config
        self.width, self.eps = config.hidden_size, config.rms_norm_eps
        self.heads, self.kv = config.num_attention_heads, config.num_key_value_heads
        self.size = getattr(config, "head_dim", None) or self.width // self.heads
        with torch.no_grad():
            body = model.model
            self.layers = [Layer(b, self.heads, self.kv, self.size) for b in body.layers]
            self.embedding = body.embed_tokens.weight.detach()
            self.unembedding = _after(body.norm, model.lm_head.weight).T
        self.room = room
        theta = config.rope_parameters["rope_theta"]
        device, dtype = self.embedding.device, self.embedding.dtype
        exponents = torch.arange(0, self.size, 2, device=device).float() / self.size
        self.frequencies = 1.0 / theta**exponents  # (d / 2,), float32 as transformers has it
        self.dtype = torch.float64 if dtype == torch.float64 else torch.float32

    def prefill(self, prompts: list[list[int]], n: int, pasts=None) -> torch.Tensor:
        """Read the prompts; logits (P * n, V) after each, rows of one prompt side by side.

        pasts: what is remembered of each prompt's beginning, None for nothing; it is not read.
        With them the decoder remembers too: `read` and `written`.
        """
        device, keep = self.embedding.device, pasts is not None
        pasts = pasts or [None] * len(prompts)
        old, skips = padded(pasts), [past.size if past else 0 for past in pasts]
        skipped = torch.tensor(skips, device=device)  # (P,)
        lengths = torch.tensor([len(p) for p in prompts], device=device) - skipped
        ids = torch.zeros(len(prompts), int(lengths.max()), dtype=torch.long)  # (P, T)
        for i, prompt in enumerate(prompts):
            ids[i, : len(prompt) - skips[i]] = torch.tensor(prompt[skips[i] :])
        time, self.old = ids.shape[1], 0 if old is None else old.shape[-2]
        self.turns = self._turns(torch.arange(max(skips) + time + self.room, device=device))
        x = self.embedding[ids.to(device)]  # (P, T, D)
        turn = self.turns[skipped[:, None] + torch.arange(time, device=device)][:, :, None]
        seen = None if old is None else sight(skipped, self.old, time)
        self.prompt_cache = []
        for i, layer in enumerate(self.layers):
            x = self._prefill_layer(layer, x, turn, None if old is None else old[i], seen)
        last = x[torch.arange(len(prompts), device=device), lengths - 1]  # (P, D)
        hidden = torch.arange(time, device=device) >= lengths[:, None]
        unused = torch.arange(self.old, device=device) >= skipped[:, None]
        hidden = torch.cat([unused, hidden], -1)  # (P, S + T)
        self.mask = torch.zeros(hidden.shape, dtype=x.dtype, device=device)
        self.mask = self.mask.masked_fill(hidden, float("-inf"))[:, None, None]  # (P, 1, 1, S + T)
        self.fresh = self.prompt_cache if keep else []
        self._start(lengths + skipped, n)
        return (self._unit(last) @ self.unembedding).repeat_interleave(n, 0)

    def _prefill_layer(self, layer: Layer, x: torch.Tensor, turn, old, seen) -> torch.Tensor:
        p, t, _ = x.shape
        q, k, v = self._project(layer, x, turn)  # (P, T, H or K, d)
        q, k, v = (y.transpose(1, 2) for y in (q, k, v))
        if old is not None:
            k, v = torch.cat([old[0], k], 2), torch.cat([old[1], v], 2)
        mixed = F.scaled_dot_product_attention(
            q, k, v, seen, scale=1.0, is_causal=seen is None, enable_gqa=True
        )
        self.prompt_cache.append((k, v))  # (P, K, S + T, d)
        return self._finish(layer, x, mixed.transpose(1, 2).reshape(p, t, -1))

    def _start(self, lengths: torch.Tensor, n: int) -> None:
        """Room for what the rows write; few rows begin with a copy of their prompts."""
        rows, longest = len(lengths) * n, self.mask.shape[-1]
        self.positions = lengths.repeat_interleave(n)  # (R,) of the next token
        self.owner = torch.arange(len(lengths), device=lengths.device).repeat_interleave(n)
        self.shared = rows > FEW
        self.time = self.begun = 0 if self.shared else longest
        keys = self.prompt_cache[0][0]
        self.own_cache = [
            keys.new_empty(2, rows, self.kv, self.time + self.room, self.size) for _ in self.layers
        ]
        if self.shared:
            self.prompt_cache = [(k.mT.contiguous(), v.contiguous()) for k, v in self.prompt_cache]
            self._grid(n)
            return
        for own, (k, v) in zip(self.own_cache, self.prompt_cache, strict=True):
            own[0, :, :, :longest] = k.repeat_interleave(n, 0)
            own[1, :, :, :longest] = v.repeat_interleave(n, 0)
        self.mask = F.pad(self.mask, (0, self.room)).repeat_interleave(n, 0)  # (R, 1, 1, T + room)

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        """Append one token to every row; logits (R, V) of the next."""
        x = self.embedding[tokens]  # (R, D)
        turn = self.turns[self.positions][:, None]  # (R, 1, d / 2)
        for layer, prompt, own in zip(self.layers, self.prompt_cache, self.own_cache, strict=True):
            q, k, v = self._project(layer, x, turn)
            own[0, :, :, self.time] = k
            own[1, :, :, self.time] = v
            x = self._finish(layer, x, self._attend(q, prompt, own[..., : self.time + 1, :]))
        self.time += 1
        self.positions += 1
        return self._unit(x) @ self.unembedding

    def _project(self, layer: Layer, x: torch.Tensor, turn: torch.Tensor):
        """Rotated queries (..., H, d), rotated keys and values (..., K, d) of x (..., D)."""
        qkv = (self._unit(x) @ layer.qkv).unflatten(-1, (-1, self.size))
        qk, v = qkv[..., : self.heads + self.kv, :], qkv[..., self.heads + self.kv :, :]
        if layer.norm_qk is not None:
            qk = self._unit(qk) * layer.norm_qk
        pairs = qk.to(self.dtype).unflatten(-1, (-1, 2))
        qk = torch.view_as_real(torch.view_as_complex(pairs) * turn).flatten(-2).to(x.dtype)
        return qk[..., : self.heads, :], qk[..., self.heads :, :], v

    def _finish(self, layer: Layer, x: torch.Tensor, mixed: torch.Tensor) -> torch.Tensor:
        """The rest of a layer after its attention's mixed values (..., H * d)."""
        x = x + mixed @ layer.out
        gate, up = (self._unit(x) @ layer.gate_up).chunk(2, -1)
        return x + (F.silu(gate) * up) @ layer.down

    def _attend(self, q: torch.Tensor, prompt: tuple, own: torch.Tensor) -> torch.Tensor:
        """Attention of q (R, H, d) over its prompt's keys, read once for all rows, and its own."""
        rows, time = len(q), own.shape[-2]
        q = q.unflatten(1, (self.kv, -1))  # (R, K, G, d)
        if not self.shared:
            mask = self.mask[..., :time]
            return F.scaled_dot_product_attention(q, own[0], own[1], mask, scale=1.0).view(rows, -1)
        scores = torch.cat([self._on_prompt(q, prompt[0]), q @ own[0].mT], -1)
        weights = scores.softmax(-1)  # (R, K, G, T + t)
        ours = weights[..., -time:] @ own[1]
        return (self._from_prompt(weights[..., :-time], prompt[1]) + ours).reshape(rows, -1)

    def _on_prompt(self, q: torch.Tensor, keys: torch.Tensor) -> torch.Tensor:
        """Scores (R, K, G, T) of q (R, K, G, d) on keys (P, K, d, T)."""
        together = self._gather(q) @ keys + self.mask  # (P, K, m * G, T)
        return self._scatter(together)

    def _from_prompt(self, weights: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        """Values (P, K, T, d) mixed with weights (R, K, G, T)."""
        return self._scatter(self._gather(weights) @ values)

    def _gather(self, rows: torch.Tensor) -> torch.Tensor:
        """(R, K, G, ·) to (P, K, m * G, ·): a prompt's rows side by side."""
        grid = rows if self.places is None else rows[self.grid]
        return grid.unflatten(0, (-1, self.most)).transpose(1, 2).flatten(2, 3)

    def _scatter(self, grid: torch.Tensor) -> torch.Tensor:
        """(P, K, m * G, ·) back to (R, K, G, ·)."""
        rows = grid.unflatten(2, (self.most, -1)).transpose(1, 2).flatten(0, 1)
        return rows if self.places is None else rows[self.places]

    def _grid(self, most: int) -> None:
        """Where each row stands among its prompt's `most` places; None where all are taken."""
        self.most, count = most, len(self.mask)
        if len(self.owner) == count * most:
            self.places = self.grid = None
            return
        starts = torch.searchsorted(self.owner, self.owner)  # first row of the same prompt
        rank = torch.arange(len(self.owner), device=self.owner.device) - starts
        self.places = self.owner * most + rank
        self.grid = torch.zeros(count * most, dtype=torch.long, device=self.owner.device)
        self.grid[self.places] = torch.arange(len(self.owner), device=self.owner.device)

    def read(self, sizes: list[int]) -> list[torch.Tensor]:
        """What was read of each prompt, its last `size` tokens: keys and values (L, 2, K, t, d)."""
        ends = [self.old + size for size in sizes]
        return [
            torch.stack([torch.stack([y[i, :, self.old : end] for y in kv]) for kv in self.fresh])
            for i, end in enumerate(ends)
        ]

    def written(self, rows: torch.Tensor) -> torch.Tensor:
        """Keys and values of all that these rows were fed, (rows, L, 2, K, t, d)."""
        parts = [own[:, rows, :, self.begun : self.time] for own in self.own_cache]
        return torch.stack(parts).permute(2, 0, 1, 3, 4, 5)

    def keep(self, rows: torch.Tensor) -> None:
        """Drop all rows but these (indices in rising order) and prompts that nobody needs."""
        used, self.owner = torch.unique_consecutive(self.owner[rows], return_inverse=True)
        self.positions = self.positions[rows]
        for i, own in enumerate(self.own_cache):
            fresh = own.new_empty(2, len(rows), *own.shape[2:])
            fresh[..., : self.time, :] = own[:, rows, :, : self.time]
            self.own_cache[i] = fresh
        if not self.shared:
            self.mask = self.mask[rows]
            return
        if len(used) < len(self.mask):
            self.prompt_cache = [(k[used], v[used]) for k, v in self.prompt_cache]
            self.mask = self.mask[used]
        self._grid(int(torch.bincount(self.owner).max()))

    def _turns(self, positions: torch.Tensor) -> torch.Tensor:
        """The rotation e^(i position frequency) of every pair: (positions, d / 2) complex."""
        angles = (positions[:, None].float() * self.frequencies).to(self.dtype)
        return torch.polar(torch.ones_like(angles), angles)

    def _unit(self, x: torch.Tensor) -> torch.Tensor:
        """x over its Euclidean length: the part of RMS norm that depends on x (eps included)."""
        return x * x.square().sum(-1, keepdim=True).add_(self.eps * x.shape[-1]).rsqrt_()
