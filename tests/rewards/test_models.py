"""Reward models against the stock classes: labels' places, learning, resuming, saving, scores."""

import json
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import (
    AutoModelForTokenClassification,
    LlamaForTokenClassification,
    Qwen3ForTokenClassification,
)

from o1lab.measure.compute import Ledger, forward_flops
from o1lab.model.batches import batches
from o1lab.model.checkpoints import Policy
from o1lab.model.network import tiny_policy
from o1lab.model.settings import TrainConfig
from o1lab.model.tokens import build_tokenizer
from o1lab.model.updates import training_flops, update
from o1lab.rewards.base import judged_at, score
from o1lab.rewards.examples import class_weights, epochs, outcome_examples, step_examples
from o1lab.rewards.labels import Labels, exact_labels
from o1lab.rewards.models import (
    ORM,
    PRM,
    Recipe,
    RewardModel,
    label_loss,
    load_reward_model,
    outcomes,
    save,
    token_classifier,
    train_orm,
    train_prm,
)
from o1lab.rewards.scoring import buckets, margin
from o1lab.tasks import task
from tests.model.tiny import byte_tokenizer, tiny_qwen
from tests.rewards.traces import stepless, trace, unclosed, worked

STORIES = task("stories")
QUICK = TrainConfig(24, 4e-3, bf16=False, log_every=4, save_every=6)


def policies():
    qwen = Policy(tiny_qwen(320).float(), byte_tokenizer(), "tiny-qwen")
    return {"llama": Policy(tiny_policy("xs"), build_tokenizer(), "xs"), "qwen": qwen}


@pytest.fixture(params=["llama", "qwen"])
def policy(request):
    return policies()[request.param]


def traces(tokenizer, count=6, depth=3):
    wrongs = [(), (1,), (0, 2)]
    return [worked(i // 2, depth, wrongs[i % 3], tokenizer=tokenizer) for i in range(count)]


def random_head(policy, kind="prm", **settings):
    """A reward model with a head that says something."""
    model = token_classifier(policy)
    with torch.no_grad():
        noise = torch.Generator().manual_seed(0)
        model.score.weight.copy_(0.2 * torch.randn(model.score.weight.shape, generator=noise))
    return RewardModel(model, policy.tokenizer, kind, **settings)


def test_a_head_of_zeros_on_the_policys_body(policy):
    state = torch.get_rng_state()
    model = token_classifier(policy)
    assert torch.equal(state, torch.get_rng_state())
    stock = {"xs": LlamaForTokenClassification, "tiny-qwen": Qwen3ForTokenClassification}
    assert type(model) is stock[policy.name] and model.config.id2label == {0: "wrong", 1: "right"}
    rollouts = traces(policy.tokenizer, 2)
    assert score(RewardModel(model), rollouts) == [[0.5] * 3] * 2
    ids = torch.tensor([rollouts[0].prompt_ids])
    ours, theirs = model.base_model(ids), policy.model.base_model(ids)
    assert torch.equal(ours.last_hidden_state, theirs.last_hidden_state)
    assert policy.model.config.num_labels == 2 and not hasattr(policy.model, "score")


def test_layers_on_top_pass_on_what_they_get_and_are_saved(policy, tmp_path):
    plain, taller = token_classifier(policy), token_classifier(policy, 2)
    ids = torch.tensor([traces(policy.tokenizer, 1)[0].ids])
    with torch.no_grad():
        one, two = (m.base_model(ids).last_hidden_state for m in (plain, taller))
    assert torch.allclose(one, two, atol=1e-5)
    layers = policy.model.config.num_hidden_layers
    assert (
        taller.config.num_hidden_layers == layers + 2 and plain.config.num_hidden_layers == layers
    )
    save(RewardModel(taller, policy.tokenizer), tmp_path / "taller")
    again = load_reward_model(tmp_path / "taller").model
    assert len(again.base_model.layers) == layers + 2
    fewer = token_classifier(policy, 1 - layers)
    assert len(fewer.base_model.layers) == 1
    with pytest.raises(ValueError, match=f"has {layers}"):
        token_classifier(policy, -layers)


def test_a_reward_model_can_be_trained_further_and_stays_as_it_was(policy):
    first = random_head(policy)
    before = first.model.score.weight.clone()
    copied = token_classifier(first)
    assert torch.equal(copied.score.weight, before)
    with torch.no_grad():
        copied.score.weight.zero_()
    assert torch.equal(first.model.score.weight, before)


def test_equal_rollouts_are_one_example_of_as_much_weight():
    rollouts = [worked(0, 3), worked(1, 3, (1,)), worked(0, 3)]
    labels = exact_labels(STORIES, rollouts, "kept")
    text = step_examples(rollouts, labels)
    assert text.rollouts == 3 and text.labels == 9 and len(text.examples) == 2
    once = step_examples(rollouts[:1], exact_labels(STORIES, rollouts[:1], "kept"))
    doubled = [2 * w for w in once.examples[0].weights()]
    assert text.examples[0].weights() == doubled and sum(doubled)
    torn = Labels("", [[1.0] * 3, [1.0] * 3, [0.0] * 3])
    assert len(step_examples(rollouts, torn).examples) == 3


def test_labels_sit_on_the_last_token_of_their_step(policy):
    tokenizer = policy.tokenizer
    rollouts = [worked(0, 3, (1,), tokenizer=tokenizer), unclosed(0, tokenizer=tokenizer)]
    text = step_examples(rollouts, exact_labels(STORIES, rollouts, "kept"))
    for rollout, example in zip(rollouts, text.examples, strict=True):
        at = [i for i, w in enumerate(example.weights()) if w]
        assert at == [len(rollout.prompt_ids) + place for place in judged_at(rollout)]
        steps = STORIES.steps(rollout.thoughts)
        for place, step in list(zip(at, steps, strict=True))[: len(at) - rollout.finished]:
            written = tokenizer.decode(example.ids[len(rollout.prompt_ids) : place + 1])
            assert written.rstrip("\n").endswith(step)
    assert len(text.examples[0].ids) == at_of(text.examples[0])[-1] + 1  # nothing after it is read
    assert [text.examples[0].extra["label"][i] for i in at_of(text.examples[0])][1] == 0.0


def test_blank_lines_and_a_step_closed_on_its_own_line_keep_one_label_each(policy):
    lines = "<think>\n\nAnn = Bob\n\n\nBob = 1\n \nAnn = 2</think>\n7"
    rollout = trace(worked(0).problem, lines, policy.tokenizer)
    text = step_examples([rollout], Labels("", [[1.0, 0.0, 1.0]]))
    (example,) = text.examples
    written = [policy.tokenizer.decode(example.ids[: i + 1]) for i in at_of(example)]
    assert [w.rstrip("\n")[-3:] for w in written[:2]] == ["Bob", "= 1"] and "= 2" in written[2]
    assert example.ids[-1] == policy.tokenizer.eos_token_id  # the last is judged with its answer
    assert [example.extra["label"][i] for i in at_of(example)] == [1.0, 0.0, 1.0]
    assert len(score(random_head(policy), [rollout])[0]) == 3


def at_of(example):
    return [i for i, w in enumerate(example.weights()) if w]


def test_lost_labels_are_counted_and_wrong_numbers_refused():
    rollouts = [worked(0, 3), worked(1, 3), stepless()]
    labels = Labels("some", [[1.0, 0.0, None], [1.0, 1.0, 1.0], []])
    context = len(rollouts[1].prompt_ids) + rollouts[1].step_ends[1]
    text = step_examples(rollouts, labels, context=context)
    ends = [len(rollouts[0].prompt_ids) + end for end in rollouts[0].step_ends[:2]]
    cut = 1 + sum(end > context for end in ends)
    assert text.lost == {"masked": 1, "cut off": cut} and text.labels == 5 - cut
    assert all(len(example.ids) <= context for example in text.examples)
    joined = replace(rollouts[0], step_ends=[9, 9, 20])
    assert step_examples([joined], Labels("", [[1.0] * 3])).lost == {"shared token": 2}
    with pytest.raises(ValueError, match="2 rows of labels for 3"):
        step_examples(rollouts, Labels("", labels.rows[:2]))
    with pytest.raises(ValueError, match="no labels are left"):
        step_examples(rollouts, labels, context=5)
    with pytest.raises(ValueError, match="2 outcomes for 3"):
        outcome_examples(rollouts, [True, False])
    with pytest.raises(ValueError, match='"every" or "last"'):
        outcome_examples(rollouts, [True] * 3, on="some")


def test_outcomes_sit_on_every_token_or_the_last():
    rollouts = [worked(0, 2), worked(1, 2, answer="?")]
    right = outcomes(STORIES, [*rollouts, unclosed()])
    assert right == [True, False, False]
    every, last = (outcome_examples(rollouts, right[:2], on) for on in ("every", "last"))
    for rollout, one, two in zip(rollouts, every.examples, last.examples, strict=True):
        size = len(rollout.prompt_ids) + len(rollout.ids)
        assert at_of(one) == list(range(len(rollout.prompt_ids), size)) and at_of(two) == [size - 1]


def test_a_steps_label_may_sit_on_all_its_tokens(policy):
    rollout = worked(0, 3, (1,), tokenizer=policy.tokenizer)
    labels = exact_labels(STORIES, [rollout], "kept")
    last, every = (step_examples([rollout], labels, on=on) for on in ("last", "every"))
    (one,), (two,) = last.examples, every.examples
    assert one.ids == two.ids and last.labels == every.labels == 3
    assert at_of(two) == list(range(len(rollout.prompt_ids), len(two.ids)))
    start = len(rollout.prompt_ids)
    for at, label in zip(at_of(one), labels.rows[0], strict=True):
        assert {two.extra["label"][i] for i in range(start, at + 1)} == {label}
        start = at + 1


@given(st.lists(st.floats(0, 1), min_size=2, max_size=30))
def test_balanced_classes_weigh_the_same(values):
    values = [0.0, 1.0, *values]
    wrong, right = class_weights(values)
    mass = right * sum(values)
    assert mass == pytest.approx(len(values) / 2)
    assert wrong * sum(1 - y for y in values) == pytest.approx(mass)
    with pytest.raises(ValueError, match="one class"):
        class_weights([1.0, 1.0])


@given(st.integers(1, 9), st.integers(1, 7), st.integers(0, 5))
def test_every_epoch_is_a_new_order_of_everything(count, rows, seed):
    items = list(range(count))
    stream = epochs(items, rows, seed)
    taken = [item for step in range(2 * count) for item in stream(step)]
    for i in range(0, count * rows * 2, count):
        assert sorted(taken[i : i + count]) == items
    assert stream(1) == epochs(items, rows, seed)(1)


def test_the_loss_is_the_stock_one_and_does_not_feel_padding():
    policy = policies()["llama"]
    model = random_head(policy).model
    rollouts = traces(policy.tokenizer, 4)
    text = step_examples(rollouts, exact_labels(STORIES, rollouts, "kept"))
    ours = sum(float(label_loss(model, b).detach()) for b in batches(text.examples, 200))
    total = 0.0
    for example in text.examples:
        pairs = zip(example.weights(), example.extra["label"], strict=True)
        labels = torch.tensor([[int(y) if w else -100 for w, y in pairs]])  # int64
        with torch.no_grad():
            loss = model(input_ids=torch.tensor([example.ids]), labels=labels).loss
        total += float(loss) * len(at_of(example))
    assert ours == pytest.approx(total, rel=1e-5)


def test_a_classifier_is_not_charged_for_an_output_layer():
    policy = policies()["llama"]
    model = token_classifier(policy)
    rollouts = traces(policy.tokenizer, 2)
    ready = batches(step_examples(rollouts, Labels("", [[1.0] * 3] * 2)).examples, 9999)
    with_output = training_flops(policy.model, ready)
    config = policy.model.config
    output = 3 * 2 * sum(b.tokens for b in ready) * config.hidden_size * config.vocab_size
    assert training_flops(model, ready) == pytest.approx(with_output - output)
    assert update(model, torch.optim.SGD(model.parameters()), ready, QUICK, label_loss)[1] > 0


def test_a_prm_learns_resumes_and_is_opened_by_the_stock_class(tmp_path):
    policy = policies()["llama"]
    rollouts = traces(policy.tokenizer, 24)
    labels = exact_labels(STORIES, rollouts, "kept")
    recipe = replace(PRM, config=QUICK, rows=12, balanced=True, on="last")
    whole = train_prm(policy, rollouts, labels, recipe, progress=False)
    scores = score(whole, rollouts)
    flat = [(s, y) for a, b in zip(scores, labels.rows, strict=True) for s, y in zip(a, b, strict=True)]  # fmt: skip  # noqa: E501
    assert min(s for s, y in flat if y) > max(s for s, y in flat if not y)

    def stop(record):
        if record["step"] == 16:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_prm(policy, rollouts, labels, recipe, tmp_path / "run", False, stop)
    again = train_prm(policy, rollouts, labels, recipe, tmp_path / "run", False)
    pairs = zip(whole.model.parameters(), again.model.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    with pytest.raises(ValueError, match="another run"):
        train_prm(policy, rollouts[:5], replace(labels, rows=labels.rows[:5]), recipe,
                  tmp_path / "run", False)  # fmt: skip

    save(whole, tmp_path / "prm")
    stock = AutoModelForTokenClassification.from_pretrained(tmp_path / "prm", dtype=torch.float32)
    assert type(stock) is LlamaForTokenClassification and stock.config.num_labels == 2
    loaded = load_reward_model(tmp_path / "prm")
    assert [s > 0.5 for row in score(loaded, rollouts) for s in row] == [y > 0.5 for _, y in flat]
    recipe = json.loads((tmp_path / "prm" / "recipe.json").read_text())
    assert recipe["kind"] == loaded.kind == "prm" and recipe["start"] == "xs"
    assert recipe["labels"] == labels.name and recipe["data"]["labels"] == labels.count
    assert recipe["training"]["flops"] > 0


def test_an_orm_learns_and_its_last_score_has_seen_the_answer(tmp_path):
    policy = policies()["qwen"]
    tok = policy.tokenizer
    whole = [worked(i, 1, answer=a, tokenizer=tok) for i in range(12) for a in (None, "?")]
    rollouts = [replace(r, ids=r.ids[:-1]) for r in whole]  # the last token is the answer's
    right = outcomes(STORIES, rollouts)
    assert right == [True, False] * 12
    recipe = replace(ORM, config=QUICK, rows=12, on="last")
    orm = train_orm(policy, rollouts, right, recipe, progress=False)
    last = [row[-1] for row in score(orm, rollouts)]
    assert last == pytest.approx(orm.outcomes(rollouts), abs=1e-6)
    assert min(last[::2]) > max(last[1::2])  # the steps are the same: only the answers differ
    save(orm, tmp_path / "orm")
    assert load_reward_model(tmp_path / "orm").kind == "orm"
    assert type(load_reward_model(tmp_path / "orm").model) is Qwen3ForTokenClassification


@pytest.mark.parametrize("kind", ["prm", "orm"])
@pytest.mark.parametrize("size", [9999, 200])
def test_shared_prompts_change_nothing_but_the_cost(policy, kind, size):
    rollouts = traces(policy.tokenizer, 7) + [stepless(0, policy.tokenizer)]
    alone = random_head(policy, kind, shared=False, tokens_per_batch=size)
    shared = random_head(policy, kind, tokens_per_batch=size)
    one, two = score(alone, rollouts), score(shared, rollouts)
    for a, b in zip(one, two, strict=True):
        assert a == pytest.approx(b, abs=1e-5)
    assert one[-1] == [] and len({round(s, 3) for row in one for s in row}) > 5
    assert shared.ledger.verifier_flops < alone.ledger.verifier_flops
    saved = sum(len(rollouts[i].prompt_ids) for i in (0, 2, 4))
    assert alone.ledger.scored_tokens - shared.ledger.scored_tokens == saved


@pytest.mark.parametrize("shared", [True, False])
def test_equal_rollouts_are_read_once(policy, shared):
    rollouts = traces(policy.tokenizer, 4)
    once, thrice = random_head(policy, shared=shared), random_head(policy, shared=shared)
    one, three = score(once, rollouts), score(thrice, [r for r in rollouts for _ in range(3)])
    assert three == [row for row in one for _ in range(3)]
    assert three[0] is not three[1] and thrice.ledger == once.ledger


def test_scores_are_the_stock_models_own_and_the_ledger_is_exact(policy):
    reward = random_head(policy)
    rollouts = traces(policy.tokenizer, 2)[:1]
    (row,) = score(reward, rollouts)
    rollout = rollouts[0]
    ids = torch.tensor([rollout.prompt_ids + rollout.ids])
    with torch.no_grad():
        chances = reward.model(input_ids=ids).logits[0].softmax(-1)[:, 1]
    at = [len(rollout.prompt_ids) + place for place in judged_at(rollout)]
    assert row == pytest.approx(chances[at].tolist(), abs=1e-5)
    n = at[-1] + 1
    flops = forward_flops(reward.model.config, n, (n + 1) / 2, logits_tokens=0)
    assert reward.ledger == Ledger(scored_tokens=n, verifier_flops=flops)


def test_what_a_reward_model_refuses(tmp_path):
    policy = policies()["llama"]
    reward = random_head(policy)
    long = replace(worked(0, 2), ids=[5] * 1100)
    with pytest.raises(ValueError, match=r"rollout 1 has 11.. tokens and the reward model's"):
        reward([worked(0, 2), long])
    with pytest.raises(ValueError, match="retokenize"):
        reward([worked(0, 2, tokenizer=byte_tokenizer())])
    with pytest.raises(ValueError, match="no last one"):
        reward.outcomes([replace(worked(0, 2), ids=[])])
    with pytest.raises(ValueError, match="prm, orm"):
        RewardModel(reward.model, kind="vrm")
    with pytest.raises(ValueError, match="at least one rollout"):
        Recipe("prm", QUICK, rows=0)
    with pytest.raises(ValueError, match="3 labels a token"):
        margin(torch.zeros(2, 3))
    assert margin(torch.tensor([[0.5]])).tolist() == [0.5]
    model = token_classifier(policy)
    model.config.num_labels = 3
    model.score = torch.nn.Linear(64, 3)
    model.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="has 3 labels"):
        load_reward_model(tmp_path)


def test_retokenized_rollouts_are_scored_by_a_reader_with_another_tokenizer():
    from o1lab.rewards.examples import retokenize

    rollouts = traces(build_tokenizer(), 3)
    turned = retokenize(rollouts, byte_tokenizer())
    assert [r.ids for r in turned] == [r.ids for r in traces(byte_tokenizer(), 3)]
    assert [len(row) for row in score(random_head(policies()["qwen"]), turned)] == [3, 3, 3]
    with pytest.raises(ValueError, match="no problem"):
        retokenize([replace(rollouts[0], problem=None)], byte_tokenizer())


@settings(max_examples=50)
@given(st.lists(st.integers(1, 50), max_size=30), st.integers(1, 120))
def test_buckets_hold_everything_once_within_their_size(lengths, most):
    found = list(buckets(lengths, most))
    assert sorted(i for bucket in found for i in bucket) == list(range(len(lengths)))
    for bucket in found:
        assert len(bucket) == 1 or len(bucket) * max(lengths[i] for i in bucket) <= most
