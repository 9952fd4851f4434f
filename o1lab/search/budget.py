"""How much a search of one problem may spend: FLOPs, or tokens through policy and verifier."""

from dataclasses import dataclass

from o1lab.measure.compute import Ledger


@dataclass(frozen=True)
class Budget:
    """A ceiling on a problem's ledger; None is no ceiling.

    flops: of policy and verifier. tokens: read, written and scored, every re-reading counted.
    """

    flops: float | None = None
    tokens: int | None = None

    def __post_init__(self):
        for name, most in (("flops", self.flops), ("tokens", self.tokens)):
            if most is not None and not 0 < most < float("inf"):
                raise ValueError(f"a budget of {most} {name}: give a number above 0, or None")

    def holds(self, ledger: Ledger) -> bool:
        """Whether the ledger is within the budget."""
        return (self.flops is None or ledger.flops <= self.flops) and (
            self.tokens is None or tokens(ledger) <= self.tokens
        )


def tokens(ledger: Ledger) -> int:
    """All tokens that went through policy or verifier."""
    return ledger.prompt_tokens + ledger.generated_tokens + ledger.scored_tokens
