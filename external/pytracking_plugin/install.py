"""Adds noise-contrastive box energies to a clone of visionml/pytracking, and removes them again.

    python install.py --pytracking DIR [--dry-run] [--copy-ebm] [--keep-prroi-pool] [--no-repairs] [--force]
    python install.py --pytracking DIR --uninstall [--dry-run] [--force]

Needs the standard library alone; the Python that runs the clone afterwards must be able to import `ebm`.
"""

import sys

# What `ebm` needs, which runs in the clone's Python. Every Python must be able to read this file.
LOWEST = (3, 11)

if sys.version_info < LOWEST:
    sys.stderr.write(
        "error: this is Python {}.{} ({}), the plugin needs {}.{} or newer: so does `ebm`, which the added "
        "settings call. Run install.py with the Python that runs the clone, which must be that new too. "
        "Nothing was changed.\n".format(*(tuple(sys.version_info[:2]) + (sys.executable,) + LOWEST))
    )
    sys.exit(2)

from plugin_command import main  # noqa: E402

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
