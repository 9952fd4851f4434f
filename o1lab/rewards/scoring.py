"""Learned scorers: one pass of a token classifier gives every step of a rollout its score.

Leaves out how such a model is built and trained (`models`).
"""

import copy
from collections.abc import Iterator, Sequence

import torch

from o1lab.measure.compute import Ledger, forward_flops
from o1lab.model.rollouts import Rollout
from o1lab.rewards.base import judged_at
from o1lab.rewards.completions import check_tokenizer

KINDS = ("prm", "orm")
Rows = list[tuple[list[int], list[int]]]  # (token ids, the places among them to read)


class RewardModel:
    """A trained verifier: a stock token classifier whose positive logit means "right".

    kind: "prm" or "orm", how it was trained. Either reads a step where `judged_at` says; the last
        score of a finished rollout has seen its answer, and is an ORM's score of the solution.
    tokenizer: that of the rollouts' token ids; None skips the check of it.
    shared: read a prompt that several rollouts share once, and all their completions after its
        keys and values; False reads each rollout alone. The scores are the same. Equal rollouts
        are read once in either case.
    tokens_per_batch: the most padded tokens in a pass; changes speed and memory only.
    ledger: what all calls so far have cost. It is a scorer, and `checkpoints.save` saves it.
    """

    def __init__(
        self,
        model,
        tokenizer=None,
        kind: str = "prm",
        name: str = "",
        recipe: dict | None = None,
        shared: bool = True,
        tokens_per_batch: int = 8192,
    ):
        if kind not in KINDS:
            raise ValueError(f"kind {kind!r}: choose one of {', '.join(KINDS)}")
        self.model, self.tokenizer, self.kind, self.name = model.eval(), tokenizer, kind, name
        self.recipe, self.shared, self.tokens_per_batch = recipe or {}, shared, tokens_per_batch
        self.ledger = Ledger()

    def __call__(self, rollouts: Sequence[Rollout]) -> list[list[float]]:
        """One score in 0..1 a step; a rollout without a step gets none.

        ValueError for one longer than the model's context or of another tokenizer.
        """
        return self._read(rollouts, [judged_at(rollout) for rollout in rollouts])

    def outcomes(self, rollouts: Sequence[Rollout]) -> list[float]:
        """The score on the last token of each completion; ValueError for an empty one."""
        if any(not rollout.ids for rollout in rollouts):
            raise ValueError("a rollout without tokens has no last one: leave it out")
        return [row[0] for row in self._read(rollouts, [[len(r.ids) - 1] for r in rollouts])]

    def _read(self, rollouts, places: list[list[int]]) -> list[list[float]]:
        """The scores at these places of each completion; equal rollouts are read once."""
        self._check(rollouts)
        asked = [
            (*r.prompt_ids, -1, *r.ids, -1, *at) for r, at in zip(rollouts, places, strict=True)
        ]
        first: dict[tuple, int] = {}
        for i, key in enumerate(asked):
            first.setdefault(key, i)
        chosen = list(first.values())
        found = self._score([rollouts[i] for i in chosen], [places[i] for i in chosen])
        scores = dict(zip(first, found, strict=True))
        return [list(scores[key]) for key in asked]

    @torch.inference_mode()
    def _score(self, rollouts, places: list[list[int]]) -> list[list[float]]:
        """As `_read`, of distinct rollouts."""
        out: list[list[float]] = [[] for _ in rollouts]
        for prompt, group in self._groups(rollouts, places):
            rows = [_row(rollouts[i], places[i], len(prompt)) for i in group]
            for i, scores in zip(group, self._after(prompt, rows), strict=True):
                out[i] = scores
        return out

    def _check(self, rollouts: Sequence[Rollout]) -> None:
        if self.tokenizer is not None:
            check_tokenizer(self.tokenizer, rollouts)
        room = getattr(self.model.config, "max_position_embeddings", None)
        for i, rollout in enumerate(rollouts):
            size = len(rollout.prompt_ids) + len(rollout.ids)
            if room and size > room:
                raise ValueError(
                    f"rollout {i} has {size} tokens and the reward model's context {room}: "
                    "`screen(rollouts, context)` sets such rollouts aside and counts them"
                )

    def _groups(self, rollouts, places) -> list[tuple[list[int], list[int]]]:
        """(prompt to read once, rollouts after it); those read alone are after an empty one."""
        asked: dict[tuple, list[int]] = {}
        for i, rollout in enumerate(rollouts):
            if places[i]:
                asked.setdefault(tuple(rollout.prompt_ids), []).append(i)
        together = {p: g for p, g in asked.items() if self.shared and p and len(g) > 1}
        alone = [i for prompt, group in asked.items() if prompt not in together for i in group]
        groups = [(list(prompt), group) for prompt, group in together.items()]
        return [*groups, ([], alone)] if alone else groups

    def _after(self, prompt: list[int], rows: Rows) -> list[list[float]]:
        """Scores of rows that all come after this prompt, which is read once."""
        cache = self._cache(prompt) if prompt else None
        out: list[list[float]] = [[] for _ in rows]
        for bucket in buckets([len(ids) for ids, _ in rows], self.tokens_per_batch):
            chosen = [rows[i] for i in bucket]
            for i, scores in zip(bucket, self._pass(chosen, cache, len(prompt)), strict=True):
                out[i] = scores
        return out

    def _cache(self, prompt: list[int]):
        """The keys and values of a prompt, (1, K, P, d) a layer."""
        from transformers import DynamicCache

        cache = DynamicCache(config=self.model.config)
        self._hidden([prompt], cache)
        self._count([len(prompt)], 0)
        return cache

    def _pass(self, rows: Rows, cache, past: int) -> list[list[float]]:
        """One forward pass over these rows, after a prompt of `past` tokens."""
        if cache is not None:
            cache = copy.deepcopy(cache)
            cache.batch_repeat_interleave(len(rows))
        hidden = self._hidden([ids for ids, _ in rows], cache)  # (B, T, D)
        self._count([len(ids) for ids, _ in rows], past)
        at = [(b, place) for b, (_, places) in enumerate(rows) for place in places]
        b, t = torch.tensor(at, device=hidden.device).T
        scores = iter(margin(self.model.score(hidden[b, t])).sigmoid().tolist())
        return [[next(scores) for _ in places] for _, places in rows]

    def _hidden(self, rows: list[list[int]], cache) -> torch.Tensor:
        """Last hidden states (B, T, D); padding on the right, which no real token can see."""
        width = max(map(len, rows))
        ids = torch.tensor([row + [0] * (width - len(row)) for row in rows])  # (B, T)
        ids = ids.to(next(self.model.parameters()).device)
        body = self.model.base_model
        out = body(input_ids=ids, past_key_values=cache, use_cache=cache is not None)
        return out.last_hidden_state

    def _count(self, sizes: list[int], past: int) -> None:
        """Charge the ledger for rows of these many tokens after `past` others."""
        config = self.model.config
        flops = [forward_flops(config, n, past + (n + 1) / 2, logits_tokens=0) for n in sizes]
        self.ledger += Ledger(scored_tokens=sum(sizes), verifier_flops=sum(flops))


def _row(rollout: Rollout, places: list[int], read: int) -> tuple[list[int], list[int]]:
    """What is left to read of a rollout, to its last place, once `read` tokens have been read."""
    skipped = len(rollout.prompt_ids) - read
    ids = (rollout.prompt_ids if skipped else []) + rollout.ids[: max(places) + 1]
    return ids, [skipped + place for place in places]


def buckets(lengths: Sequence[int], most: int) -> Iterator[list[int]]:
    """Places of like lengths, longest first, each bucket of at most `most` padded tokens.

    One that is longer makes a bucket of its own.
    """
    bucket: list[int] = []
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if bucket and (len(bucket) + 1) * lengths[bucket[0]] > most:
            yield bucket
            bucket = []
        bucket.append(i)
    if bucket:
        yield bucket


def margin(logits: torch.Tensor) -> torch.Tensor:
    """Log-odds of "right" (M,) from two logits (wrong, right) or from one: (M, 2) or (M, 1).

    At least float32. ValueError for another number of labels.
    """
    logits = logits if logits.dtype == torch.float64 else logits.float()
    if logits.shape[-1] == 2:
        return logits[:, 1] - logits[:, 0]
    if logits.shape[-1] == 1:
        return logits[:, 0]
    raise ValueError(f"{logits.shape[-1]} labels a token: a reward model has two, or one")
