"""Loading, saving and asking a policy by name. Leaves out how checkpoints are made."""

import json
import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from o1lab.model.rollouts import Rollout
from o1lab.paths import data_dir
from o1lab.tasks.base import Problem


@dataclass
class Policy:
    """A Hugging Face causal LM with its tokenizer; `recipe` says how a shipped one was made."""

    model: Any
    tokenizer: Any
    name: str = ""
    recipe: dict = field(default_factory=dict)


def shipped() -> list[str]:
    """The names of the checkpoints in `data/checkpoints`, sorted."""
    folder = data_dir() / "checkpoints"
    return sorted(p.parent.name for p in folder.glob("*/config.json"))


def load(name: str | Path, device: str = "cpu") -> Policy:
    """A shipped checkpoint by name, or any Hugging Face folder or Hub id.

    In bfloat16 on a card that computes in it, else in float32. ValueError with the names there are
    when nothing of that name can be found.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    path = data_dir() / "checkpoints" / str(name)
    source = path if path.exists() else Path(name)
    if not source.exists() and "/" not in str(name):
        raise ValueError(f"no checkpoint {str(name)!r}: shipped are {', '.join(shipped())}")
    where = str(source) if source.exists() else str(name)
    with no_bars():
        model = AutoModelForCausalLM.from_pretrained(where, dtype=_dtype(device))
        model = model.to(device).eval()
    recipe = source / "recipe.json"
    facts = json.loads(recipe.read_text()) if recipe.exists() else {}
    return Policy(model, AutoTokenizer.from_pretrained(where), str(name), facts)


def _dtype(device: str):
    import torch

    from o1lab.model.updates import bf16_here

    on_card = torch.device(device).type == "cuda"
    return torch.bfloat16 if on_card and bf16_here("auto", "cuda") else torch.float32


@contextmanager
def no_bars():
    """Without transformers' progress bars: a tiny model is there before one can be read."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def save(policy: Policy, path: Path) -> None:
    """Write bf16 safetensors, tokenizer and recipe; the folder appears whole or not at all."""
    import torch

    path = Path(path)
    fresh = path.with_name(path.name + ".tmp")
    shutil.rmtree(fresh, ignore_errors=True)
    weights = {k: v.to(torch.bfloat16) for k, v in policy.model.state_dict().items()}
    if policy.model.config.tie_word_embeddings:
        weights.pop("lm_head.weight", None)  # a copy of the input embeddings
    policy.model.save_pretrained(fresh, state_dict=weights)
    (fresh / "model.safetensors").chmod(0o644)  # safetensors writes files for their owner only
    policy.tokenizer.save_pretrained(fresh)
    (fresh / "recipe.json").write_text(json.dumps(policy.recipe, indent=1) + "\n")
    shutil.rmtree(path, ignore_errors=True)
    os.replace(fresh, path)


def think(policy: Policy, problem: Problem | str, n: int = 1, **settings) -> list[Rollout]:
    """n rollouts of one problem; `settings` are those of `o1lab.generate`."""
    return think_all(policy, [problem], n, **settings)[0]


def think_all(policy: Policy, problems: list, n: int = 1, **settings) -> list[list[Rollout]]:
    """n rollouts of every problem, each list in the problems' order."""
    from o1lab.model.generate import generate

    asked = [p if isinstance(p, Problem) else None for p in problems]
    prompts = [p.prompt if isinstance(p, Problem) else p for p in problems]
    return generate(policy.model, policy.tokenizer, prompts, n=n, problems=asked, **settings)
