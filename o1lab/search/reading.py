"""A reward model that reads every step of a tree once, and goes on from what it remembers.

Its scores are the reward model's own. Leaves out when they are asked for (`judging`).
"""

from collections.abc import Sequence
from types import SimpleNamespace

import torch

from o1lab.measure.compute import Ledger, forward_flops, shape_of
from o1lab.model.decoder import Decoder, keeps_pasts
from o1lab.model.pasts import Past
from o1lab.model.rollouts import Rollout
from o1lab.rewards.base import judged_at
from o1lab.rewards.completions import check_tokenizer
from o1lab.rewards.scoring import RewardModel, margin

Key = tuple[int, ...]  # token ids of a prompt and of the beginning of its completion


class Reader:
    """A scorer that keeps the keys and values of all it has read, for as long as it lives.

    costs: what each rollout of the latest call made it read; the reward model's own ledger is
    charged too. A text that several rollouts share is paid for by the first.
    """

    def __init__(self, verifier: RewardModel):
        self.verifier = verifier
        self.pasts: dict[Key, Past] = {}
        self.scores: dict[Key, float] = {}
        self.costs: list[Ledger] = []
        self.shape = shape_of(verifier.model.config)

    def __call__(self, rollouts: Sequence[Rollout]) -> list[list[float]]:
        """One score a step, as `RewardModel` gives it. ValueError for what that refuses."""
        self._check(rollouts)
        self.costs = [Ledger() for _ in rollouts]
        keys = [[_key(rollout, at) for at in judged_at(rollout)] for rollout in rollouts]
        todo = [[_key(r, -1), *row] if row else [] for r, row in zip(rollouts, keys, strict=True)]
        while any(todo):  # the prompts, then the first steps, and so on
            self._read([(i, row.pop(0)) for i, row in enumerate(todo) if row], rollouts)
        return [[self.scores[key] for key in row] for row in keys]

    def _check(self, rollouts: Sequence[Rollout]) -> None:
        if self.verifier.tokenizer is not None:
            check_tokenizer(self.verifier.tokenizer, rollouts)
        room = getattr(self.verifier.model.config, "max_position_embeddings", None)
        longest = max((len(r.prompt_ids) + len(r.ids) for r in rollouts), default=0)
        if room and longest > room:
            raise ValueError(
                f"a rollout has {longest} tokens and the reward model's context {room}: "
                "lower max_new_tokens"
            )

    def _read(self, asked: Sequence[tuple[int, Key]], rollouts: Sequence[Rollout]) -> None:
        """Read those texts that are new, in passes of texts of like length."""
        new: dict[Key, int] = {}
        for i, key in asked:
            if key not in self.scores:
                new.setdefault(key, i)
        ordered = sorted(new.items(), key=lambda item: -len(item[0]))
        most = max(self.verifier.tokens_per_batch // max(map(len, new), default=1), 1)
        for j in range(0, len(ordered), most):
            part = ordered[j : j + most]
            pasts = [self._known(key, rollouts[i]) for key, i in part]
            self._pass([key for key, _ in part], pasts)
            for (key, i), past in zip(part, pasts, strict=True):
                self.costs[i] += self._cost(len(key), past.size if past else 0)

    def _known(self, key: Key, rollout: Rollout) -> Past | None:
        """The longest beginning of a text that was read: one of its rollout's steps, or prompt."""
        size = len(rollout.prompt_ids)
        ends = [size, *(size + end for end in rollout.step_ends)]
        for end in reversed(ends):
            if end < len(key) and key[:end] in self.pasts:
                return self.pasts[key[:end]]
        return None

    @torch.inference_mode()
    def _pass(self, keys: Sequence[Key], pasts: Sequence[Past | None]) -> None:
        model = self.verifier.model
        body = SimpleNamespace(config=model.config, model=model.base_model, lm_head=model.score)
        decoder = Decoder(body, 1)
        logits = decoder.prefill([list(key) for key in keys], 1, list(pasts))  # (P, labels)
        bias = 0 if model.score.bias is None else model.score.bias
        scores = margin(logits + bias).sigmoid().tolist()
        sizes = [len(k) - (p.size if p else 0) for k, p in zip(keys, pasts, strict=True)]
        blocks = decoder.read(sizes)
        for key, past, block, value in zip(keys, pasts, blocks, scores, strict=True):
            self.pasts[key], self.scores[key] = Past(block, past), value

    def _cost(self, upto: int, skipped: int) -> Ledger:
        """What reading the tokens from `skipped` to `upto` costs, charged to the verifier too."""
        read = upto - skipped
        flops = forward_flops(self.shape, read, skipped + (read + 1) / 2, logits_tokens=0)
        cost = Ledger(scored_tokens=read, verifier_flops=flops)
        self.verifier.ledger += cost
        return cost


def can_remember(scorer) -> bool:
    """Whether it is a reward model whose body the lab's own decoder runs."""
    return isinstance(scorer, RewardModel) and keeps_pasts(scorer.model)


def _key(rollout: Rollout, at: int) -> Key:
    """Prompt and completion up to its token number `at`, that one included; -1: the prompt."""
    return (*rollout.prompt_ids, *rollout.ids[: at + 1])
