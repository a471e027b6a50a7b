"""How much every method may spend."""

from dataclasses import asdict, dataclass
from typing import Any

from ebm.checks import require_count

__all__ = ["QUICK", "Budget"]


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Limits; the defaults are those of a reported run.

    Attributes:
        epochs: most passes of a network over the rows; None is the default of `ebm.fit`.
        trees: of a forest.
        rounds: most rounds of boosting, before early stopping.
        rows: most rows to fit and to test on; None is all.

    Raises:
        DomainError: if a number is below 1.
    """

    epochs: int | None = None
    trees: int = 200
    rounds: int = 2000
    rows: int | None = None

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value is not None:
                require_count(name, value)

    def network_options(self) -> dict[str, Any]:
        """Arguments of `ebm.fit`."""
        return {} if self.epochs is None else {"epochs": self.epochs}

    def plain(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


QUICK = Budget(epochs=15, trees=30, rounds=60, rows=120)
