"""Faults planted into code that computes derivatives."""
