"""One module a command: what it accepts, and what it does.

Each has ``add(commands, prog)``, which declares the command, and ``run(options)``,
which returns the exit status.
"""

from __future__ import annotations
