"""Limits: how much of a file is inspected, and how much is read at a time."""

from __future__ import annotations

SAMPLE = 2**20
"""Bytes at the beginning of a file that decide how it is read: a header must end within them."""
LATER_SAMPLE = 256 * 2**10
"""Bytes in the middle and at the end that are looked at where the beginning does not decide."""
BLOCK = 2 * 2**20
"""Bytes of a text read at a time."""
ROWS = 32_768
"""Rows handled at a time: what bounds memory, and large enough that columns are worked on at once."""
LONGEST_ROW = 16 * 2**20
"""Most bytes of a row. A longer one is the sign of a quote that was left open, or of a file that is no table."""
