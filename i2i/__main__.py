"""`python -m i2i` and the program `i2i`."""

from __future__ import annotations

import sys

from i2i.cli import main

if __name__ == "__main__":
    sys.exit(main())
