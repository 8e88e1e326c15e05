"""The error for a file that cannot be used as a whole: the owner of the file must fix it."""

from __future__ import annotations

from andamio.errors import DataError


class RefusedFile(DataError):
    """The reason why a file cannot be used, and what to do; the caller adds the file's name."""
