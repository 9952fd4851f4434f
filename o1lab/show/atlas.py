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
    ("12_a_real_model", "The same functions on a real model"),
)


def lab_map(here: str, folder: Path | str = ".") -> View:
    """The map; `here` is the reader's number, `folder` where the notebooks lie.

    Notebooks that exist are links, the others say that they are coming. ValueError for a number
    that is not on the map.
    """
    if here not in [name[:2] for name, _ in NOTEBOOKS]:
        raise ValueError(f"no notebook {here!r} on the map: give two digits, 00 to 12")
    places = [_place(name, question, here, Path(folder)) for name, question in NOTEBOOKS]
    grid = "display:grid;grid-template-columns:repeat(auto-fill,minmax(235px,1fr));gap:8px"
    html = tag("div", "".join(cell for cell, _ in places), f"{grid};max-width:78em")
    return View(html, "\n".join(line for _, line in places))


def _place(name: str, question: str, here: str, folder: Path) -> tuple[str, str]:
    title, there = name[:2] + " " + name[3:].replace("_", " "), (folder / f"{name}.ipynb").exists()
    words = tag("b", escape(title))
    if there and name[:2] != here:
        words = tag("a", words, "", f'href="{name}.ipynb"')
    state = "you are here" if name[:2] == here else "" if there else "coming"
    note = tag("span", f" {state}", "opacity:.7;font-size:90%") if state else ""
    edge = f"2px solid {BLUE}" if name[:2] == here else f"1px solid {EDGE}"
    dim = "" if there or name[:2] == here else "opacity:.75;"
    frame = f"border:{edge};border-radius:6px;padding:6px 10px;{dim}line-height:1.4"
    cell = tag("div", words + note + tag("div", escape(question)), frame)
    return cell, f"{title}: {question}" + (f" ({state})" if state else "")
