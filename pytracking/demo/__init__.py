"""``ebmtrack demo``: the installed weights on a real clip, and training shown on generated videos."""

from pytracking.demo.command import build_parser, main
from pytracking.demo.scratch import untrained

__all__ = ["build_parser", "main", "untrained"]
