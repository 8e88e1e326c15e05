"""Raw files as people drop them: CSV, Parquet and JSON Lines, read into cells with their place in the file."""

from andamio.tabular.file import read_raw
from andamio.tabular.rows import Broken, Chunk, ReadAs, RefusedFile

__all__ = ["Broken", "Chunk", "ReadAs", "RefusedFile", "read_raw"]
