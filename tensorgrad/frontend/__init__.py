"""What a user of NumPy expects of an array: methods, protocols, functions, assignment.

Importing this package installs them on Tensor. ``FUNCTIONS`` holds the public
functions that are not ops of the table, by name.
"""

from __future__ import annotations

from tensorgrad.frontend import assignment, methods, numpy_protocol
from tensorgrad.frontend.functional import FUNCTIONS
from tensorgrad.frontend.numpy_protocol import numpy_aliases

__all__ = ["FUNCTIONS", "numpy_aliases"]

assignment.install()
methods.install()
numpy_protocol.install()
