"""A tiny reinforcement run for the tests; as a script it is a process to be killed.

    python tiny_rl.py FOLDER [PAUSE] [NAME COUNT]

It prints each iteration and pauses after it; with NAME it gets stuck as `tests/model/tiny_run.py`.
"""

import runpy
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

ITERATIONS = 9


@dataclass
class Digits:
    """A task whose answer is right if it begins with a digit; one line of thought is one step."""

    name: str = "digits"
    mistakes: tuple = ()

    def problem(self, rng, difficulty, split="train"):
        from o1lab.tasks.base import Problem

        words = rng.sample(["Ann", "Bob", "has", "more", "than", "apples"], difficulty)
        return Problem("digits", " ".join(words) + "\n", "0", difficulty)

    def steps(self, thoughts):
        from o1lab.tasks.base import lines_of

        return lines_of(thoughts)

    def verdicts(self, problem, steps):
        from o1lab.tasks.base import Verdict

        return [
            Verdict(step[:1].isdecimal(), "ok" if step[:1].isdecimal() else "no") for step in steps
        ]

    def grade(self, problem, answer):
        return answer[:1].isdecimal()

    def canonical(self, problem):
        return problem.prompt


def policy(seed=0, kind="llama"):
    """A random tiny Llama with the lab's words, or the byte-BPE Qwen, in float32."""
    from o1lab.model.checkpoints import Policy
    from o1lab.model.network import tiny_policy
    from o1lab.model.tokens import build_tokenizer

    if kind == "llama":
        return Policy(tiny_policy("xs", seed).eval(), build_tokenizer(), "xs")
    from tests.model.tiny import byte_tokenizer, tiny_qwen

    return Policy(tiny_qwen(320, seed, sharp=1.0).float(), byte_tokenizer(), "tiny-qwen")


def problems(iteration, count=8):
    """The problems of an iteration: prompts of two to four words."""
    import random

    rng = random.Random(iteration)
    return [Digits().problem(rng, 2 + i % 3) for i in range(count)]


def reward(*parts, no_answer=-1.0):
    from o1lab.rl.rewards import Reward, outcome

    return Reward(Digits(), parts or (outcome(Digits()),), no_answer)


def config(method="ppo", **changes):
    """Settings for iterations of a tenth of a second."""
    from o1lab.rl.grpo import GRPO
    from o1lab.rl.ppo import PPO

    start = {"ppo": PPO, "grpo": GRPO}[method]
    quick = {"iterations": ITERATIONS, "rollouts": 4, "max_new_tokens": 6, "minibatches": 2,
             "learning_rate": 3e-3, "tokens_per_batch": 120, "save_every": 2}  # fmt: skip
    return replace(start, **(quick | changes))


def main(folder, pause="0", name="", count="0"):
    import torch

    from o1lab.rl.ppo import ppo

    torch.set_num_threads(1)
    stuck = runpy.run_path(str(Path(__file__).parents[1] / "model" / "tiny_run.py"))["get_stuck"]
    stuck(name, int(count))

    def report(record):
        print("step", record["step"], flush=True)
        time.sleep(float(pause))

    settings = config(kl_target=0.5, beta=0.1, kl_horizon=100.0, critic="separate")
    ppo(policy(), problems, reward(), settings, folder, progress=False, on_record=report)


if __name__ == "__main__":
    main(*sys.argv[1:])
