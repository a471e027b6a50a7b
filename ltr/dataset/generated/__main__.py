"""``python -m ltr.dataset.generated``: see `ltr.dataset.generated.command`."""

import sys

from ltr.dataset.generated.command import main

if __name__ == "__main__":
    sys.exit(main())
