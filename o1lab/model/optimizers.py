"""The optimisers of the training loop: AdamW, or Muon for the matrices. Both are PyTorch's own.

Where the processor has no bfloat16, Muon's iteration runs in float32 instead.
"""

import torch

from o1lab.model.settings import TrainConfig
from o1lab.model.updates import bf16_here


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
        device = inner[0]["params"][0].device.type
        kind = torch.optim.Muon if bf16_here("auto", device) else FullMuon
        muon = kind(inner, adjust_lr_fn="match_rms_adamw")
        self.parts = [muon, adamw]
        self.state = self.parts[1].state = muon.state
        self.param_groups = [group for part in self.parts for group in part.param_groups]

    def step(self) -> None:
        for part in self.parts:
            part.step()


class FullMuon(torch.optim.Muon):
    """`torch.optim.Muon` with its iteration in float32, matrices of one shape side by side.

    PyTorch's is in bfloat16, which a processor without it emulates: on AVX2 that took two thirds
    of a tiny model's update.
    """

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            asked: dict[torch.Size, list] = {}
            for p in group["params"]:
                if p.grad is None:
                    continue
                held = self.state[p].setdefault("momentum_buffer", torch.zeros_like(p.grad))
                held.lerp_(p.grad, 1 - group["momentum"])
                move = p.grad.lerp(held, group["momentum"]) if group["nesterov"] else held
                asked.setdefault(p.shape, []).append((p, move))
            for shape, pairs in asked.items():
                moves = orthogonal(torch.stack([move for _, move in pairs]), group)
                rate = 0.2 * max(shape) ** 0.5 * group["lr"]  # match_rms_adamw
                for (p, _), move in zip(pairs, moves, strict=True):
                    p.mul_(1 - group["lr"] * group["weight_decay"]).add_(move, alpha=-rate)


def orthogonal(moves: torch.Tensor, group: dict) -> torch.Tensor:
    """Newton–Schulz: each matrix of (K, A, B) with its singular values brought near 1.

    group: "ns_coefficients", "ns_steps" and "eps" of `torch.optim.Muon`. Jordan et al. 2024.
    """
    a, b, c = group["ns_coefficients"]
    x = moves.mT if moves.shape[1] > moves.shape[2] else moves
    x = x / torch.linalg.matrix_norm(x, keepdim=True).clamp(min=group["eps"])
    for _ in range(group["ns_steps"]):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if moves.shape[1] > moves.shape[2] else x
