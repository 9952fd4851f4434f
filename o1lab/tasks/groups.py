"""Serial products with and without commuting: words in S5, and running sums, as bare token ids.

The control experiment of lesson 01. Leaves out English: a problem is a row of move ids, its
answer the state after all of them. Both worlds have 120 states and 6 moves, so they look alike.
Source: Merrill & Sabharwal 2023; Liu et al. 2023 (word problems of groups in transformers).
"""

from itertools import permutations

import numpy as np

STATES, MOVES = 120, 6
ASK, DOT, REST, FIRST_MOVE = 120, 121, 122, 123  # a state's id is its number; 123..128 are moves
LONGEST = 10  # every word is followed by REST up to this many slots, so places line up
VOCABULARY = 136
ARMS = ("direct", "thoughts", "filler", "unspoken")
# Two swaps, two three-cycles, two five-cycles: together they generate S5.
_S5 = ((1, 0, 2, 3, 4), (0, 1, 2, 4, 3), (1, 2, 0, 3, 4), (0, 1, 3, 4, 2),
       (1, 2, 3, 4, 0), (4, 0, 1, 2, 3))  # fmt: skip


def transitions(world: str) -> np.ndarray:
    """(STATES, MOVES) table: the state after a move. Worlds: "s5" and "sum" (moves add 1..6)."""
    if world == "s5":
        order = {p: i for i, p in enumerate(permutations(range(5)))}
        rows = [[order[tuple(p[i] for i in move)] for move in _S5] for p in order]
        return np.array(rows)
    if world == "sum":
        return (np.arange(STATES)[:, None] + np.arange(1, MOVES + 1)) % STATES
    raise ValueError(f'no world {world!r}: choose "s5" (order matters) or "sum" (it does not)')


def words(world: str, rng: np.random.Generator, rows: int, length: int):
    """Random words: moves (rows, length) as move numbers, states (rows, length) after each."""
    table = transitions(world)
    moves = rng.integers(0, MOVES, (rows, length))
    state = np.zeros(rows, dtype=np.int64)
    states = np.empty_like(moves)
    for t in range(length):
        state = table[state, moves[:, t]]
        states[:, t] = state
    return moves, states


def reserved(moves: np.ndarray, share: float = 0.1) -> np.ndarray:
    """Which words are kept for the test, by a hash of the word: (rows,) booleans.

    Short words are too few to hold out (6 of one move, 36 of two): under 4 moves none is.
    """
    if moves.shape[1] < 4:
        return np.zeros(len(moves), dtype=bool)
    mixed = np.zeros(len(moves), dtype=np.uint64)
    for column in moves.T.astype(np.uint64):
        mixed = (mixed * np.uint64(6364136223846793005) + column * np.uint64(2) + np.uint64(1)) ^ (
            mixed >> np.uint64(29)
        )
    return (mixed >> np.uint64(20)) % np.uint64(1000) < np.uint64(round(1000 * share))


def rows_of(moves: np.ndarray, states: np.ndarray, arm: str) -> tuple[np.ndarray, np.ndarray]:
    """Token ids and loss weights, both (rows, T), of words written in one of the four ways.

    direct: moves ASK answer. thoughts: moves ASK every state in turn. filler: moves ASK dots
    answer, as long as the thoughts. unspoken: as direct, but the states are trained as an extra
    target at the moves themselves (see `unspoken_targets`) and never written.
    """
    n, length = moves.shape
    rest = np.full((n, LONGEST - length), REST)
    head = np.concatenate([moves + FIRST_MOVE, rest, np.full((n, 1), ASK)], 1)
    if arm == "thoughts":
        tail = states
    elif arm == "filler":
        tail = np.concatenate([np.full((n, length - 1), DOT), states[:, -1:]], 1)
    elif arm in ("direct", "unspoken"):
        tail = states[:, -1:]
    else:
        raise ValueError(f"no arm {arm!r}: choose one of {', '.join(ARMS)}")
    weights = np.concatenate([np.zeros_like(head), tail != DOT], 1).astype(np.float32)
    return np.concatenate([head, tail], 1), weights
