"""The one sampling engine: prompts in, rollouts out, with log-probabilities and cost.

Leaves out how a step of the model is computed (`decoder`). Every rollout draws its tokens by
inverse CDF from a random stream of its own, so it does not depend on the batch it is in.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from o1lab.measure.compute import forward_flops, shape_of
from o1lab.model.decoder import decoder_for, keeps_pasts
from o1lab.model.pasts import Keeper, Past
from o1lab.model.rollouts import Rollout
from o1lab.model.steps import newline_ids, step_ends

DROP_BELOW = 0.85  # finished rows leave once less than this share of the rows is still writing


@dataclass(frozen=True)
class Settings:
    """How to sample; what `generate` documents."""

    n: int
    max_new_tokens: int
    temperature: float
    seed: int
    stop: str
    batch_rows: int
    remember: bool = False


@dataclass(frozen=True)
class _Request:
    """One prompt with the beginning of its completion, both as token ids; `at`: its place."""

    at: int
    prompt: list[int]
    start: list[int]
    first: int  # rollouts of the same text asked for before this one, in this call
    past: Past | None = None  # what need not be read of them

    @property
    def skipped(self) -> int:
        return self.past.size if self.past else 0

    @property
    def ids(self) -> list[int]:
        return self.prompt + self.start


@dataclass(frozen=True)
class Written:
    """What one row wrote after its start: token ids, log-probabilities, and whether it ended."""

    ids: list[int]
    logprobs: list[float]
    ended: bool
    past: Past | None = None


def generate(
    model,
    tokenizer,
    prompts: Sequence[str],
    *,
    n: int = 1,
    max_new_tokens: int = 256,
    temperature: float = 1.0,
    seed: int = 0,
    stop: str = "end",
    prefixes: Sequence[str | list[int]] | None = None,
    problems: Sequence | None = None,
    pasts: Sequence[Past | None] | None = None,
    batch_rows: int = 512,
    progress: bool = False,
) -> list[list[Rollout]]:
    """n rollouts of each prompt, in the prompts' order, from any Hugging Face causal LM.

    temperature: 0 takes the likeliest token. Log-probabilities are those of the distribution
        sampled from (at temperature 0: of the model's own).
    seed: with the prompt's tokens and the rollout's number it fixes the random stream. A prompt
        given twice gets other rollouts the second time.
    stop: "end" writes to the end token; "step" also stops after the next whole step of thought.
    prefixes: for each prompt the beginning of its completion, as text or token ids. Rollouts
        contain it, with log-probability 0, and its FLOPs are shared like the prompt's.
    problems: what each prompt asks; kept in the rollouts.
    pasts: for each prompt the `past` of the rollout that its prefix is, or None. What that holds
        is not read again, and unfinished rollouts get theirs (where `keeps_pasts(model)`).
    batch_rows: the most rollouts in flight; changes speed and memory only.

    Raises ValueError for bad settings or a prompt that leaves no room, before any work.
    """
    remember = pasts is not None and keeps_pasts(model)
    settings = Settings(n, max_new_tokens, temperature, seed, stop, batch_rows, remember)
    pasts = pasts if remember else [None] * len(prompts)
    prefixes = [""] * len(prompts) if prefixes is None else prefixes
    problems = [None] * len(prompts) if problems is None else problems
    _check(settings, prompts, prefixes, problems, pasts)
    requests = _requests(tokenizer, prompts, prefixes, pasts, n)
    _check_room(model, requests, max_new_tokens)
    groups: list[list[Rollout]] = [[] for _ in prompts]
    shape = shape_of(model.config)
    with _bar(len(prompts) * n, progress) as bar:
        for chunk, numbers in _chunks(requests, n, batch_rows):
            rows = [request for request in chunk for _ in numbers]
            streams = [_uniforms(r, k, settings) for r in chunk for k in numbers]
            written = _run(model, tokenizer, chunk, np.stack(streams), settings)
            for request, found in zip(rows, written, strict=True):
                rollout = _rollout(shape, tokenizer, request, found, problems[request.at], n)
                groups[request.at].append(rollout)
            bar.update(len(rows))
    return groups


def _check(settings: Settings, prompts, prefixes, problems, pasts) -> None:
    if isinstance(prompts, str):
        raise ValueError("prompts is one text: give a list of texts")
    if settings.n < 1 or settings.max_new_tokens < 1 or settings.batch_rows < 1:
        raise ValueError("n, max_new_tokens and batch_rows must be at least 1")
    if not 0 <= settings.temperature < float("inf"):
        raise ValueError(f"temperature {settings.temperature}: give a number of at least 0")
    if settings.stop not in ("end", "step"):
        raise ValueError(f'stop {settings.stop!r}: choose "end" or "step"')
    if not len(prompts) == len(prefixes) == len(problems) == len(pasts):
        raise ValueError("prompts, prefixes, problems and pasts must be of one length")


def _check_room(model, requests: list[_Request], max_new_tokens: int) -> None:
    room = getattr(model.config, "max_position_embeddings", None)
    for request in requests:
        if not request.ids:
            raise ValueError(f"prompt {request.at} is empty: the model needs a token to begin")
        if request.skipped >= len(request.ids):
            raise ValueError(f"the past of prompt {request.at} is not that of its prefix")
        if room and len(request.ids) + max_new_tokens > room:
            raise ValueError(
                f"prompt {request.at} has {len(request.ids)} tokens: with {max_new_tokens} new "
                f"ones it passes the model's {room}. Lower max_new_tokens or shorten it."
            )


def _requests(tokenizer, prompts, prefixes, pasts, n: int) -> list[_Request]:
    seen: Counter = Counter()
    out = []
    for at, (prompt, prefix, past) in enumerate(zip(prompts, prefixes, pasts, strict=True)):
        start = prefix
        if isinstance(prefix, str):
            start = tokenizer.encode(prefix, add_special_tokens=False) if prefix else []
        ids = tokenizer.encode(prompt)
        key = (*ids, *start)
        out.append(_Request(at, ids, list(start), seen[key], past))
        seen[key] += n
    return out


def _chunks(requests: list[_Request], n: int, rows: int):
    """(requests, numbers of their rollouts) of at most `rows` rows, of like length together."""
    ordered = sorted(requests, key=lambda r: -len(r.ids))
    for i in range(0, n, rows):
        numbers = range(i, min(i + rows, n))
        each = max(rows // len(numbers), 1)
        for j in range(0, len(ordered), each):
            yield ordered[j : j + each], numbers


def _bar(total: int, progress: bool):
    from tqdm.auto import tqdm

    return tqdm(total=total, disable=not progress, unit="rollout")


def _uniforms(request: _Request, number: int, settings: Settings) -> np.ndarray:
    """The rollout's own stream: one uniform number a token, (max_new_tokens,) float32."""
    name = f"{settings.seed} {request.first + number} {request.ids}"
    key = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=16).digest(), "big")
    stream = np.random.Generator(np.random.Philox(key=key))
    return stream.random(settings.max_new_tokens, dtype=np.float32)


def draw(logits: torch.Tensor, temperature: float, uniforms: torch.Tensor):
    """Tokens (R,) by inverse CDF from logits (R, V), and their log-probabilities (R,)."""
    if logits.dtype in (torch.float16, torch.bfloat16):
        logits = logits.float()
    if temperature == 0:
        logprobs = logits.log_softmax(-1)
        tokens = logprobs.argmax(-1)
    else:
        logprobs = (logits if temperature == 1 else logits / temperature).log_softmax(-1)
        cumulative = logprobs.exp().cumsum(-1)
        height = uniforms[:, None] * cumulative[:, -1:]
        tokens = torch.searchsorted(cumulative, height, right=True).squeeze(-1)
        tokens = tokens.clamp(max=logits.shape[-1] - 1)
    return tokens, logprobs.gather(-1, tokens[:, None]).squeeze(-1)


@torch.inference_mode()
def _run(model, tokenizer, requests, uniforms: np.ndarray, settings: Settings) -> list[Written]:
    """Decode one chunk: `requests` prompts times n rows, to the end of the last row."""
    rows, room = uniforms.shape
    device = next(model.parameters()).device
    stops = _Stops(model, tokenizer, requests, rows, settings.stop)
    streams = torch.from_numpy(uniforms.T.copy()).to(device)
    ids = torch.zeros(room, rows, dtype=torch.long, device=device)
    logprobs = torch.zeros(room, rows, dtype=torch.float64, device=device)
    lengths = torch.full((rows,), room, device=device)
    here = torch.arange(rows, device=device)  # which row each row of the batch is
    alive = torch.ones(rows, dtype=torch.bool, device=device)
    decoder = decoder_for(model, room)
    each, pasts = rows // len(requests), [r.past for r in requests]
    logits = decoder.prefill([r.ids for r in requests], each, pasts if settings.remember else None)
    sizes = [len(r.ids) - r.skipped for r in requests]
    keeper = Keeper(decoder, pasts, sizes, each) if settings.remember else None
    for t in range(room):
        tokens, likely = draw(logits, settings.temperature, streams[t, here])
        ids[t, here], logprobs[t, here] = tokens, likely.double()
        done = stops(tokens, here, ids[: t + 1]) & alive
        if keeper and (done.any() or t + 1 == room):
            keeper((done if t + 1 < room else alive) & ~stops.table[tokens], here)
        if done.any():
            lengths[here[done]] = t + 1
            alive = alive & ~done
            kept = alive.nonzero().squeeze(-1)
            if len(kept) == 0:
                break
            if len(kept) < DROP_BELOW * len(here):
                decoder.keep(kept)
                here, tokens, alive = here[kept], tokens[kept], alive[kept]
        if t + 1 < room:
            logits = decoder.step(tokens)
    return _cut(ids.T, logprobs.T, lengths, stops.ends, keeper.found if keeper else {})


def _cut(ids, logprobs, lengths, ends: set[int], pasts: dict[int, Past]) -> list[Written]:
    found = enumerate(zip(ids.tolist(), logprobs.tolist(), lengths.tolist(), strict=True))
    return [Written(i[:m], p[:m], i[m - 1] in ends, pasts.get(row)) for row, (i, p, m) in found]


class _Stops:
    """Which rows have just written their last token."""

    def __init__(self, model, tokenizer, requests, rows: int, stop: str):
        self.tokenizer = tokenizer
        self.ends = end_ids(model, tokenizer)
        self.table = torch.zeros(model.config.vocab_size, dtype=torch.bool)
        self.table[list(self.ends)] = True
        self.table = self.table.to(next(model.parameters()).device)
        self.starts = [r.start for r in requests for _ in range(rows // len(requests))]
        self.breaks = newline_ids(tokenizer) if stop == "step" else frozenset()

    def __call__(self, tokens: torch.Tensor, here, ids) -> torch.Tensor:
        done = self.table[tokens]
        if self.breaks:
            for i, token in enumerate(tokens.tolist()):
                if token in self.breaks and self._closes(int(here[i]), ids):
                    done[i] = True
        return done

    def _closes(self, row: int, ids: torch.Tensor) -> bool:
        """Whether the line break just written, ids (t, rows), ends a step."""
        whole = self.starts[row] + ids[:, row].tolist()
        return len(whole) in step_ends(self.tokenizer, whole)


def end_ids(model, tokenizer) -> set[int]:
    """Ids that end a completion: the tokenizer's and those of the model's generation config."""
    given = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    given = given if isinstance(given, list) else [given]
    return {i for i in (*given, tokenizer.eos_token_id) if i is not None}


def _rollout(shape, tokenizer, request: _Request, found: Written, problem, n: int) -> Rollout:
    ids = request.start + found.ids
    shown = ids[:-1] if found.ended else ids
    return Rollout(
        problem=problem,
        prompt_ids=request.prompt,
        ids=ids,
        logprobs=[0.0] * len(request.start) + found.logprobs,
        text=tokenizer.decode(shown),
        step_ends=step_ends(tokenizer, shown),
        finished=found.ended,
        flops=_flops(shape, request.skipped, len(request.ids), len(found.ids), n),
        past=found.past,
    )


def _flops(config, skipped: int, start: int, written: int, n: int) -> float:
    """Forward FLOPs of a rollout: its share of one prefill, and every token fed after it."""
    read = start - skipped
    prefill = forward_flops(config, read, skipped + (read + 1) / 2, logits_tokens=1) / n
    return prefill + forward_flops(config, written - 1, start + written / 2)
