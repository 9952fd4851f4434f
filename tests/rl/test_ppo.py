"""PPO on tiny models: ratio 1 before the first step, gradients, learning, placebo, resuming."""

import json
import math
from dataclasses import replace

import pytest
import torch

from o1lab.measure.compute import forward_flops
from o1lab.model import training_state as state
from o1lab.model.generate import generate
from o1lab.model.updates import gradients
from o1lab.rewards.base import ExactScorer
from o1lab.rl import loop
from o1lab.rl.experience import estimate, look, with_columns
from o1lab.rl.loop import RLDiverged
from o1lab.rl.metrics import Tally, held_out
from o1lab.rl.policy_value import ActorCritic
from o1lab.rl.ppo import ppo
from o1lab.rl.rewards import length, pay, placebo, steps
from o1lab.rl.rows import minibatches
from o1lab.rl.settings import RLConfig, annealed
from o1lab.rl.update import policy_loss, updates
from tests.rl.test_rl_killed import without_times
from tests.rl.tiny_rl import Digits, config, policy, problems, reward


def seen_by(asked, settings, model=None, paid_by=None):
    """The experience of one iteration of a tiny policy, and the model that has it."""
    model = model or ActorCritic(asked.model, settings.critic)
    start = problems(0)
    groups = generate(asked.model, asked.tokenizer, [p.prompt for p in start], problems=start,
                      n=settings.rollouts, max_new_tokens=settings.max_new_tokens,
                      temperature=settings.temperature)  # fmt: skip
    rollouts = [rollout for group in groups for rollout in group]
    paid = pay(paid_by or reward(no_answer=None), rollouts)
    reference = policy(1).model if asked.name == "xs" else asked.model
    precision = torch.no_grad
    return look(model, reference, rollouts, paid, settings, 0, precision), model


@pytest.mark.parametrize("kind", ["llama", "qwen"])
@pytest.mark.parametrize("critic", ["shared", "separate"])
@pytest.mark.parametrize("temperature", [0.7, 1.0])
def test_ratio_is_exactly_one_before_the_first_step(kind, critic, temperature):
    settings = config(temperature=temperature, critic=critic)
    seen, model = seen_by(policy(kind=kind), settings)
    columns = {"old": seen.logprobs, "values": seen.values, "reference": seen.reference}
    columns |= estimate(seen, settings, settings.beta)
    tally = Tally()
    for micro in [rows for part in seen.first for rows in part]:
        loss = policy_loss(model, with_columns(micro, columns), settings, 0.1, 1.0, tally)
        assert loss.requires_grad
    found = tally.means()
    assert found["ratio_mean"] == 1 and found["ratio_var"] == 0
    assert found["approx_kl"] == 0 and found["clip_fraction"] == 0
    assert tally.tokens == sum(len(r.ids) for r in seen.rollouts)


def test_the_first_update_of_a_run_has_ratio_one():
    seen, model = seen_by(policy(), config(minibatches=1, epochs=1))
    settings = config(minibatches=1, epochs=1)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    made = updates(model, optimizer, seen, estimate(seen, settings, 0.1), settings, 0.1, 0)
    assert made.tally.means()["ratio_mean"] == 1 and made.count == 1 and made.norm > 0
    again = updates(model, optimizer, seen, estimate(seen, settings, 0.1), settings, 0.1, 0)
    assert again.tally.means()["ratio_var"] > 0


@pytest.mark.parametrize("critic", ["shared", "separate"])
def test_the_whole_loss_agrees_with_finite_differences(critic):
    """In float64, along a random direction through every weight."""
    asked = policy()
    asked.model.double()
    settings = config(critic=critic, kl_in="loss", minibatches=1)
    seen, model = seen_by(asked, settings, ActorCritic(asked.model, critic))
    columns = {"old": [old - 0.05 for old in seen.logprobs], "values": seen.values,
               "reference": seen.reference, **estimate(seen, settings, 0.0)}  # fmt: skip
    ready = [with_columns(micro, columns) for micro in seen.first[0]]

    def whole(model, batch):
        return policy_loss(model, batch, settings, 0.3, 1.0, Tally())

    gradients(model, ready, settings, whole)
    torch.manual_seed(0)
    slope, moves = 0.0, []
    for p in model.parameters():
        move = torch.randn_like(p)
        slope += float((p.grad * move).sum())
        moves.append((p, move))
    values = []
    for size in (1e-4, -2e-4):  # the norms compute in float32
        for p, move in moves:
            p.data += size * move
        values.append(gradients(model, ready, settings, whole))
    assert slope == pytest.approx((values[0] - values[1]) / 2e-4, rel=3e-3)


def test_how_the_minibatch_is_cut_does_not_change_the_gradient():
    found = []
    for size in (60, 10_000):
        settings = config(minibatches=1, tokens_per_batch=size)
        asked = policy()
        asked.model.double()
        seen, model = seen_by(asked, settings, ActorCritic(asked.model, "shared"))
        columns = {"old": seen.logprobs, "values": seen.values, "reference": seen.reference,
                   **estimate(seen, settings, 0.1)}  # fmt: skip
        ready = [with_columns(micro, columns) for micro in seen.first[0]]
        gradients(model, ready, settings, lambda m, b, s=settings: policy_loss(m, b, s, 0.1, 1.0, Tally()))  # fmt: skip  # noqa: E501
        found.append(torch.cat([p.grad.flatten() for p in model.parameters()]))
    assert (found[0] - found[1]).norm() < 1e-6 * found[0].norm()


def test_minibatches_hold_everything_once_and_are_shuffled_anew():
    seen, _ = seen_by(policy(), config())
    for settings in (config(minibatches=3), config(minibatches=5, tokens_per_batch=40)):
        parts = [minibatches(seen.rollouts, settings, 0, epoch, True) for epoch in (0, 1, 0)]
        order = [[[i for rows in part for i in rows.rollouts] for part in epoch] for epoch in parts]
        for epoch in order:
            assert sorted(p for part in epoch for p in part) == list(range(32))
            assert len(epoch) == settings.minibatches
        assert order[0] == order[2] != order[1]


def test_truncated_rollouts_end_or_go_on_as_the_settings_say():
    settings = config()
    seen, model = seen_by(policy(), settings)
    torch.nn.init.normal_(model.head.weight)
    seen, _ = seen_by(policy(), settings, model)
    cut = next(i for i, r in enumerate(seen.rollouts) if not r.finished)
    ended = estimate(seen, settings, 0.0)["returns"][cut][-1]
    going_on = estimate(seen, replace(settings, at_limit="bootstrap"), 0.0)["returns"][cut][-1]
    paid = seen.paid.totals()[cut]
    assert float(ended) == pytest.approx(paid, abs=1e-5)
    assert float(going_on) == pytest.approx(paid + float(seen.last[cut]), abs=1e-5)


def test_the_leash_is_in_the_returns():
    settings = config(gamma=1.0, lam=1.0)
    seen, _ = seen_by(policy(), settings)
    returns = estimate(seen, settings, 0.5)["returns"]
    for back, gap, total in zip(returns, seen.gaps, seen.paid.totals(), strict=True):
        assert float(back[0]) == pytest.approx(total - 0.5 * float(gap.sum()), abs=1e-4)
    assert any(abs(float(gap.sum())) > 0.1 for gap in seen.gaps)


def run(parts=(), seed=0, folder=None, asked=None, extra=None, **changes):
    asked = asked or policy(seed)
    settings = config(**({"max_new_tokens": 3, "iterations": 16, "kl_stop": 1.0} | changes))
    paid = reward(*parts, no_answer=None)
    found = ppo(asked, lambda i: problems(i, 24), paid, settings, folder, progress=False,
                **(extra or {}))  # fmt: skip
    return found.records, asked, found


def test_an_easy_reward_is_learned_and_a_placebo_is_not():
    quick = {"learning_rate": 1e-2, "max_new_tokens": 2, "beta": 0.01}
    learned, _, _ = run(**quick)
    true = [record["true"] for record in learned]
    assert true[0] < 0.4 and true[-1] > 0.9
    assert learned[-1]["kl"] > 0 and learned[0]["kl"] == 0
    shown, _, _ = run([placebo(0.5)], **quick)
    true = [record["true"] for record in shown]
    assert abs(sum(true[-4:]) - sum(true[:4])) / 4 < 0.12 and true[-1] < 0.5
    assert all(record["true"] != record["proxy"] for record in shown)


@pytest.mark.parametrize(
    "changes",
    [{"critic": "separate"}, {"bf16": True}, {"at_limit": "bootstrap"}, {"optimizer": "muon"}],
)
def test_every_kind_of_run_reports_the_whole_record(changes):
    records, asked, found = run(iterations=2, kl_target=1.0, **changes)
    names = {"proxy", "true", "reward outcome", "kl", "approx_kl", "clip_fraction", "ratio_mean",
             "ratio_var", "entropy", "explained_variance", "length", "beta", "zero_variance",
             "loss", "grad_norm", "flops", "samples", "seconds", "lr", "finished"}  # fmt: skip
    assert all(names <= set(record) for record in records)
    assert all(math.isfinite(v) for record in records for v in record.values())
    assert json.loads(json.dumps(records)) == records
    assert found.samples == 2 * 24 * 4 and found.iterations == 2
    assert records[0]["beta"] == 0.05 > records[1]["beta"]  # KL 0 is below the target
    assert records[1]["lr"] < records[0]["lr"] and not asked.model.training


def test_the_value_function_may_learn_faster():
    for critic, moved in (("shared", 1), ("separate", 2)):
        model = ActorCritic(policy().model, critic)
        groups = model.optimizer(config(critic_rate=3.0)).param_groups
        assert [group["times"] for group in groups] == [1.0, 3.0]
        assert len(groups[1]["params"]) == 2 + (moved - 1) * len(
            list(model.policy.model.parameters())
        )
        assert all(group["eps"] == 1e-5 and group["weight_decay"] == 0 for group in groups)
    assert len(ActorCritic(policy().model, "none").optimizer(config()).param_groups) == 1


def test_muon_moves_the_matrices_of_both_bodies_and_nothing_else():
    model = ActorCritic(policy().model, "separate")
    groups = model.optimizer(config(optimizer="muon", critic_rate=3.0)).param_groups
    assert [group["times"] for group in groups] == [1.0, 3.0, 1.0, 3.0]
    assert all(p.dim() == 2 for group in groups[:2] for p in group["params"])
    moved = [id(p) for group in groups for p in group["params"]]
    assert sorted(moved) == sorted({id(p) for p in model.parameters()})
    table = id(model.policy.get_input_embeddings().weight)
    assert table in [id(p) for group in groups[2:] for p in group["params"]]


def test_a_run_with_muon_goes_on_to_the_same_bits(tmp_path):
    settings = config(iterations=4, optimizer="muon", critic="separate", save_every=1)

    class Killed(Exception):
        pass

    def kill(record):
        if record["step"] == 2:
            raise Killed

    whole, parts = policy(), policy()
    ppo(whole, problems, reward(), settings, progress=False)
    with pytest.raises(Killed):
        ppo(parts, problems, reward(), settings, tmp_path, progress=False, on_record=kill)
    parts = policy()
    ppo(parts, problems, reward(), settings, tmp_path, progress=False)
    pairs = zip(whole.model.parameters(), parts.model.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_the_rate_is_annealed_to_the_end():
    rates = [annealed(RLConfig(10, learning_rate=1.0, warmup=0.1), i) for i in range(10)]
    assert rates[0] == 1 and rates == sorted(rates, reverse=True) and 0 < rates[-1] < 0.11


def test_the_ledger_counts_every_pass():
    records, asked, found = run(iterations=1, epochs=2, kl_stop=1e9)
    assert found.flops["look"] == pytest.approx(found.flops["update"] / 3, rel=1e-9)
    assert found.ledger.flops == pytest.approx(sum(found.flops.values()))
    assert found.ledger.flops == pytest.approx(records[0]["flops"])
    shape = asked.model.config
    written = int(records[0]["length"] * 96)
    assert found.flops["look"] > 2 * forward_flops(shape, 24 * 3 + written, 4.0, written)
    assert found.ledger.generated_tokens == records[0]["length"] * 96


def test_updates_stop_early_on_kl_before_the_step_that_would_follow():
    records, _, _ = run(iterations=3, kl_stop=1e-6)
    assert all(record["stopped_early"] and record["updates"] < 4 for record in records)
    records, _, _ = run(iterations=1, kl_stop=1e9)
    assert records[0]["updates"] == 4 and not records[0]["stopped_early"]


def test_a_stopped_run_goes_on_and_equals_a_whole_one(tmp_path):
    whole, one, _ = run(iterations=6)

    def stop(record):
        if record["step"] == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(iterations=6, folder=tmp_path, extra={"on_record": stop})
    again, two, _ = run(iterations=6, folder=tmp_path)
    assert list(map(without_times, again)) == list(map(without_times, whole))
    pairs = zip(one.model.parameters(), two.model.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    thrice, _, _ = run(iterations=6, folder=tmp_path)
    assert thrice == again
    with pytest.raises(ValueError, match=r"another run .*clip"):
        run(iterations=6, folder=tmp_path, clip=0.3)
    with pytest.raises(ValueError, match=r"another run .*reward"):
        run([placebo()], iterations=6, folder=tmp_path)


def test_a_policy_that_runs_away_is_stopped_and_the_last_good_one_kept(tmp_path):
    asked = policy()
    with pytest.raises(
        RLDiverged, match=r"nats a rollout from its reference, limit 0.02.*Raise beta"
    ):
        run(iterations=9, folder=tmp_path, asked=asked, kl_limit=0.02, save_every=1, beta=0.0,
            kl_stop=1e9)  # fmt: skip
    kept = state.read_counters(tmp_path)["run"]
    records = [json.loads(line) for line in (tmp_path / state.METRICS).read_text().splitlines()]
    assert kept["step"] == len(records) - 1  # that iteration's policy had been looked at
    assert all(record["kl"] <= 0.02 for record in records)
    fresh = policy()
    model = ActorCritic(fresh.model, "shared")
    state.load_state(tmp_path, model, torch.optim.SGD(model.parameters()))
    pairs = zip(asked.model.parameters(), fresh.model.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_a_loss_that_is_no_number_stops_before_the_step(monkeypatch, tmp_path):
    asked = policy()
    before = [p.detach().clone() for p in asked.model.parameters()]
    monkeypatch.setattr(loop, "estimate", lambda *a: {
        name: [row * math.nan for row in column] for name, column in estimate(*a).items()
    })  # fmt: skip
    with pytest.raises(RLDiverged, match="iteration 0, update 0: loss nan"):
        run(folder=tmp_path, asked=asked)
    assert all(torch.equal(a, b) for a, b in zip(before, asked.model.parameters(), strict=True))
    assert state.read_counters(tmp_path)["run"]["step"] == 0
    with torch.no_grad():
        next(asked.model.parameters())[:] = math.nan
    monkeypatch.undo()
    with pytest.raises(RLDiverged, match=r"not finite.*No checkpoint has been kept"):
        run(asked=asked)


def test_held_out_accuracy_is_measured_at_both_ends_and_between():
    evaluate = held_out(policy(), Digits(), problems(99, 10), 3, n=2)
    records, _, _ = run(iterations=4, eval_every=2, extra={"evaluate": evaluate})
    assert [r["step"] for r in records if "pass@1" in r] == [0, 2, 4]
    assert [r["step"] for r in records] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("kind", ["llama", "qwen"])
def test_process_rewards_reach_the_policy_with_any_tokenizer(kind):
    parts = [steps(ExactScorer(Digits()), "difference", 0.5), length(0.1)]
    asked = policy(kind=kind)
    before = next(asked.model.parameters()).detach().clone()
    records, _, _ = run(parts, asked=asked, iterations=2, max_new_tokens=8)
    assert not torch.equal(before, next(asked.model.parameters()))
    assert all(math.isfinite(r["loss"]) and r["engine_gap"] < 1e-4 for r in records)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"iterations": 0}, "iterations is 0"),
        ({"temperature": 0.0}, "temperature is 0.0: it must be above 0"),
        ({"critic": "none"}, "needs a critic"),
        ({"critic": "twin"}, "choose one of 'shared', 'separate', 'none'"),
        ({"advantage": "grpo"}, "no use for a critic"),
        ({"advantage": "grpo", "critic": "none", "rollouts": 1}, "rollouts must be 2"),
        ({"kl_target": 1.0, "beta": 0.0}, "0 stays 0 for ever"),
        ({"beta": -1.0}, "beta is -1.0"),
        ({"advantage": "rloo", "critic": "none", "at_limit": "bootstrap"}, "asks a critic"),
    ],
)
def test_settings_that_no_run_can_have(changes, words):
    with pytest.raises(ValueError, match=words):
        RLConfig(**({"iterations": 1} | changes))
