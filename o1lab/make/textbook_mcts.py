"""Tree search as a textbook has it: one problem, one leaf, one policy call, one scorer call.

The peer of the bench and the oracle of the tests; slow, and written without the library's search.
"""

from dataclasses import dataclass, field
from math import exp, log, sqrt

from o1lab.model.rollouts import Rollout
from o1lab.model.steps import step_ends

C_INIT, C_BASE, REDUCTION = 1.25, 19652, 0.2


@dataclass
class Place:
    """A node: a prefix of steps, its prior, N, W, its children, and whether nothing can follow."""

    rollout: Rollout
    prior: float = 1.0
    visits: int = 0
    total: float = 0.0
    children: list["Place"] = field(default_factory=list)
    judged: bool = False
    value: float = 0.0
    over: bool = False


def textbook(sample, scorer, start: Rollout, simulations: int, longest: int) -> Place:
    """The tree after some simulations from one problem's empty prefix.

    sample: a prefix to its sampled continuations by one step. longest: the most tokens of a prefix
    that may still be continued.
    """
    root = Place(start, judged=True)
    for _ in range(simulations):
        path = [root]
        while path[-1].children:
            path.append(choose(path[-1]))
        if path[-1].judged and not path[-1].over:
            expand(path[-1], sample(path[-1].rollout), longest)
            path.append(choose(path[-1]))
        leaf = path[-1]
        if not leaf.judged:
            leaf.value, leaf.judged = judge(scorer, leaf), True
        for place in path:
            place.visits += 1
            place.total += leaf.value
        if all_known(root):
            break
    return root


def choose(place: Place) -> Place:
    """PUCT with first-play urgency."""
    whole = sum(child.visits for child in place.children)
    if whole == 0:
        return max(place.children, key=lambda child: child.prior)
    c = C_INIT + log((1 + place.visits + C_BASE) / C_BASE)
    best, highest = None, float("-inf")
    for child in place.children:
        if child.visits == 0:
            worth = max(0.0, place.total / place.visits - REDUCTION)
        else:
            worth = child.total / child.visits
        worth += c * child.prior * sqrt(whole) / (1 + child.visits)
        if worth > highest:
            best, highest = child, worth
    return best


def expand(place: Place, samples: list[Rollout], longest: int) -> None:
    """Children of the samples, equal ones merged, the softmax of the log-probabilities as prior."""
    begun = len(place.rollout.ids)
    odds = [exp(sum(sample.logprobs[begun:])) for sample in samples]
    for sample, chance in zip(samples, odds, strict=True):
        same = [c for c in place.children if c.rollout.text == sample.text]
        same = [c for c in same if c.rollout.finished == sample.finished]
        if same:
            same[0].prior += chance / sum(odds)
            continue
        cut = sample.step_ends[-1:] != [len(sample.ids)] or not sample.text.endswith("\n")
        over = sample.finished or cut or len(sample.ids) > longest
        place.children.append(Place(sample, chance / sum(odds), over=over))


def judge(scorer, place: Place) -> float:
    """The score of the last step; 0 where the prefix was cut or has no step."""
    if place.over and not place.rollout.finished:
        return 0.0
    row = scorer([place.rollout])[0]
    return row[-1] if len(row) else 0.0


def all_known(place: Place) -> bool:
    """Whether nothing below can change any more."""
    if not place.children:
        return place.over and place.judged
    return all(child.judged for child in place.children) and all(map(all_known, place.children))


def engine_sampler(policy, samples: int, step_tokens: int, seed: int = 0, temperature: float = 1.0):
    """One step more of one prefix, from the lab's engine."""
    from o1lab.model.generate import generate

    def sample(prefix: Rollout) -> list[Rollout]:
        return generate(
            policy.model, policy.tokenizer, [prefix.problem.prompt], n=samples, seed=seed,
            max_new_tokens=step_tokens, temperature=temperature, stop="step",
            prefixes=[prefix.ids], problems=[prefix.problem],
        )[0]  # fmt: skip

    return sample


def hub_sampler(policy, samples: int, step_tokens: int):
    """The same from the `transformers` `generate`, with its cache, stopped at a line break.

    The line break after `<think>` ends no step, so a first step asks once more.
    """
    import torch

    model, tokenizer = policy.model, policy.tokenizer
    newline = tokenizer.convert_tokens_to_ids("\n")
    ends = [newline, tokenizer.eos_token_id]
    closing = tokenizer.convert_tokens_to_ids("</think>")

    def write(ids: list[list[int]], n: int) -> tuple[list[list[int]], list[list[float]]]:
        with torch.inference_mode():
            out = model.generate(
                torch.tensor(ids), do_sample=True, top_k=0, num_return_sequences=n,
                max_new_tokens=step_tokens, eos_token_id=ends, pad_token_id=tokenizer.pad_token_id,
                return_dict_in_generate=True, output_logits=True,
            )  # fmt: skip
            logits = torch.stack(out.logits, 1).log_softmax(-1)  # (n, T, V)
        new = out.sequences[:, len(ids[0]) :]  # (n, T)
        odds = logits.gather(-1, new[..., None]).squeeze(-1)  # (n, T)
        return _cut(new.tolist(), odds.tolist(), ends)

    def sample(prefix: Rollout) -> list[Rollout]:
        ids, logprobs = write([prefix.prompt_ids + prefix.ids], samples)
        rows = []
        for row, odds in zip(ids, logprobs, strict=True):
            if len(row) == 2 or closing in row:  # `<think>` or `</think>` and a line break
                more, likely = write([prefix.prompt_ids + prefix.ids + row], 1)
                row, odds = row + more[0], odds + likely[0]
            rows.append(_rollout(prefix, row, odds, tokenizer))
        return rows

    return sample


def _cut(ids: list[list[int]], odds: list[list[float]], ends: list[int]):
    """Rows up to their first end, the padding after it removed."""
    sizes = [next((i + 1 for i, token in enumerate(row) if token in ends), len(row)) for row in ids]
    cut = [(i[:n], o[:n]) for i, o, n in zip(ids, odds, sizes, strict=True)]
    return [i for i, _ in cut], [o for _, o in cut]


def _rollout(prefix: Rollout, row: list[int], odds: list[float], tokenizer) -> Rollout:
    ids, finished = prefix.ids + row, row[-1] == tokenizer.eos_token_id
    shown = ids[:-1] if finished else ids
    return Rollout(
        problem=prefix.problem,
        prompt_ids=prefix.prompt_ids,
        ids=ids,
        logprobs=[0.0] * len(prefix.ids) + odds,
        text=tokenizer.decode(shown),
        step_ends=step_ends(tokenizer, shown),
        finished=finished,
    )
