"""The engine's speed against `transformers` `generate`, and against its own matrix products.

Leaves out training (`bench_train`). Peers run turn by turn in one process; ratios are medians.
"""

import copy
import random
import time
from statistics import median

NEW, EACH = 40, 8  # new tokens in the fixed-length race; rollouts a prompt
PROMPT = 45


def rows(rounds: int = 5) -> list[dict]:
    """Every rollout row of the bench."""
    from tqdm.auto import tqdm

    races = [
        (f"rollout-fixed-{r}", fixed(r // EACH), aim)
        for r, aim in ((8, 2.5), (32, 2.5), (512, 2.0))
    ]
    races += [(f"rollout-stories-{r}", stories(r // EACH), 3.0) for r in (32, 512)]
    out = [race(name, pair, aim, rounds) for name, pair, aim in tqdm(races, unit="race")]
    return [*out, matmul_share(rounds), mismatch()]


def race(name: str, pair: tuple, aim: float, rounds: int) -> dict:
    """Our tokens a second against the peer's, interleaved after one warm-up each.

    pair: two functions that sample and return how many new tokens they wrote.
    """
    ours, peer = pair
    ours(), peer()
    rates = [(_rate(ours), _rate(peer)) for _ in range(rounds)]
    return {
        "name": name,
        "ours": median(a for a, _ in rates),
        "peer": median(b for _, b in rates),
        "ratio": median(a / b for a, b in rates),
        "unit": "tokens/s",
        "aim": aim,
    }


def _rate(work) -> float:
    began = time.perf_counter()
    tokens = work()
    return tokens / (time.perf_counter() - began)


def fixed(prompts: int) -> tuple:
    """Prompts of one length, NEW tokens each, no end token."""
    from o1lab.model.generate import generate
    from o1lab.model.network import tiny_policy
    from o1lab.model.tokens import build_tokenizer

    model, tokenizer = tiny_policy("m").eval(), copy.deepcopy(build_tokenizer())
    tokenizer.eos_token = None
    model.config.eos_token_id = model.generation_config.eos_token_id = None
    rng = random.Random(0)
    ids = [[rng.randrange(20, 400) for _ in range(PROMPT)] for _ in range(prompts)]
    texts = [tokenizer.decode(row) for row in ids]
    ids = [tokenizer.encode(text) for text in texts]

    def ours() -> int:
        groups = generate(model, tokenizer, texts, n=EACH, max_new_tokens=NEW)
        return sum(len(r.ids) for g in groups for r in g)

    return ours, lambda: hub_generate(model, ids, NEW, None)


def stories(prompts: int) -> tuple:
    """Real stories of mixed depth, real thoughts of mixed length."""
    from o1lab.model.checkpoints import load
    from o1lab.model.generate import generate
    from o1lab.tasks import task

    policy, world, rng = load("stories-cot"), task("stories"), random.Random(1)
    texts = [world.problem(rng, 1 + i % 8, "dev").prompt for i in range(prompts)]
    ids = [policy.tokenizer.encode(text) for text in texts]

    def ours() -> int:
        groups = generate(policy.model, policy.tokenizer, texts, n=EACH, max_new_tokens=160)
        return sum(len(r.ids) for g in groups for r in g)

    return ours, lambda: hub_generate(policy.model, ids, 160, policy.tokenizer.eos_token_id)


def hub_generate(model, ids: list[list[int]], new: int, end: int | None) -> int:
    """What a user of `transformers` would write; returns the tokens up to each end token."""
    import torch

    text, mask = padded_left(ids)
    width = text.shape[1]
    with torch.inference_mode():
        out = model.generate(
            text, attention_mask=mask, do_sample=True, top_k=0, temperature=1.0,
            num_return_sequences=EACH, max_new_tokens=new, eos_token_id=end, pad_token_id=0,
        )[:, width:]  # fmt: skip
    if end is None:
        return out.numel()
    return int(((out == end).cumsum(-1) - (out == end).long() == 0).sum())


def padded_left(rows: list[list[int]]):
    """Token ids (B, T), padded on the left as `transformers` wants prompts, and their mask."""
    import torch

    width = max(map(len, rows))
    text = torch.zeros(len(rows), width, dtype=torch.long)
    mask = torch.zeros(len(rows), width, dtype=torch.long)
    for i, row in enumerate(rows):
        text[i, width - len(row) :] = torch.tensor(row)
        mask[i, width - len(row) :] = 1
    return text, mask


def matmul_share(rounds: int, rows: int = 512) -> dict:
    """The fixed race at 512 rows against a step that is nothing but the model's matrix products."""
    import torch

    from o1lab.model.decoder import Decoder
    from o1lab.model.network import tiny_policy

    model = tiny_policy("m").eval()
    decoder = Decoder(model, NEW)
    matrices = [
        m for layer in decoder.layers for m in (layer.qkv, layer.out, layer.gate_up, layer.down)
    ]
    pairs = [(torch.randn(rows, m.shape[0]), m) for m in [*matrices, decoder.unembedding]]

    def products() -> int:
        with torch.inference_mode():
            for _ in range(NEW):
                for x, matrix in pairs:
                    x @ matrix
        return rows * NEW

    return race("rollout-matmul-share-512", (fixed(rows // EACH)[0], products), 0.5, rounds)


def mismatch(prompts: int = 32) -> dict:
    """The share of fp32 rollouts that come out different in a batch of another size."""
    from o1lab.model.checkpoints import load
    from o1lab.model.generate import generate
    from o1lab.tasks import task

    policy, world, rng = load("stories-cot"), task("stories"), random.Random(2)
    texts = [world.problem(rng, 1 + i % 8, "dev").prompt for i in range(prompts)]
    ids = []
    for batch in (EACH, 512):
        groups = generate(policy.model, policy.tokenizer, texts, n=EACH, batch_rows=batch)
        ids.append([r.ids for g in groups for r in g])
    differ = sum(a != b for a, b in zip(*ids, strict=True)) / len(ids[0])
    return {"name": "rollout-mismatch-fp32", "ours": differ, "peer": None, "ratio": None,
            "unit": "share of rollouts that differ between batch sizes", "aim": None}  # fmt: skip
