"""``python -m tensorgrad``: the command line, and the demo if nothing is asked for."""

from __future__ import annotations

import sys

from tensorgrad.cli.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["demo"], prog="python -m tensorgrad"))
