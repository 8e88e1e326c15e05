"""Andamio's core: contract, records, data versions, gate and release, the adapters, and the command line."""

__version__ = "0.2.0"
