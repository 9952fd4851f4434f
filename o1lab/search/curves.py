"""Expected accuracy of each way to choose, at 1 to n of n rollouts; a value a problem.

Arrays are (problems, n); results are (problems, sizes), so that a paired bootstrap over problems
can follow. Oracle and best-of-N are exact; the votes are means over random orders of the n
rollouts. One seed gives every vote the same orders. Leaves out the cost of the verifier.
"""

from collections.abc import Mapping, Sequence

import numpy as np

DRAWS = 200


def oracle_curve(rights, sizes: Sequence[int]) -> np.ndarray:
    """Chance that any of N rollouts is right: pass@N, Chen et al. 2021 eq. 1. (problems, sizes)

    rights: booleans (problems, n). Exact. ValueError for an N outside 1..n.
    """
    rights = _rights(rights)
    n = _room(rights, sizes)
    wrong = n - rights.sum(1)
    return np.stack([1.0 - _inside(n, size)[wrong] for size in sizes], axis=1)


def best_of_n_curve(rights, scores, sizes: Sequence[int]) -> np.ndarray:
    """Chance that the highest score among N of the n rollouts is a right one's. (problems, sizes)

    rights: booleans (problems, n); scores: a chain's worth (problems, n), -inf allowed. Exact:
    with L rollouts below a score and E at it, the best of N has that score with probability
    [C(L + E, N) - C(L, N)] / C(n, N), and is each of the E alike. ValueError for a NaN, unequal
    shapes, or an N outside 1..n.
    """
    rights = _rights(rights)
    scores = _scores(rights, scores)
    n = _room(rights, sizes)
    below, upto = _ranks(scores)
    curves = []
    for size in sizes:
        inside = _inside(n, size)
        chosen = (inside[upto] - inside[below]) / (upto - below)  # (problems, n), rows sum to 1
        curves.append((chosen * rights).sum(1))
    return np.stack(curves, axis=1)


def majority_curve(answers, rights, sizes: Sequence[int], draws: int = DRAWS, seed: int = 0):
    """Accuracy of majority voting on N of the n rollouts, ties to the one given first.

    answers: rows of canonical answers or None (problems, n); rights: whether each is right.
    Returns (problems, sizes), a mean over `draws` random orders: its standard error is at most
    0.5 / sqrt(draws) a problem. ValueError as in `weighted_vote_curve`.
    """
    return weighted_vote_curve(answers, rights, np.ones(np.shape(rights)), sizes, draws, seed)


def weighted_vote_curve(
    answers, rights, scores, sizes: Sequence[int], draws: int = DRAWS, seed: int = 0
) -> np.ndarray:
    """Accuracy of the vote that sums scores by answer, as `majority_curve`. (problems, sizes)

    scores: (problems, n), at least 0, or -inf for a rollout that has no say. Ties (equal sums)
    go to the answer given first. ValueError for unequal shapes, a NaN or negative score, an
    answer that is both right and wrong in one problem, or an N outside 1..n.
    """
    rights = _rights(rights)
    scores = _scores(rights, scores)
    if np.any((scores < 0) & (scores != -np.inf)) or np.any(scores == np.inf):
        raise ValueError("a vote weighs at least 0: give probabilities (or -inf for no say)")
    n = _room(rights, sizes)
    codes, truths = _encode(answers, rights)
    rng = np.random.default_rng(seed)
    found = np.zeros((len(rights), len(sizes)))
    for _ in range(draws):
        order = rng.permuted(np.tile(np.arange(n), (len(rights), 1)), axis=1)
        row, weight = np.take_along_axis(codes, order, 1), np.take_along_axis(scores, order, 1)
        for j, size in enumerate(sizes):
            found[:, j] += _vote(row[:, :size], weight[:, :size], truths)
    return found / draws


def majority_prediction(
    histograms: Sequence[Mapping[str | None, int]],
    right: Sequence[str],
    sizes: Sequence[int],
    draws: int = 2000,
    seed: int = 0,
) -> np.ndarray:
    """Accuracy of majority voting on N fresh rollouts, from answer counts alone. (problems, sizes)

    histograms: how often each answer was given, None for no answer, a row a problem; right: the
    right answer. N answers are drawn from the counts' shares (multinomial, no free parameter);
    of tied answers each was given first with equal chance. Counts should be of other rollouts
    than the curve compared with, and of many more than N: their noise pulls the prediction
    toward a draw. ValueError for an empty histogram, unequal lengths or an N below 1.
    """
    if len(histograms) != len(right):
        raise ValueError(f"{len(histograms)} histograms and {len(right)} right answers")
    if min(sizes, default=1) < 1:
        raise ValueError(f"{min(sizes)} votes wanted: give at least 1")
    rng = np.random.default_rng(seed)
    pairs = zip(histograms, right, strict=True)
    rows = [[_predict(h, truth, size, draws, rng) for size in sizes] for h, truth in pairs]
    return np.array(rows).reshape(len(rows), len(sizes))


def _predict(histogram: Mapping, truth: str, size: int, draws: int, rng) -> float:
    """Share of `draws` multinomial samples of `size` votes that the right answer wins."""
    names, counts = list(histogram), np.array(list(histogram.values()), dtype=float)
    if len(counts) == 0 or not counts.sum() > 0 or np.any(counts < 0):
        raise ValueError(f"an answer histogram needs positive counts, got {dict(histogram)}")
    if truth not in names:
        return 0.0
    votes = rng.multinomial(size, counts / counts.sum(), size=draws)  # (draws, answers)
    votes = votes[:, [name is not None for name in names]]
    mine = votes[:, [name for name in names if name is not None].index(truth)]
    top = votes.max(1)
    tied = (votes == top[:, None]).sum(1)
    return float(np.mean(np.where((mine == top) & (top > 0), 1.0 / tied, 0.0)))


def _vote(codes: np.ndarray, weights: np.ndarray, truths: np.ndarray) -> np.ndarray:
    """Whether each row's vote is right. codes: (P, N), -1 for no answer; truths: (P, answers)."""
    problems, size = codes.shape
    answers = truths.shape[1]
    row, place = np.nonzero(codes >= 0)
    cell = row * answers + codes[row, place]
    weight = weights[row, place]
    says = weight != -np.inf
    cells = problems * answers
    totals = np.bincount(cell[says], weight[says], minlength=cells).astype(float)
    totals[np.bincount(cell[says], minlength=cells) == 0] = -np.inf
    first = np.full(cells, size)
    np.minimum.at(first, cell, place)
    totals, first = totals.reshape(problems, answers), first.reshape(problems, answers)
    best = totals == totals.max(1, keepdims=True)
    winner = np.where(best, first, size).argmin(1)
    rows = np.arange(problems)
    return truths[rows, winner] & (first[rows, winner] < size)


def _encode(answers, rights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(codes (P, n), whether each code is right (P, codes)); None is -1."""
    shape = (len(answers), {len(row) for row in answers})
    if shape != (rights.shape[0], {rights.shape[1]}):
        raise ValueError(f"answers of {shape[0]} problems by {shape[1]}, rights {rights.shape}")
    codes = np.full(rights.shape, -1)
    truths = np.zeros((len(rights), rights.shape[1]), dtype=bool)
    for i, row in enumerate(answers):
        names: dict = {}
        codes[i] = [-1 if a is None else names.setdefault(a, len(names)) for a in row]
        given = codes[i] >= 0
        truths[i, codes[i][given & rights[i]]] = True
        if np.any(rights[i] != (truths[i][codes[i]] & given)):
            raise ValueError(f"problem {i} has an answer both right and wrong: grade answers alone")
    return codes, truths[:, : codes.max() + 1] if codes.max() >= 0 else truths[:, :1]


def _ranks(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each score, how many of its row lie below it, and how many below or at it."""
    ordered = np.sort(scores, axis=1)
    sides = [
        np.stack([np.searchsorted(o, row, side) for o, row in zip(ordered, scores, strict=True)])
        for side in ("left", "right")
    ]
    return sides[0], sides[1]


def _inside(n: int, size: int) -> np.ndarray:
    """C(m, size) / C(n, size) for m = 0..n: the chance that a random subset lies within m of n."""
    m = np.arange(n, size, -1)
    table = np.zeros(n + 1)
    table[size:] = np.concatenate([[1.0], np.cumprod((m - size) / m)])[::-1]
    return table


def _rights(rights) -> np.ndarray:
    rights = np.asarray(rights)
    if rights.ndim != 2 or rights.size == 0:
        raise ValueError(f"rights must be (problems, n), not empty, got shape {rights.shape}")
    if not np.all((rights == 0) | (rights == 1)):
        raise ValueError("rights must be true or false, 1 or 0")
    return rights.astype(bool)


def _scores(rights: np.ndarray, scores) -> np.ndarray:
    scores = np.asarray(scores, dtype=float)
    if scores.shape != rights.shape:
        raise ValueError(f"scores of shape {scores.shape} for rights of shape {rights.shape}")
    if np.any(np.isnan(scores)):
        raise ValueError(f"problem {np.argwhere(np.isnan(scores))[0][0]} has a NaN score")
    return scores


def _room(rights: np.ndarray, sizes: Sequence[int]) -> int:
    """n, checked: every size lies in 1..n."""
    n = rights.shape[1]
    if len(sizes) == 0 or min(sizes) < 1 or max(sizes) > n:
        raise ValueError(f"sizes {list(sizes)}: give at least one, each in 1..{n} rollouts")
    return n
