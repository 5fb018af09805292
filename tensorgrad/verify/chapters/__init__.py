"""The claims and errata of the notes, one module a chapter.

Each module has ``CLAIMS`` and ``ERRATA``, tuples in the order of the notes.
"""

from __future__ import annotations
