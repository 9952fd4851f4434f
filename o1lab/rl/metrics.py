"""What an iteration's record says, averaged over written tokens only. Leaves out the loop."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

import torch

from o1lab.model.rollouts import Rollout
from o1lab.rewards.base import is_right
from o1lab.rl.experience import Column, Experience
from o1lab.rl.objectives import kl_estimate
from o1lab.rl.rewards import Reward
from o1lab.tasks.base import Problem, Task

PANELS = {  # for a board of a run (`o1lab.show.board`): {title: {line: key in a record}}
    "reward": {"paid": "proxy", "right": "true"},
    "held-out pass@1": {"pass@1": "pass@1"},
    "KL, nats a rollout": {"kl": "kl"},
    "entropy, nats a token": {"entropy": "entropy"},
    "clipped, share of tokens": {"clipped": "clip_fraction"},
    "explained variance": {"explained": "explained_variance"},
    "tokens of a rollout": {"length": "length"},
    "rollouts that came to an end": {"finished": "finished"},
    "groups all paid alike": {"alike": "zero_variance"},
}


@dataclass
class Tally:
    """Sums over the written tokens of one or more updates, so that any cut gives one average."""

    tokens: int = 0
    ratio: float = 0.0
    squares: float = 0.0
    clipped: float = 0.0
    approx_kl: float = 0.0
    value_loss: float = 0.0

    @torch.no_grad()
    def add(self, new, old, clip: float, value_losses=None) -> None:
        """Count these tokens' log-probabilities (M,) under the policy now and as it sampled."""
        ratio = (new - old).exp()
        self.tokens += len(ratio)
        self.ratio += float(ratio.sum(dtype=torch.float64))
        self.squares += float(ratio.square().sum(dtype=torch.float64))
        self.clipped += float(((ratio - 1).abs() > clip).sum())
        self.approx_kl += float(kl_estimate(old, new).sum(dtype=torch.float64))
        if value_losses is not None:
            self.value_loss += float(value_losses.sum(dtype=torch.float64))

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            *(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True))
        )

    def means(self) -> dict[str, float]:
        count = max(self.tokens, 1)
        ratio = self.ratio / count
        return {
            "ratio_mean": ratio,
            "ratio_var": max(self.squares / count - ratio**2, 0.0),
            "clip_fraction": self.clipped / count,
            "approx_kl": self.approx_kl / count,
            "value_loss": self.value_loss / count,
        }


def describe(seen: Experience, reward: Reward, columns: dict[str, Column], n: int) -> dict:
    """What the rollouts themselves say: proxy and true reward, KL, entropy, length, values."""
    rollouts = seen.rollouts
    facts = {
        "proxy": fmean(seen.paid.totals()),
        "true": fmean(is_right(reward.task, rollout) for rollout in rollouts),
        **{f"reward {name}": mean for name, mean in seen.paid.means.items()},
        "kl": fmean(float(gap.sum()) for gap in seen.gaps),
        "entropy": thought_entropy(rollouts, seen.entropy),
        "length": fmean(len(rollout.ids) for rollout in rollouts),
        "finished": fmean(rollout.finished for rollout in rollouts),
        "zero_variance": zero_variance(seen.paid.totals(), n),
        "engine_gap": engine_gap(rollouts, seen.logprobs),
    }
    if "returns" in columns:
        facts["explained_variance"] = explained_variance(
            torch.cat(seen.values), torch.cat(columns["returns"])
        )
    return facts


def thought_entropy(rollouts: Sequence[Rollout], entropy: Column) -> float:
    """Mean entropy in nats a token, over the thoughts; where there is no step, over all tokens."""
    ends = [r.step_ends[-1] if r.step_ends else len(r.ids) for r in rollouts]
    return float(torch.cat([row[:end] for row, end in zip(entropy, ends, strict=True)]).mean())


def zero_variance(totals: Sequence[float], n: int) -> float:
    """The share of groups of n whose rewards are all equal: with GRPO they teach nothing."""
    groups = torch.tensor(totals, dtype=torch.float64).view(-1, n)
    return float(((groups.amax(1) - groups.amin(1)) < 1e-9).double().mean())


def explained_variance(values: torch.Tensor, returns: torch.Tensor) -> float:
    """1 - Var(returns - values) / Var(returns): 1 is perfect, 0 no better than a constant."""
    spread = float(returns.var(correction=0))
    return 1 - float((returns - values).var(correction=0)) / spread if spread > 1e-12 else 0.0


def engine_gap(rollouts: Sequence[Rollout], old: Column) -> float:
    """Mean |log-probability of the engine - of the training forward|; large: wrong temperature."""
    sampled = torch.tensor([p for rollout in rollouts for p in rollout.logprobs])
    return float((sampled - torch.cat(old)).abs().mean())


def held_out(
    policy, task: Task, problems: Sequence[Problem], max_new_tokens: int, n: int = 1,
    temperature: float = 1.0, seed: int = 1,
) -> Callable:  # fmt: skip
    """`evaluate(model)` for the loop: pass@1 on these problems, the mean over n rollouts each."""
    from o1lab.model.generate import generate

    def evaluate(model) -> dict[str, float]:
        groups = generate(
            model, policy.tokenizer, [problem.prompt for problem in problems], n=n,
            max_new_tokens=max_new_tokens, temperature=temperature, seed=seed, problems=problems,
        )  # fmt: skip
        right = [is_right(task, rollout) for group in groups for rollout in group]
        return {"pass@1": fmean(right)}

    return evaluate
