"""`data/README.md` says of each shipped file what it is."""

import json
import re

from o1lab.paths import data_dir


def test_every_file_of_data_is_in_its_readme():
    text = (data_dir() / "README.md").read_text()
    names = {_named(path) for path in data_dir().rglob("*") if path.is_file()}
    assert sorted(name for name in names - {"README.md"} if f"`{name}`" not in text) == []


def _named(path) -> str:
    """How the README names a file: a model by its folder, claims all together."""
    parts = path.relative_to(data_dir()).parts
    if parts[0] in ("checkpoints", "verifiers"):
        return f"{parts[0]}/{parts[1]}/"
    return "results/claims/*.json" if parts[:2] == ("results", "claims") else "/".join(parts)


def test_the_training_minutes_are_those_of_the_recipes():
    text = (data_dir() / "README.md").read_text()
    listed = re.findall(r"\| `([\w-]+)` \| ([\d.]+) \| ([\d.]*) ?\|", text)
    recipes = {
        name: json.loads((data_dir() / "checkpoints" / name / "recipe.json").read_text())
        for name, _, _ in listed
    }
    total = {name: recipe["total"]["minutes"] for name, recipe in recipes.items()}
    assert {name: float(minutes) for name, minutes, _ in listed} == total
    own = {name: minutes - total["base"] for name, minutes in total.items() if name != "base"}
    assert {n: float(later) for n, _, later in listed if later} == {
        name: round(minutes, 1) for name, minutes in own.items()
    }
    assert f"{total['base'] + sum(own.values()):.1f} minutes" in text
