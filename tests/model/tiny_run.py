"""A tiny training run for the tests; as a script it is a process to be killed.

    python tiny_run.py FOLDER [PAUSE] [NAME COUNT]

It prints each step and pauses after it; at the COUNT-th rename to a file or folder called NAME
it cuts what it has written in half, prints "stuck" and waits to be killed.
"""

import os
import random
import sys
import time
from pathlib import Path

STEPS = 24


def model(seed=0, dropout=0.0):
    """A Llama of about 4,000 parameters."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=16, hidden_size=16, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=64,
        tie_word_embeddings=True, attention_dropout=dropout,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LlamaForCausalLM(config)


def examples(step):
    """Eight rows that count upwards, modulo 16, from a random start, of different lengths."""
    from o1lab.model.batches import Example

    rng = random.Random(step)
    starts = [(rng.randrange(16), rng.randint(3, 12)) for _ in range(8)]
    return [Example([(a + i) % 16 for i in range(n)]) for a, n in starts]


def config(**changes):
    from o1lab.model.train import TrainConfig

    settings = {"steps": STEPS, "learning_rate": 1e-2, "tokens_per_batch": 40, "save_every": 5,
                "log_every": 2, "keep_at": (0.25, 0.5)}  # fmt: skip
    return TrainConfig(**(settings | changes))


def get_stuck(name, count):
    """Make the `count`-th rename to `name` stop half-way, for the parent to kill."""
    real, seen = os.replace, [0]

    def replace(source, target):
        folder = "snapshots" if Path(target).parent.name == "snapshots" else Path(target).name
        seen[0] += folder == name
        if folder == name and seen[0] == count:
            files = [f for f in (source, *Path(source).rglob("*")) if Path(f).is_file()]
            for file in files:
                os.truncate(file, os.path.getsize(file) // 2)
            print("stuck", flush=True)
            time.sleep(300)
        real(source, target)

    os.replace = replace


def main(folder, pause="0", name="", count="0"):
    import torch

    from o1lab.model.train import train

    torch.set_num_threads(1)
    get_stuck(name, int(count))

    def report(record):
        print("step", record["step"], flush=True)
        time.sleep(float(pause))

    free = {"on_record": report, "progress": False}
    train(model(dropout=0.2), examples, config(log_every=1), folder, **free)


if __name__ == "__main__":
    main(*sys.argv[1:])
