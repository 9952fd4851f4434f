"""The peer of `bench_ppo`: PPO as it is plainly written on `transformers`, one forward a model.

`generate` with its cache, then policy, reference, value and reward model each over the padded
batch with a mask, all logits computed; SDPA, float32, the threads of the process. Leaves out
everything that is not timed: metrics, ledgers, checkpoints.
"""

import copy
import time

import torch

from o1lab.make.bench_rollout import padded_left
from o1lab.rl.advantages import gae, whiten
from o1lab.rl.objectives import clipped_objective, value_loss

SCORED_AT_ONCE = 64  # rows in a forward pass of scoring


def iteration(
    policy, judge, problems, world, each: int, new: int, epochs: int, minibatches: int, rate: float
) -> dict[str, float]:
    """Sample, score and update once from these weights; the seconds of each part."""
    model, reference = copy.deepcopy(policy.model), policy.model
    critic = copy.deepcopy(judge)  # a token classifier: its first logit is the value
    trained = [*model.parameters(), *critic.parameters()]
    optimizer = torch.optim.AdamW(trained, lr=rate, eps=1e-5, weight_decay=0.0)
    clock = [time.perf_counter()]
    ids, mask, width = sample(model, policy.tokenizer, problems, each, new)
    clock.append(time.perf_counter())
    scored = score(model, reference, critic, judge, policy.tokenizer, world, problems, ids, mask,
                   width, each)  # fmt: skip
    clock.append(time.perf_counter())
    for _ in range(epochs):
        for rows in torch.randperm(len(ids)).chunk(minibatches):
            step(model, critic, optimizer, ids[rows], mask[rows], width, scored, rows)
    clock.append(time.perf_counter())
    parts = zip(("rollout", "score", "update"), clock[:-1], clock[1:], strict=True)
    return {part: end - begin for part, begin, end in parts}


def sample(model, tokenizer, problems, each: int, new: int):
    """Ids (N, T) with prompts padded on the left, their mask, and the prompts' width."""
    prompts = [tokenizer.encode(problem.prompt) for problem in problems]
    text, mask = padded_left(prompts)
    width = text.shape[1]
    with torch.inference_mode():
        ids = model.generate(
            text, attention_mask=mask, do_sample=True, top_k=0, temperature=1.0,
            num_return_sequences=each, max_new_tokens=new,
            eos_token_id=tokenizer.eos_token_id, pad_token_id=0,
        ).clone()  # fmt: skip
    ends = (ids[:, width:] == tokenizer.eos_token_id).long()
    written = (ends.cumsum(-1) - ends == 0).long()  # up to the end token, which counts
    return ids, torch.cat([mask.repeat_interleave(each, 0), written], 1), width


def forward(model, ids, mask):
    """Logits (N, T, ·) over the padded rows."""
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    return model(input_ids=ids, attention_mask=mask, position_ids=positions).logits


def chances(model, ids, mask, width: int):
    """Log-probabilities (N, R) of what was written."""
    logits = forward(model, ids, mask)[:, width - 1 : -1].log_softmax(-1)
    return logits.gather(-1, ids[:, width:, None]).squeeze(-1)


@torch.no_grad()
def score(model, reference, critic, judge, tokenizer, world, problems, ids, mask, width, each):
    """Old log-probabilities, values, advantages and returns, (N, R) each."""
    pieces = []
    for i in range(0, len(ids), SCORED_AT_ONCE):
        rows, seen = ids[i : i + SCORED_AT_ONCE], mask[i : i + SCORED_AT_ONCE]
        old, other = (chances(m, rows, seen, width) for m in (model, reference))
        values = forward(critic, rows, seen)[:, width - 1 : -1, 0]
        judged = forward(judge, rows, seen)[:, width:].softmax(-1)[..., 1]
        pieces.append((old, other, values, judged))
    old, other, values, judged = (torch.cat(column) for column in zip(*pieces, strict=True))
    written = mask[:, width:].bool()
    line = ids[:, width:] == tokenizer.convert_tokens_to_ids("\n")  # a step's last token
    rewards = judged * (line & written) - 0.05 * (old - other) * written
    ends = written.sum(-1) - 1
    for i, row in enumerate(ids[:, width:]):
        answer = tokenizer.decode(row[: ends[i]]).rpartition("</think>")[2].strip()
        rewards[i, ends[i]] += float(world.grade(problems[i // each], answer))
    advantages, returns = gae(rewards, values, written)
    return old, values, whiten(advantages, written), returns


def step(model, critic, optimizer, ids, mask, width: int, scored, rows) -> None:
    """One update on a minibatch of whole padded rows."""
    old, before, advantages, returns = (column[rows] for column in scored)
    written = mask[:, width:].bool()
    new = chances(model, ids, mask, width)
    values = forward(critic, ids, mask)[:, width - 1 : -1, 0]
    gain = clipped_objective(new, old, advantages)[written].mean()
    loss = 0.1 * value_loss(values, before, returns)[written].mean() - gain
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_([p for g in optimizer.param_groups for p in g["params"]], 1.0)
    optimizer.step()
