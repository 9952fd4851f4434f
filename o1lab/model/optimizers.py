"""The optimisers of the training loop: AdamW, or Muon for the matrices. Both are PyTorch's own."""

import torch

from o1lab.model.settings import TrainConfig


def make_optimizer(model, config: TrainConfig):
    """AdamW (Loshchilov & Hutter 2019), or Muon with AdamW beside it, on float32 weights."""
    trained = [p for p in model.parameters() if p.requires_grad]
    if config.optimizer == "adamw":
        return _adamw(trained, config)
    tables = [m for m in model.modules() if isinstance(m, torch.nn.Embedding)]
    outside = {id(p) for table in tables for p in table.parameters()}  # a tied head among them
    inside = {id(p) for p in model.base_model.parameters() if p.dim() == 2} - outside
    inner = [p for p in trained if id(p) in inside]
    return MuonAndAdamW(inner, [p for p in trained if id(p) not in inside], config)


def _adamw(parameters: list, config: TrainConfig) -> torch.optim.AdamW:
    """Only matrices decay."""
    groups = [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]],
        lr=config.learning_rate,
        betas=config.betas,
        eps=config.eps,
        fused=True,
    )


class MuonAndAdamW:
    """Muon (Jordan et al. 2024) moves the inner matrices, AdamW embeddings, heads and vectors.

    Muon's steps are scaled to the size of AdamW's (Liu et al. 2025, arXiv:2502.16982), so both
    share one learning rate. Has what the training loop needs of an optimiser: `param_groups`,
    `state` by parameter, `step()`.
    """

    def __init__(self, inner: list, others: list, config: TrainConfig):
        muon = torch.optim.Muon(
            inner,
            lr=config.learning_rate,
            weight_decay=config.weight_decay,
            adjust_lr_fn="match_rms_adamw",
        )
        self.parts = [muon, _adamw(others, config)]
        self.state = self.parts[1].state = muon.state
        self.param_groups = [group for part in self.parts for group in part.param_groups]

    def step(self) -> None:
        for part in self.parts:
            part.step()
