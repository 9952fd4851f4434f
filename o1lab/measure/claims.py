"""The ledger of claims: what a paper says, what we measured, and a verdict computed by rule.

Leaves out the experiments and the command (`make/lesson01`, `make/claims`). The thresholds in
`data/results/thresholds.json` are committed before the results they judge.
"""

import ast
import hashlib
import importlib.util
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from o1lab.paths import data_dir

VERDICTS = ("reproduces shape", "direction only", "contradicts", "not testable at this scale")
START, END = "<!-- claims -->", "<!-- /claims -->"


@dataclass(frozen=True)
class Claim:
    """One question, the paper's answer and ours.

    direction, statistic, threshold: as committed beforehand. paper: {value, reference}.
    ours: {value, low, high} with a 95% bootstrap over problems and seeds. seeds: every seed's own
    value. flops: of training and evaluation together. functions: dotted names of the functions
    that made the number; code: a hash of their syntax trees.
    """

    id: str
    notebook: str
    question: str
    direction: str
    paper: dict
    ours: dict
    statistic: str
    seeds: list[float]
    problems: int
    flops: float
    device: str
    command: str
    date: str
    verdict: str
    functions: list[str] = field(default_factory=list)
    code: str = ""


def thresholds() -> dict[str, dict]:
    """{claim id: {question, statistic, direction, null, shape, paper, functions}}."""
    return json.loads((data_dir() / "results" / "thresholds.json").read_text())


def verdict(value: tuple[float, float, float], direction: str, null: float, shape: float) -> str:
    """The rule, for an effect (estimate, low, high) that should lie on one side of `null`.

    The whole interval past `shape`: reproduces shape. The whole interval past `null`: direction
    only. The whole interval on the other side of `null`: contradicts. An interval that holds
    `null`: not testable at this scale. ValueError for another direction than ">" or "<".
    """
    if direction not in ("<", ">"):
        raise ValueError(f'direction {direction!r}: choose ">" or "<"')
    _, low, high = value
    if direction == "<":
        low, high, null, shape = -high, -low, -null, -shape
    if low > shape:
        return VERDICTS[0]
    if low > null:
        return VERDICTS[1]
    return VERDICTS[2] if high < null else VERDICTS[3]


def judged(id: str, value: tuple[float, float, float], **known) -> Claim:
    """A claim with its committed thresholds and its verdict. KeyError if none were committed.

    known: seeds, problems, flops, device, command, date, as in Claim.
    """
    rule = _rule(id)
    return Claim(
        id=id,
        notebook=id.split("-")[0],
        question=rule["question"],
        direction=f"{rule['direction']} {rule['null']}",
        paper=rule["paper"],
        ours=dict(zip(("value", "low", "high"), value, strict=True)),
        statistic=rule["statistic"],
        verdict=verdict(value, rule["direction"], rule["null"], rule["shape"]),
        functions=rule["functions"],
        code=fingerprint(rule["functions"]),
        **known,
    )


def _rule(id: str) -> dict:
    rules = thresholds()
    if id not in rules:
        raise KeyError(f"claim {id!r} has no thresholds: commit them to thresholds.json first")
    return rules[id]


def fingerprint(functions: list[str]) -> str:
    """A hash of the functions' syntax trees; comments and docstrings do not count.

    The same on every Python that can read the code. ValueError for a name that is not there.
    """
    digest = hashlib.sha256()
    for name in functions:
        digest.update(repr(_plain(_without_docstrings(_tree(name)))).encode())
    return digest.hexdigest()[:16]


def _plain(node):
    """A syntax tree as lists, without empty fields: `ast.dump` writes them as versions differ."""
    if isinstance(node, list):
        return [_plain(item) for item in node]
    if not isinstance(node, ast.AST):
        return node
    fields = [(name, value) for name, value in ast.iter_fields(node) if value not in (None, [])]
    return [type(node).__name__, *((name, _plain(value)) for name, value in fields)]


def _tree(dotted: str) -> ast.AST:
    """The definition of "package.module.function" or "package.module.Class.method"."""
    parts = dotted.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        try:
            spec = importlib.util.find_spec(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        if spec and spec.origin:
            return _find(ast.parse(Path(spec.origin).read_text()), parts[cut:], dotted)
    raise ValueError(f"no module holds {dotted}: mend its name in thresholds.json")


def _find(tree: ast.AST, names: list[str], dotted: str) -> ast.AST:
    for name in names:
        tree = next((n for n in ast.iter_child_nodes(tree) if getattr(n, "name", "") == name), None)
        if tree is None:
            raise ValueError(f"{dotted} is not there any more: mend its name in thresholds.json")
    return tree


def _without_docstrings(tree: ast.AST) -> ast.AST:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        first = body[0] if isinstance(body, list) and body else None
        value = first.value if isinstance(first, ast.Expr) else None
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            node.body = body[1:]
    return tree


def folder() -> Path:
    return data_dir() / "results" / "claims"


def record(claim: Claim) -> Path:
    """Write data/results/claims/<id>.json, under a temporary name first.

    KeyError if no thresholds were committed for it.
    """
    _rule(claim.id)
    path = folder() / f"{claim.id}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".tmp")
    fresh.write_text(json.dumps(asdict(claim), indent=1) + "\n")
    os.replace(fresh, path)
    return path


def recorded() -> list[Claim]:
    """Every recorded claim, by id."""
    return [Claim(**json.loads(p.read_text())) for p in sorted(folder().glob("*.json"))]


def stale(claim: Claim) -> bool:
    """Whether a function that the claim names has changed since it was recorded."""
    try:
        return fingerprint(claim.functions) != claim.code
    except ValueError:
        return True


def table(claims: list[Claim]) -> str:
    """The claims as a Markdown table: papers by author and year, accuracies in points."""
    head = (
        "| | question | the paper | ours (95%) | each seed | verdict |\n|---|---|---|---|---|---|"
    )
    return "\n".join([head, *map(_row, claims)])


def _row(claim: Claim) -> str:
    ours, unit = claim.ours, thresholds().get(claim.id, {}).get("unit", "")
    value, low, high = (_number(ours[key], unit) for key in ("value", "low", "high"))
    seeds = ", ".join(_number(seed, unit) for seed in claim.seeds)
    paper = short_name(claim.paper["reference"])
    if claim.paper.get("value") is not None:
        paper = f"{claim.paper['value']}, {paper}"
    mark = " (stale)" if stale(claim) else ""
    effect = f"{value} {unit}".strip() + f" ({low} to {high})"
    cells = (claim.notebook, f"{claim.question} *{claim.statistic}*", paper, effect, seeds)
    return f"| {' | '.join(cells)} | {claim.verdict}{mark} |"


def _number(value: float, unit: str) -> str:
    """An effect with its sign; a difference of shares in points where that is its unit."""
    return f"{100 * value:+.1f}" if unit.startswith("points") else f"{value:+.2f}"


def short_name(reference: str) -> str:
    """Author and year of an entry of `data/references.json`, such as "Wei et al. 2022".

    A reference that is not in it keeps its id.
    """
    known = json.loads((data_dir() / "references.json").read_text())
    source = next((paper["source"] for paper in known if paper["id"] == reference), None)
    if source is None:
        return reference
    names = source["authors"].split(";")[0].split(" (")[0].split(", ")
    words = " & ".join(names) if len(names) <= 2 else f"{names[0]} et al."
    return f"{words} {source['year'] or ''}".strip()


def in_readme(text: str, claims: list[Claim]) -> str:
    """The README's text with the table of claims between its markers; ValueError without them."""
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        raise ValueError(f"the README has no {START} … {END} to write the claims between")
    return f"{before}{START}\n{table(claims)}\n{END}{after}"
