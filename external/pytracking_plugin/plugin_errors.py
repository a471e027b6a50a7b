"""The one error that the installer raises on purpose."""

__all__ = ["PluginError"]


class PluginError(Exception):
    """A request that is refused: what was asked, what there is, what to do."""
