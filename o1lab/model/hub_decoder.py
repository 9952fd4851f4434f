"""One decoding step at a time for any Hugging Face causal LM, through its own forward pass.

Leaves out the faster decoder of plain small models (`decoder`).
"""

import torch
from torch.nn import functional as F


class HubDecoder:
    """Any Hugging Face causal LM, through its own forward pass and key-value cache."""

    def __init__(self, model, room: int):
        self.model, self.device = model, next(model.parameters()).device

    def prefill(self, prompts: list[list[int]], n: int, pasts=None) -> torch.Tensor:
        """Read each prompt once (padded on the left) and repeat its cache for n rows.

        ValueError for pasts: it keeps none, and would read everything again.
        """
        if pasts is not None:
            raise ValueError("this model's decoder keeps no pasts: leave them out")
        from transformers import DynamicCache

        width = max(map(len, prompts))
        ids = torch.zeros(len(prompts), width, dtype=torch.long)
        self.mask = torch.zeros(len(prompts), width, dtype=torch.long)
        for i, prompt in enumerate(prompts):
            ids[i, width - len(prompt) :] = torch.tensor(prompt)
            self.mask[i, width - len(prompt) :] = 1
        self.mask = self.mask.to(self.device)
        positions = (self.mask.cumsum(-1) - 1).clamp(min=0)
        self.cache = DynamicCache(config=self.model.config)
        logits = self._forward(ids.to(self.device), positions)
        self.positions = positions[:, -1:].repeat_interleave(n, 0)
        self.mask = self.mask.repeat_interleave(n, 0)
        self.cache.batch_repeat_interleave(n)
        return logits.repeat_interleave(n, 0)

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        """Append one token to every row; logits (R, V) of the next."""
        self.positions = self.positions + 1
        self.mask = F.pad(self.mask, (0, 1), value=1)
        return self._forward(tokens[:, None], self.positions)

    def keep(self, rows: torch.Tensor) -> None:
        """Drop all rows but these."""
        self.cache.batch_select_indices(rows)
        self.mask, self.positions = self.mask[rows], self.positions[rows]

    def _forward(self, ids: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        out = self.model(
            input_ids=ids,
            attention_mask=self.mask,
            position_ids=positions,
            past_key_values=self.cache,
            use_cache=True,
            logits_to_keep=1,
        )
        return out.logits[:, -1]
