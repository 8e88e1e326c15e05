"""A file that is not scored: a matter for its owner, and no fault."""

from __future__ import annotations

from andamio.errors import DataError


class RefusedFile(DataError):
    """Why a file cannot be scored, said of the file, and what to do; its name is the caller's to add."""
