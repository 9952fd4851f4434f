"""The map of the lab: every notebook, the question it answers, and where the reader stands."""

from pathlib import Path

from o1lab.show.view import BLUE, EDGE, View, escape, tag

NOTEBOOKS = (
    ("00_start_here", "What does a model that thinks look like?"),
    ("01_chain_of_thought", "Why does thinking aloud help?"),
    ("02_sample_and_vote", "What do more samples buy?"),
    ("03_process_reward_models", "Who checks the work?"),
    ("04_ppo", "How does reward become skill?"),
    ("05_tree_search", "When is search worth it?"),
    ("06_self_talk", "Can it correct itself?"),
    ("07_train_or_think", "Train more or think more?"),
    ("08_deliberate_safety", "Does thinking about the rules make it safer?"),
    ("09_the_reasoner", "The whole machine, from prompt to checked answer"),
    ("10_gpu_budget", "What would the real one cost?"),
    ("11_limits", "Where does it break?"),
    ("12_a_real_model", "The same functions on a model from the Hub"),
)
NAMES = {"ppo": "PPO", "gpu budget": "GPU budget", "self talk": "self-talk"}
GRID = "display:grid;grid-template-columns:repeat(auto-fill,minmax(15em,1fr));gap:8px;"


def lab_map(here: str, folder: Path | str | None = None) -> View:
    """The map; `here` is the reader's number, `folder` where the notebooks lie.

    Notebooks that exist are links, the others say that they are coming. Without a folder it
    looks in the current one, then in the checkout's. ValueError for a number not on the map.
    """
    if here not in [name[:2] for name, _ in NOTEBOOKS]:
        raise ValueError(f"no notebook {here!r} on the map: give two digits, 00 to 12")
    folders = [Path(folder)] if folder else [Path("."), Path(__file__).parents[2] / "notebooks"]
    places = [
        _place(name, question, here, any((f / f"{name}.ipynb").exists() for f in folders))
        for name, question in NOTEBOOKS
    ]
    html = tag("div", "".join(cell for cell, _ in places), GRID + "max-width:80em")
    return View(html, "\n".join(line for _, line in places))


def _place(name: str, question: str, here: str, there: bool) -> tuple[str, str]:
    """One notebook's card, and its line of text."""
    topic, mine = name[3:].replace("_", " "), name[:2] == here
    title = f"{name[:2]} {NAMES.get(topic, topic)}"
    state = "you are here" if mine else "" if there else "coming"
    words = tag("b", title)
    if there and not mine:
        words = tag("a", words, "", f'href="{name}.ipynb"')
    look = "font-size:85%;opacity:.85;float:right;margin-left:.8em"
    note = tag("span", f"{'● ' if mine else ''}{state}", look)
    edge = f"2px solid {BLUE}" if mine else f"1px {'solid' if there else 'dashed'} {EDGE}"
    frame = f"border:{edge};border-radius:6px;padding:7px 11px;line-height:1.4"
    cell = tag("div", (note if state else "") + words + tag("div", escape(question)), frame)
    return cell, f"{title}: {question}" + (f" ({state})" if state else "")
