"""A file that cannot be used as a whole: its owner must fix it; the system has no fault."""

from __future__ import annotations

from andamio.errors import DataError


class RefusedFile(DataError):
    """The reason why a file cannot be used, and what to do; the caller adds the file's name."""
