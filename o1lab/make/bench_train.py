"""Training speed: our loop against a plain `transformers` Trainer on the same documents.

Worked stories of mixed depth, the same number of documents an update, dtype and threads, turn by
turn in one process; tokens are counted without padding. Leaves out sampling (`bench_rollout`).
"""

import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from statistics import median

DOCUMENTS, UPDATES = 128, 3  # documents an update (about 20k tokens), updates a turn
AIM = 1.5


def rows(rounds: int = 5) -> list[dict]:
    """Every training row of the bench."""
    return [train_ratio(rounds)]


def train_ratio(rounds: int = 5, updates: int = UPDATES, memory: bool = True) -> dict:
    """Our tokens a second, the Trainer's, the median of the rounds' ratios, and peak megabytes.

    One warm-up turn each, then `rounds` turns each; both start from the same weights and see the
    same documents. Peak memory is that of a fresh process for each.
    """
    turns = documents(updates)
    race = {"ours": lambda: ours(turns), "peer": lambda: peer(turns)}
    for work in race.values():
        work()
    rates = [{who: rate(work, turns) for who, work in race.items()} for _ in range(rounds)]
    row = {
        "name": "train-tokens",
        "ours": median(r["ours"] for r in rates),
        "peer": median(r["peer"] for r in rates),
        "ratio": median(r["ours"] / r["peer"] for r in rates),
        "unit": "tokens/s",
        "aim": AIM,
    }
    if memory:
        row |= {f"{who}_mb": peak_memory(who) for who in race}
    return row


def documents(updates: int, seed: int = 0) -> list[list]:
    """The examples of each update: worked stories of 1 to 8 steps, prompts read, not trained."""
    from o1lab.make.corpus import encode, thought
    from o1lab.tasks import task

    make = thought(task("stories"), tuple((depth, 1) for depth in range(1, 9)))
    rng = random.Random(seed)
    return [encode([make(rng) for _ in range(DOCUMENTS)]) for _ in range(updates)]


def rate(work: Callable[[], None], turns: list[list]) -> float:
    """Real tokens a second of one turn."""
    tokens = sum(len(example.ids) for examples in turns for example in examples)
    began = time.perf_counter()
    work()
    return tokens / (time.perf_counter() - began)


def ours(turns: list[list]) -> None:
    """Our loop, as the recipes call it, without a folder."""
    from o1lab.model.network import tiny_policy
    from o1lab.model.train import TrainConfig, train

    config = TrainConfig(len(turns), learning_rate=1e-3)
    train(tiny_policy("m"), turns.__getitem__, config, progress=False)


def peer(turns: list[list]) -> None:
    """What a user of `transformers` would write: pad each batch to its longest document."""
    from transformers import DataCollatorForSeq2Seq, PrinterCallback, Trainer

    from o1lab.model.network import tiny_policy
    from o1lab.model.tokens import build_tokenizer

    data = [_features(example) for examples in turns for example in examples]
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            model=tiny_policy("m"),
            args=_arguments(folder, len(turns)),
            train_dataset=data,
            data_collator=DataCollatorForSeq2Seq(build_tokenizer()),
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()


def _features(example) -> dict:
    labels = [i if w else -100 for i, w in zip(example.ids, example.weight, strict=True)]
    return {"input_ids": example.ids, "labels": labels}


def _arguments(folder: str, updates: int):
    """The same optimiser settings, precision and batch as ours; nothing saved or logged."""
    from transformers import TrainingArguments

    from o1lab.model.train import bf16_here

    return TrainingArguments(
        output_dir=folder,
        max_steps=updates,
        per_device_train_batch_size=DOCUMENTS,
        learning_rate=1e-3,
        weight_decay=0.1,
        adam_beta2=0.95,
        max_grad_norm=1.0,
        bf16=bf16_here("auto"),
        use_cpu=True,
        save_strategy="no",
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )


def peak_memory(who: str) -> float:
    """Peak resident megabytes of a fresh process that takes one turn of "ours" or "peer"."""
    command = [sys.executable, "-m", "o1lab.make.bench_train", who]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def _alone(who: str) -> None:
    from o1lab.measure import hardware

    {"ours": ours, "peer": peer}[who](documents(UPDATES))
    print(hardware.peak_memory())


if __name__ == "__main__":
    _alone(sys.argv[1])
