"""The figures on the pages of `docs/decisions`, one script for each page.

Every script prints its tables with ``python -m benchmarks.decisions.NAME``, and runs
through without meaning anything with ``--smoke``.
"""
