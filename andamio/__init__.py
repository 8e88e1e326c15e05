"""Andamio's core: what a contract, a release, a split, a gate are. Pure, and small enough to serve."""

__version__ = "0.2.0"
