"""Timings of whole training steps against handwritten NumPy and other libraries.

Run from the root of the repository::

    python -m benchmarks --help
"""
