"""The task worlds by name. Leaves out how each is made."""

from o1lab.tasks.countdown import WORDS as _COUNTDOWN
from o1lab.tasks.countdown import Countdown
from o1lab.tasks.stories import WORDS as _STORIES
from o1lab.tasks.stories import Stories, Sums

# Append only: the place of a word is its token id in every shipped checkpoint.
WORDS = tuple(dict.fromkeys((*_COUNTDOWN, *_STORIES)))
_WORLDS = {"countdown": Countdown, "stories": Stories, "sums": Sums}


def task(name: str):
    """The world of that name with its default settings; ValueError names the worlds there are."""
    if name not in _WORLDS:
        raise ValueError(f"no task {name!r}: choose one of {', '.join(_WORLDS)}")
    return _WORLDS[name]()
