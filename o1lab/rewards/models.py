"""Outcome and process reward models: a policy's body under a stock token-classification head.

Built, trained by the one training loop, saved and loaded here; how they score is in `scoring`.
"""

import copy
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch.nn import functional as F

from o1lab.model.batches import Batch
from o1lab.model.checkpoints import Policy, no_bars, save
from o1lab.model.rollouts import Rollout
from o1lab.model.settings import TrainConfig
from o1lab.model.train import train
from o1lab.model.updates import hidden_states
from o1lab.paths import data_dir
from o1lab.rewards.base import is_right
from o1lab.rewards.examples import LabelledText, epochs, outcome_examples, step_examples
from o1lab.rewards.labels import Labels
from o1lab.rewards.scoring import KINDS, RewardModel, margin
from o1lab.tasks.base import Task

__all__ = [
    "ORM", "PRM", "Recipe", "RewardModel", "label_loss", "load_reward_model", "outcomes",
    "save", "token_classifier", "train_orm", "train_prm",
]  # fmt: skip


@dataclass(frozen=True)
class Recipe:
    """How a reward model is trained.

    rows: rollouts an update. balanced: both classes weigh the same. on: which tokens carry a
    label, "every" one of the step (ORM: of the completion) or the "last". extra_layers: put on
    top of the policy's own.
    """

    kind: str
    config: TrainConfig
    rows: int = 64
    balanced: bool = False
    on: str = "every"
    extra_layers: int = 0

    def __post_init__(self):
        if self.kind not in KINDS:
            raise ValueError(f"kind {self.kind!r}: choose one of {', '.join(KINDS)}")
        if self.rows < 1:
            raise ValueError(f"rows is {self.rows}: an update needs at least one rollout")


_CONFIG = TrainConfig(300, learning_rate=1e-3, warmup=0.05, decay=0.5)
PRM = Recipe("prm", _CONFIG)
ORM = Recipe("orm", _CONFIG)


def token_classifier(policy: Policy | RewardModel, extra_layers: int = 0):
    """A stock `AutoModelForTokenClassification` with the policy's body and a head of zeros.

    Two labels, wrong and right, of which only the difference of logits matters: one would do,
    but with two the library's own pipeline, loss (int64 labels, -100 elsewhere) and trainers
    work on it as it is. With the head at zero every first score is 0.5. No dropout. The weights
    are float32, or float64 where the policy's are. Any Hub backbone does: `load` it first.

    extra_layers: how many are put on top, each passing on what it gets until it is trained. The
    policy's last layer holds what it expected at each place; a layer above it can compare that
    with what was written, which layers below cannot. Below 0, so many are taken off the top.

    A reward model in place of the policy is copied with its head, to be trained further.
    """
    from transformers import AutoModelForTokenClassification

    if isinstance(policy, RewardModel):
        return copy.deepcopy(policy.model).float().eval()
    config = copy.deepcopy(policy.model.config)
    config.num_labels, config.classifier_dropout = 2, 0.0
    if extra_layers:
        _heighten(config, extra_layers)
    config.id2label, config.label2id = {0: "wrong", 1: "right"}, {"wrong": 0, "right": 1}
    like = next(policy.model.parameters())
    with torch.random.fork_rng(devices=[]):
        model = AutoModelForTokenClassification.from_config(config)
    model = model.to(like.device, torch.float64 if like.dtype == torch.float64 else torch.float32)
    found = model.base_model.load_state_dict(policy.model.base_model.state_dict(), strict=False)
    # Layers that were taken off are "unexpected" here; what they held is left behind.
    for name in found.missing_keys:  # of the layers on top: what they would add is 0
        if name.endswith(("o_proj.weight", "down_proj.weight")):
            torch.nn.init.zeros_(model.base_model.get_parameter(name))
    torch.nn.init.zeros_(model.score.weight)
    torch.nn.init.zeros_(model.score.bias)
    return model.eval()


def _heighten(config, extra_layers: int) -> None:
    """Ask for more layers, of the kind of the last one, or fewer. ValueError where none is left."""
    layers = config.num_hidden_layers + extra_layers
    if layers < 1:
        raise ValueError(f"extra_layers is {extra_layers}: the policy has {layers - extra_layers}")
    config.num_hidden_layers = layers
    kinds = getattr(config, "layer_types", None)
    if kinds:
        config.layer_types = [*kinds, *[kinds[-1]] * extra_layers][:layers]


def label_loss(model, batch: Batch, forward: Callable = hidden_states) -> torch.Tensor:
    """Weighted *sum* of binary cross-entropies (nats) on the labelled tokens; labels in 0..1.

    Only labelled tokens pass through the head. `update` divides by the step's whole weight.
    """
    chosen = batch.weight != 0  # (B, T)
    logits = model.score(forward(model, batch.ids)[chosen])  # (M, 2)
    odds = margin(logits)
    labels = batch.extra["label"][chosen].to(odds.dtype)
    losses = F.binary_cross_entropy_with_logits(odds, labels, reduction="none")  # (M,)
    return (losses * batch.weight[chosen]).sum()


def train_prm(
    policy: Policy,
    rollouts: Sequence[Rollout],
    labels: Labels,
    recipe: Recipe = PRM,
    folder: str | Path | None = None,
    progress: bool = True,
    on_record: Callable[[dict], None] | None = None,
) -> RewardModel:
    """A process reward model, from the policy's weights: cross-entropy where steps end.

    folder: as in `train`; a run that was killed goes on from there. Rollouts must be of the
    policy's tokenizer (`retokenize` otherwise). Lightman et al. 2023.
    """
    model = token_classifier(policy, recipe.extra_layers)
    text = step_examples(rollouts, labels, recipe.balanced, _context(model), recipe.on)
    notes = {"labels": labels.name, "label ledger": asdict(labels.ledger)}
    notes["completions"] = labels.completions
    return _trained(model, policy, text, recipe, notes, folder, progress, on_record)


def train_orm(
    policy: Policy,
    rollouts: Sequence[Rollout],
    right: Sequence[bool],
    recipe: Recipe = ORM,
    folder: str | Path | None = None,
    progress: bool = True,
    on_record: Callable[[dict], None] | None = None,
) -> RewardModel:
    """An outcome reward model, from the policy's weights: is the final answer right?

    right: for each rollout whether it is (`outcomes`). The other arguments are those of
    `train_prm`. Cobbe et al. 2021.
    """
    model = token_classifier(policy, recipe.extra_layers)
    text = outcome_examples(rollouts, right, recipe.on, recipe.balanced, _context(model))
    notes = {"labels": f"outcome on {recipe.on} token"}
    return _trained(model, policy, text, recipe, notes, folder, progress, on_record)


def outcomes(task: Task, rollouts: Sequence[Rollout]) -> list[bool]:
    """Whether each rollout's answer is right; one without an answer is not."""
    return [is_right(task, rollout) for rollout in rollouts]


def _context(model) -> int | None:
    return getattr(model.config, "max_position_embeddings", None)


def _trained(
    model, policy, text: LabelledText, recipe, notes, folder, progress, on_record
) -> RewardModel:
    examples = epochs(text.examples, recipe.rows, recipe.config.seed)
    done = train(
        model, examples, recipe.config, folder, label_loss, progress=progress, on_record=on_record
    )
    facts = {
        "kind": recipe.kind,
        "start": policy.name,
        "recipe": asdict(recipe),
        "data": {"rollouts": text.rollouts, "labels": text.labels, "lost": dict(text.lost)},
        **notes,
        "training": {"tokens": done.tokens, "flops": done.flops, "seconds": done.seconds},
    }
    facts = json.loads(json.dumps(facts))
    name = f"{policy.name}-{recipe.kind}".lstrip("-")
    return RewardModel(model, policy.tokenizer, recipe.kind, name, facts)


def load_reward_model(path: str | Path, device: str = "cpu") -> RewardModel:
    """A shipped reward model by name, one that `save` wrote, or a token classifier on the Hub.

    Float32 on CPU, bfloat16 elsewhere. It is a "prm" unless its recipe.json says otherwise.
    ValueError if it has neither one nor two labels.
    """
    from transformers import AutoConfig, AutoModelForTokenClassification, AutoTokenizer

    shipped = data_dir() / "verifiers" / str(path)
    path = shipped if shipped.exists() else path
    labels = AutoConfig.from_pretrained(path).num_labels
    if labels not in (1, 2):
        raise ValueError(f"{path} has {labels} labels a token: a reward model has two, or one")
    dtype = torch.float32 if device == "cpu" else torch.bfloat16
    with no_bars():
        model = AutoModelForTokenClassification.from_pretrained(path, dtype=dtype).to(device)
    notes = Path(path) / "recipe.json"
    recipe = json.loads(notes.read_text()) if notes.exists() else {}
    tokenizer = AutoTokenizer.from_pretrained(path)
    return RewardModel(model, tokenizer, recipe.get("kind", "prm"), Path(path).name, recipe)
