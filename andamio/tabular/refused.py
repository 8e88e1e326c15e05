"""A file that cannot be used as a whole: a matter for its owner, and no fault."""

from __future__ import annotations

from andamio.errors import DataError


class RefusedFile(DataError):
    """Why a file cannot be used, said of the file, and what to do; its name is the caller's to add."""
