"""Sweeps over the graph, and the transforms of functions that are made of them."""
