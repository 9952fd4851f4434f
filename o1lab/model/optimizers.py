"""The optimisers of the training loop: AdamW, or Muon for the matrices. Both are PyTorch's own."""

import torch

from o1lab.model.settings import TrainConfig


def make_optimizer(model, config: TrainConfig):
    """AdamW (Loshchilov & Hutter 2019), or Muon with AdamW beside it, on float32 weights."""
    trained = [p for p in model.parameters() if p.requires_grad]
    if config.optimizer == "adamw":
        return _adamw(trained, config)
    inside = {id(p) for p in inner_matrices(model.base_model)}
    inner = [p for p in trained if id(p) in inside]
    others = [p for p in trained if id(p) not in inside]
    muon = [{"params": inner, "lr": config.learning_rate, "weight_decay": config.weight_decay}]
    return MuonAndAdamW(muon, _adamw(others, config))


def inner_matrices(body) -> list:
    """The matrices of a body but for its embeddings (and a head tied to them): what Muon moves."""
    tables = [m for m in body.modules() if isinstance(m, torch.nn.Embedding)]
    outside = {id(p) for table in tables for p in table.parameters()}
    return [p for p in body.parameters() if p.dim() == 2 and id(p) not in outside]


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
    `state` by parameter, `step()`. inner: groups of matrices, each with its "lr" and
    "weight_decay"; adamw: the optimiser of all the rest.
    """

    def __init__(self, inner: list[dict], adamw: torch.optim.AdamW):
        muon = torch.optim.Muon(inner, adjust_lr_fn="match_rms_adamw")
        self.parts = [muon, adamw]
        self.state = self.parts[1].state = muon.state
        self.param_groups = [group for part in self.parts for group in part.param_groups]

    def step(self) -> None:
        for part in self.parts:
            part.step()
