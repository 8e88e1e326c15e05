"""`problem.toml` as data: tables, defaults, messages, JSON Schema. Nothing here reads a record."""

from andamio.contract.contract import Contract

__all__ = ["Contract"]
