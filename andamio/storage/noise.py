"""What tools leave beside data files: markers, checksums, hidden and empty files. It is never data."""

from __future__ import annotations

from andamio.storage.ports import ObjectInfo

_NAMES = frozenset({"thumbs.db", "desktop.ini"})
_ENDINGS = (".crc",)
_FOLDERS = frozenset({"__macosx", "_temporary", "_delta_log"})
_DATA = (".csv", ".tsv", ".txt", ".jsonl", ".ndjson", ".parquet", ".pq", ".gz")


def is_noise(info: ObjectInfo) -> bool:
    """Whether an object is no data file: of zero bytes, or named as tools name what they leave beside data.

    That is a name or folder that begins with a dot (`.DS_Store`, `._data.csv`, `.part.csv.crc`), a name that begins
    with an underscore and has no ending of a data file (`_SUCCESS`, `_committed_1`), `*.crc`, `Thumbs.db`,
    `desktop.ini`, and whatever is in `__MACOSX/`, `_temporary/` or `_delta_log/`.
    """
    if not info.size or info.key.endswith("/"):
        return True
    *folders, name = info.key.casefold().split("/")
    return (
        any(folder.startswith(".") or folder in _FOLDERS for folder in folders)
        or name.startswith(".")
        or name in _NAMES
        or name.endswith(_ENDINGS)
        or (name.startswith("_") and not name.endswith(_DATA))
    )
