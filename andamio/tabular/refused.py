"""The error for a file that cannot be used as a whole: the owner of the file must fix it."""

from __future__ import annotations

from typing import Literal

from andamio.errors import DataError

FileFault = Literal[
    "cut-off",
    "damaged",
    "duplicate-column",
    "empty",
    "encrypted",
    "line-ends",
    "long-row",
    "misnamed-column",
    "missing-column",
    "nested-column",
    "no-header",
    "no-object",
    "not-surveyed",
    "open-quote",
    "other-format",
    "too-large",
    "unclear-decimal",
    "unknown-input",
    "unknown-type",
    "unreadable",
]
"""What is wrong with a file, in a word for programs and tests."""


class RefusedFile(DataError):
    """The reason why a file cannot be used, and what to do; the caller adds the file's name."""

    def __init__(self, message: str, *, fault: FileFault) -> None:
        super().__init__(message)
        self.fault = fault
