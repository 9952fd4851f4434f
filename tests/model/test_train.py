"""Tests of o1lab/model/train.py: learning, schedule, gradients, records, snapshots, refusals."""

import math
import runpy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM

from o1lab.model import training_state as state
from o1lab.model.batches import Example, batches
from o1lab.model.optimizers import FullMuon
from o1lab.model.train import (
    TrainConfig,
    TrainingDiverged,
    learning_rate,
    make_optimizer,
    next_token_loss,
    train,
    training_flops,
    update,
)
from o1lab.model.updates import gradients

tiny = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("tiny_run.py"))))


def run(folder=None, model=None, data=tiny.examples, extra=None, **changes):
    """(model, record) of a tiny run in float32."""
    model = model or tiny.model()
    config = tiny.config(bf16=False, **changes)
    return model, train(model, data, config, folder, progress=False, **(extra or {}))


def weights(model):
    return [p.detach().clone() for p in model.parameters()]


def same(one, two):
    return all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


def test_loss_falls():
    _, record = run(steps=60)
    losses = [r["loss"] for r in record.records]
    assert losses[0] > 2.5 and losses[-1] < 0.5 * losses[0]
    assert record.steps == 60 and record.tokens == sum(
        len(example.ids) for step in range(60) for example in tiny.examples(step)
    )


def test_same_seed_same_weights_with_and_without_prefetch():
    one, two = run()[0], run(extra={"prefetch": False})[0]
    assert same(weights(one), weights(two))
    model = tiny.model(seed=1)
    assert not same(weights(one), weights(run(model=model)[0]))


def test_dropout_is_drawn_from_the_seed_and_leaves_the_global_stream_alone():
    torch.manual_seed(5)
    one, _ = run(model=tiny.model(dropout=0.5))
    drawn = torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(drawn, torch.rand(1))
    two, _ = run(model=tiny.model(dropout=0.5))
    other, _ = run(model=tiny.model(dropout=0.5), seed=1)
    assert same(weights(one), weights(two)) and not same(weights(one), weights(other))


shares = st.floats(0, 0.5)


@given(st.integers(1, 500), shares, shares, st.floats(0, 1))
def test_schedule_warms_up_stays_and_decays(steps, warmup, decay, low):
    config = TrainConfig(steps, 1.0, warmup, decay, low)
    rates = [learning_rate(step, config) for step in range(steps)]
    top = rates.index(max(rates))
    assert all(0 < rate <= 1 for rate in rates)
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    rise, fall = max(round(warmup * steps), 1), round(decay * steps)
    assert rates[rise - 1] == 1 or rise + fall > steps
    assert sum(rate < 1 for rate in rates[rise:]) <= fall
    assert rates[-1] >= low or steps < rise + fall


def test_schedule_by_hand():
    config = TrainConfig(10, 1.0, warmup=0.2, decay=0.3, min_lr=0.0)
    rates = [learning_rate(step, config) for step in range(10)]
    assert rates == [0.5, 1, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25]


def step_gradients(tokens_per_batch):
    model = tiny.model().double()
    data = [example for step in range(4) for example in tiny.examples(step)]
    config = replace(tiny.config(bf16=False), tokens_per_batch=tokens_per_batch)
    loss = gradients(model, batches(data, tokens_per_batch), config)
    return loss, torch.cat([p.grad.flatten() for p in model.parameters()])


@pytest.mark.parametrize("size", [1, 30, 100])
def test_the_cut_into_micro_batches_does_not_change_the_gradient(size):
    loss, whole = step_gradients(100_000)
    again, cut = step_gradients(size)
    assert cut.dtype == torch.float64
    assert math.isclose(loss, again, rel_tol=1e-6)
    assert (whole - cut).norm() < 1e-6 * whole.norm()


def test_loss_is_the_models_own_on_trained_tokens():
    model = tiny.model()
    example = Example([1, 2, 3, 4, 5, 6], 3)
    labels = torch.tensor([[-100, -100, -100, 4, 5, 6]])
    peer = model(input_ids=torch.tensor([example.ids]), labels=labels).loss
    (batch,) = batches([example], 100)
    assert torch.allclose(next_token_loss(model, batch) / 3, peer, atol=1e-6)


def test_a_step_with_nothing_to_learn_changes_only_by_decay():
    model, config = tiny.model(), tiny.config(bf16=False, weight_decay=0.0)
    before = weights(model)
    value, norm = update(model, make_optimizer(model, config), batches([Example([1])], 9), config)
    assert value == 0 and norm == 0 and same(before, weights(model))


def test_only_matrices_decay():
    groups = make_optimizer(tiny.model(), tiny.config()).param_groups
    assert {p.dim() for p in groups[0]["params"]} == {2} and groups[0]["weight_decay"] == 0.1
    assert {p.dim() for p in groups[1]["params"]} == {1} and groups[1]["weight_decay"] == 0


def test_muon_moves_the_inner_matrices_only_and_resumes(tmp_path):
    model, config = tiny.model(), tiny.config(optimizer="muon")
    muon, adamw = make_optimizer(model, config).parts
    moved = {id(p) for group in muon.param_groups for p in group["params"]}
    rest = {id(p) for group in adamw.param_groups for p in group["params"]}
    assert moved | rest == {id(p) for p in model.parameters()} and not moved & rest
    assert id(model.get_input_embeddings().weight) in rest
    assert id(model.model.layers[0].self_attn.q_proj.weight) in moved
    whole = weights(run(steps=12, optimizer="muon")[0])

    def killed(step):
        if step == 7:
            raise KeyboardInterrupt
        return tiny.examples(step)

    changes = {"steps": 12, "optimizer": "muon", "save_every": 3}
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, data=killed, extra={"prefetch": False}, **changes)
    resumed = run(tmp_path, extra={"prefetch": False}, **changes)[0]
    assert same(whole, weights(resumed))


def test_muon_in_float32_moves_as_pytorchs_does():
    torch.manual_seed(0)
    shapes = [(32, 8), (8, 32), (16, 16), (16, 16)]
    start = [torch.randn(shape) for shape in shapes]
    ours, theirs = ([torch.nn.Parameter(x.clone()) for x in start] for _ in range(2))
    about = {"lr": 0.01, "weight_decay": 0.1, "adjust_lr_fn": "match_rms_adamw"}
    optimizers = FullMuon(ours, **about), torch.optim.Muon(theirs, **about)
    for _ in range(3):
        for p, q in zip(ours, theirs, strict=True):
            p.grad = torch.randn_like(p)
            q.grad = p.grad.clone()
        for optimizer in optimizers:
            optimizer.step()
    for p, q, x in zip(ours, theirs, start, strict=True):
        assert (p - q).norm() < 0.02 * (q - x).norm()  # PyTorch's iterates in bfloat16


def test_flops_are_about_six_for_each_weight_and_token():
    model = tiny.model()
    (batch,) = batches([Example([1, 2])], 100)
    matrices = sum(p.numel() for p in model.parameters() if p.dim() > 1)
    assert math.isclose(training_flops(model, [batch]) / 2, 6 * matrices, rel_tol=0.05)


def test_divergence_leaves_the_weights_of_the_step_before():
    seen = []

    def watched(model, batch):
        seen.append(weights(model))
        return next_token_loss(model, batch)

    model = tiny.model().eval()
    with pytest.raises(TrainingDiverged, match="Lower learning_rate"):
        run(model=model, learning_rate=1e12, warmup=0, extra={"loss": watched})
    assert same(seen[-1], weights(model)) and not model.training


def test_a_bad_loss_leaves_every_weight_as_it_was():
    model = tiny.model()
    before = weights(model)
    with pytest.raises(TrainingDiverged, match="step 0: loss nan"):
        run(model=model, extra={"loss": lambda m, b: next_token_loss(m, b) * math.nan})
    assert same(before, weights(model))


def test_records_and_evaluations_arrive_as_asked():
    seen, modes = [], []

    def evaluate(model):
        modes.append(model.training)
        return {"accuracy": 0.5}

    extra = {"on_record": seen.append, "evaluate": evaluate}
    model, record = run(steps=10, log_every=4, eval_every=5, extra=extra)
    assert [r["step"] for r in seen] == [4, 5, 8, 10] and seen == record.records
    assert [r["step"] for r in seen if "accuracy" in r] == [5, 10] and modes == [False, False]
    each = run(steps=10, log_every=1)[1].records
    mean = sum(r["loss"] for r in each[5:8]) / 3
    assert math.isclose(seen[2]["loss"], mean, rel_tol=1e-6)


def test_snapshots_are_kept_at_shares_and_flops_and_open(tmp_path):
    half = run()[1].flops / 2
    model, record = run(tmp_path, keep_at=(0.25, half, half * 1.001, 1.0))
    names = [Path(path).name for path in record.snapshots]
    assert len(names) == 3 and sorted(p.name for p in (tmp_path / "snapshots").iterdir()) == sorted(
        names
    )
    assert half <= float(names[1]) * 1.001 < 1.1 * half
    last = AutoModelForCausalLM.from_pretrained(record.snapshots[-1])
    ids = torch.arange(10)[None]
    assert torch.equal(last(ids).logits, model(ids).logits)


def test_a_finished_run_is_loaded_not_repeated(tmp_path):
    one, first = run(tmp_path)
    calls = []

    def counted(step):
        calls.append(step)
        return tiny.examples(step)

    two, again = run(tmp_path, data=counted)
    assert same(weights(one), weights(two)) and calls == [0]
    assert (again.records, again.snapshots, again.tokens) == (
        first.records, first.snapshots, first.tokens,
    )  # fmt: skip


def test_a_moved_folder_still_knows_its_snapshots(tmp_path):
    run(tmp_path / "a")
    (tmp_path / "a").rename(tmp_path / "b")
    _, record = run(tmp_path / "b")
    assert len(record.snapshots) == 2 and all(Path(p).exists() for p in record.snapshots)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"learning_rate": 2e-2}, "learning_rate"),
        ({"steps": 30}, "steps"),
        ({"seed": 4}, "seed"),
        ({"model": "other"}, "starting weights"),
        ({"data": lambda step: tiny.examples(step + 1)}, "first examples"),
    ],
)
def test_a_folder_with_another_run_is_refused_and_kept(tmp_path, changes, named):
    run(tmp_path)
    before = (tmp_path / state.STATE).read_bytes()
    changes = changes | ({"model": tiny.model(seed=9)} if "model" in changes else {})
    with pytest.raises(ValueError, match=f"another run .*{named}"):
        run(tmp_path, **changes)
    assert (tmp_path / state.STATE).read_bytes() == before


def test_a_damaged_checkpoint_is_named(tmp_path):
    (tmp_path / state.STATE).write_bytes(b"\0" * 50)
    with pytest.raises(ValueError, match="not a whole checkpoint"):
        run(tmp_path)


def refuse(step):
    raise AssertionError("work began")


def test_an_unwritable_folder_is_refused_before_any_work(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="Choose another folder"):
        run(tmp_path / "file" / "run", data=refuse)


def test_a_full_disk_is_refused_before_any_work(tmp_path, monkeypatch):
    monkeypatch.setattr(state.shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.raises(OSError, match="free some space"):
        run(tmp_path, data=refuse)


def test_a_disk_that_fills_up_keeps_the_last_checkpoint(tmp_path, monkeypatch):
    real, saves = Path.write_bytes, []

    def write(path, data):
        if path.name.startswith(state.STATE):
            saves.append(path)
            if len(saves) == 3:
                real(path, data[: len(data) // 2])
                raise OSError(28, "No space left on device")
        return real(path, data)

    monkeypatch.setattr(Path, "write_bytes", write)
    with pytest.raises(OSError, match="last good checkpoint is kept"):
        run(tmp_path)
    assert state.read_counters(tmp_path)["run"]["step"] == 10
    assert not list(tmp_path.glob("*.tmp"))
    assert same(weights(run(tmp_path)[0]), weights(run()[0]))


@pytest.mark.parametrize(
    "wrong",
    [{"steps": 0}, {"learning_rate": math.nan}, {"save_every": 0}, {"log_every": 0}, {"warmup": 2},
     {"decay": -0.1}, {"keep_at": (0.0,)}, {"bf16": "yes"}, {"tokens_per_batch": 0}],
)  # fmt: skip
def test_settings_no_run_can_have_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        tiny.config(**wrong)


@settings(max_examples=6, deadline=None)
@given(st.integers(1, tiny.STEPS - 1), st.integers(1, 9))
def test_an_exception_at_any_step_changes_nothing(tmp_path_factory, stop, save_every):
    folder = tmp_path_factory.mktemp("run")

    def break_off(record):
        if record["step"] == stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(folder, save_every=save_every, log_every=1, extra={"on_record": break_off})
    model, record = run(folder, save_every=save_every, log_every=1)
    whole, other = run(log_every=1)
    assert same(weights(model), weights(whole))
    strip = [{k: v for k, v in r.items() if k != "seconds"} for r in record.records]
    assert strip == [{k: v for k, v in r.items() if k != "seconds"} for r in other.records]


def test_half_precision_weights_are_trained_in_float32():
    from o1lab.model.updates import in_full

    model = torch.nn.Linear(2, 2).to(torch.bfloat16)
    same = model.weight
    assert in_full(model).weight.dtype == torch.float32 and model.weight is same
    double = torch.nn.Linear(2, 2).to(torch.float64)
    assert in_full(double).weight.dtype == torch.float64
