"""PPO's speed: whole iterations beside the same loop written plainly on `transformers`.

64 prompts x 4 rollouts of at most 64 new tokens, a 1M policy, a learned process reward, two epochs
of four minibatches, turn by turn in one process. Leaves out how well anything learns.
"""

import copy
import time
from statistics import median

PROMPTS, EACH, NEW = 64, 4, 64
EPOCHS, MINIBATCHES, RATE = 2, 4, 1e-6  # so small a step that every turn has the same work
PARTS = {"rollout": ("rollout",), "score": ("score", "look"), "update": ("update",)}
AIM = 2.5


def rows(rounds: int = 5, prompts: int = PROMPTS) -> list[dict]:
    """Samples a second with either critic, where the time goes, and the update's own products."""
    race = _Race(prompts)
    turns = {"shared": race.shared, "separate": race.separate, "peer": race.peer}
    for work in turns.values():
        work()
    found = [{who: work() for who, work in turns.items()} for _ in range(rounds)]
    samples = prompts * EACH
    out = []
    for critic in ("shared", "separate"):
        name = "ppo-samples" if critic == "shared" else "ppo-samples-own-critic"
        pairs = [(sum(t[critic].values()), sum(t["peer"].values())) for t in found]
        out.append(_row(name, pairs, AIM if critic == "shared" else None, samples))
    for part in PARTS:
        pairs = [(t["shared"][part], t["peer"][part]) for t in found]
        out.append(_row(f"ppo-{part}", pairs, None, samples))
    return [*out, race.product_share(rounds)]


def _row(name: str, pairs: list, aim: float | None, count: int, unit="samples/s") -> dict:
    """From pairs of seconds, ours and the peer's, for as many samples (or updates)."""
    return {
        "name": name,
        "ours": median(count / a for a, _ in pairs),
        "peer": median(count / b for _, b in pairs),
        "ratio": median(b / a for a, b in pairs),
        "unit": unit,
        "aim": aim,
    }


def settings(critic: str):
    """One iteration of the lab's loop; what the peer does too, in float32."""
    from o1lab.rl.settings import RLConfig

    return RLConfig(
        1, EACH, NEW, critic=critic, epochs=EPOCHS, minibatches=MINIBATCHES, learning_rate=RATE
    )


class _Race:
    """The models and problems both loops start from, and one iteration of each."""

    def __init__(self, prompts: int):
        import random

        from o1lab.model.checkpoints import load
        from o1lab.rewards.models import RewardModel, token_classifier
        from o1lab.tasks import task

        self.policy, self.world = load("stories-cot"), task("stories")
        rng = random.Random(4)
        self.problems = [self.world.problem(rng, 1 + i % 8, "dev") for i in range(prompts)]
        self.judge = token_classifier(self.policy)
        self.scorer = RewardModel(self.judge, self.policy.tokenizer)

    def shared(self) -> dict[str, float]:
        return self.ours("shared")

    def separate(self) -> dict[str, float]:
        return self.ours("separate")

    def ours(self, critic: str) -> dict[str, float]:
        """Seconds of each part of one iteration of the lab's loop."""
        from o1lab.model.checkpoints import Policy
        from o1lab.rl.ppo import ppo
        from o1lab.rl.rewards import Reward, outcome, steps

        fresh = Policy(copy.deepcopy(self.policy.model), self.policy.tokenizer)
        reward = Reward(self.world, (outcome(self.world), steps(self.scorer, "difference")))
        done = ppo(fresh, lambda _: self.problems, reward, settings(critic), progress=False)
        return {part: sum(done.seconds[p] for p in names) for part, names in PARTS.items()}

    def peer(self) -> dict[str, float]:
        """Seconds of each part of one iteration of the plain loop."""
        from o1lab.make.bench_ppo_peer import iteration

        return iteration(
            self.policy, self.judge, self.problems, self.world, EACH, NEW, EPOCHS, MINIBATCHES, RATE
        )

    def product_share(self, rounds: int) -> dict:
        """The update beside nothing but the matrix products of its forward and backward passes.

        ours, peer: updates a second; ratio: the share of the update that is these products.
        """
        products, pairs = self._products(), []
        for _ in range(rounds):
            began = time.perf_counter()
            for x, matrix, slope in products:
                x @ matrix, slope @ matrix.T, x.T @ slope
            spent = time.perf_counter() - began
            pairs.append((self.ours("shared")["update"], spent))
        row = _row("ppo-update-matmul-share", pairs, None, EPOCHS * MINIBATCHES, "updates/s")
        return row | {"ratio": median(b / a for a, b in pairs)}

    def _products(self) -> list[tuple]:
        """(inputs, matrix, gradients of the outputs) of every product of an iteration's updates."""
        import torch

        from o1lab.model.decoder import Decoder
        from o1lab.model.generate import generate
        from o1lab.rl.rows import minibatches

        model, prompts = self.policy.model, [problem.prompt for problem in self.problems]
        groups = generate(model, self.policy.tokenizer, prompts, n=EACH, max_new_tokens=NEW)
        rollouts = [rollout for group in groups for rollout in group]
        parts = minibatches(rollouts, settings("shared"), 0, 0, shared=True)
        decoder, sizes = Decoder(model, NEW), []
        for rows in (rows for part in parts for rows in part):
            read = sum(prompt + sum(written) for prompt, written in rows.sizes)
            for layer in decoder.layers:
                inner = (layer.qkv, layer.out, layer.gate_up, layer.down)
                sizes += [(read, matrix.detach()) for matrix in inner]
            sizes.append((len(rows.tokens), decoder.unembedding.detach()))
        most, widths = max(n for n, _ in sizes), {w for _, m in sizes for w in m.shape}
        tables = {width: torch.randn(most, width) for width in widths}  # one each, to stay near
        return [(tables[m.shape[0]][:n], m, tables[m.shape[1]][:n]) for n, m in sizes] * EPOCHS
