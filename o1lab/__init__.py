"""o1lab: rebuild, measure and question how a model that thinks before it answers works."""

from importlib import import_module

__version__ = "0.1.0"

# Public names, loaded on first use so that `import o1lab` stays under half a second.
_LAZY = {
    "load": "o1lab.model.checkpoints",
    "think": "o1lab.model.checkpoints",
    "generate": "o1lab.model.generate",
    "Rollout": "o1lab.model.rollouts",
    "Problem": "o1lab.tasks.base",
    "Verdict": "o1lab.tasks.base",
    "task": "o1lab.tasks",
}
__all__ = sorted(_LAZY)


def __getattr__(name: str):
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"o1lab has no {name!r}; public names: {', '.join(__all__)}")
