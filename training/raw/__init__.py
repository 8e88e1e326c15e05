"""Raw files as people drop them: CSV, Parquet and JSON Lines, read into cells with their place in the file."""

from training.raw.file import read_raw
from training.raw.rows import Broken, Chunk, ReadAs, RefusedFile

__all__ = ["Broken", "Chunk", "ReadAs", "RefusedFile", "read_raw"]
