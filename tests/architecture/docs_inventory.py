"""Check that a built documentation has an entry for every public name.

``python -m tests.architecture.docs_inventory docs/_build/html/objects.inv``
"""

from __future__ import annotations

import sys
import zlib
from pathlib import Path

from tests.architecture.public_api import is_definition, public_objects

HEADER_LINES = 4


def documented_names(inventory: Path) -> set[str]:
    """Return every Python name that a Sphinx inventory (version 2) lists."""
    data = inventory.read_bytes()
    for _ in range(HEADER_LINES):
        data = data.partition(b"\n")[2]
    entries = zlib.decompress(data).decode().splitlines()
    return {entry.split(" ", 1)[0] for entry in entries if " py:" in entry}


def missing_names(inventory: Path) -> list[str]:
    """Return the public names without an entry, with the module that has them."""
    known = documented_names(inventory)
    names = [
        f"{module}.{name}"
        for module, name, thing in public_objects()
        if is_definition(thing)
    ]
    return [name for name in names if name not in known]


def main(arguments: list[str]) -> int:
    """Print what is missing."""
    missing = missing_names(Path(arguments[0]))
    for name in missing:
        print(f"not in the reference documentation: {name}")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
