"""`data/README.md` says of each shipped file what it is."""

from o1lab.paths import data_dir


def test_every_file_of_data_is_in_its_readme():
    text = (data_dir() / "README.md").read_text()
    names = {_named(path) for path in data_dir().rglob("*") if path.is_file()}
    assert sorted(name for name in names - {"README.md"} if f"`{name}`" not in text) == []


def _named(path) -> str:
    """How the README names a file: a checkpoint by its folder, claims all together."""
    parts = path.relative_to(data_dir()).parts
    if parts[0] == "checkpoints":
        return f"checkpoints/{parts[1]}/"
    return "results/claims/*.json" if parts[:2] == ("results", "claims") else "/".join(parts)
