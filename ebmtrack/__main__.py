"""``python -m ebmtrack`` is the command ``ebmtrack``."""

import sys

from ebmtrack.start import main

if __name__ == "__main__":
    sys.exit(main())
