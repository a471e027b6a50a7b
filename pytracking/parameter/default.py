"""The tracker that runs where none is named: its weights are installed with the package."""

__all__ = ["DEFAULT_PARAMETERS", "DEFAULT_TRACKER"]

DEFAULT_TRACKER, DEFAULT_PARAMETERS = "atom", "nce_plus_lite"
