"""Rows while they are made into a data version: in chunks on disk, read a column at a time.

What is in memory is a column, and a few numbers for each row, however many columns there are. The largest column
decides: one whose texts differ in each row takes the texts themselves. A chunk is a file of columns as a data version
has them.
"""

from __future__ import annotations

import io
import os
import shutil
import tempfile
import threading
import weakref
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andamio.dataset.columns import TEXT, ColumnFile, Columns, to_bytes, type_name
from andamio.dataset.version import KEY, ROW
from andamio.errors import DataError, ObjectNotFound
from andamio.storage import layout
from andamio.storage.ports import Objects

CHUNK = 4_194_304
"""Cells of a chunk, or a few more: it is written when it has so many, wide tables after fewer rows."""
INDEX = "index.npy"
BYTES_OF_A_TEXT, COPIES = 110, 2
"""What a text takes while its column is made into a file: its object and its places in an array and a dictionary, and
its bytes as often (benchmarks/etl.py)."""
_PIECE = 8 * 2**20
_PREFIX = "andamio-etl-"

_own: set[Path] = set()
"""The folders of this process that are in use."""
_making = threading.Lock()
"""Held while a folder is made and known: steps of one process may run at once in a test."""

KEPT_OPEN = 64
"""Up to so many chunks stay open between the columns that are read; of more each is opened for each column."""
_RECORD = np.dtype([("row", "<u8"), ("key", "<u8"), ("chunk", "<u2"), ("valid", "?")])


class Scratch:
    """A folder on this machine, gone when nothing uses it any more; its name has the id of the process."""

    def __init__(self) -> None:
        with _making:
            self.folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
            _own.add(self.folder)
        self._end = weakref.finalize(self, _remove, self.folder)

    def fetch(self, lake: Objects, key: str, name: str, *, version: str | None = None) -> Path:
        """An object as a file; raises `ObjectNotFound`."""
        file = self.folder / name
        with lake.stream(key, version=version) as source, file.open("wb") as out:
            while piece := source.read(_PIECE):
                out.write(piece)
        return file


def remove_abandoned() -> None:
    """Remove the folders of processes that were killed: the disk of a warm function outlives them.

    Folders of processes that run stay, since the functions of a local cloud share one folder for temporary files. One
    with the id of this process that it did not make was left by an earlier one of the same id.
    """
    with _making:
        for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*-*"):
            pid = folder.name.removeprefix(_PREFIX).partition("-")[0]
            if pid.isdecimal() and folder not in _own and (int(pid) == os.getpid() or not _runs(int(pid))):
                shutil.rmtree(folder, ignore_errors=True)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is another user's
        return True
    return True


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    _own.discard(folder)


class Chunks:
    """Rows in files, a chunk each, which all have the same columns."""

    def __init__(self) -> None:
        self._scratch = Scratch()
        self._files: list[Path] = []
        self._sizes: list[int] = []
        self._waiting: list[dict[str, NDArray[Any]]] = []
        self._rows = 0
        self._texts: Counter[str] = Counter()
        self._open: dict[Path, ColumnFile] = {}
        self.types: list[tuple[str, str]] = []

    def add(self, columns: dict[str, NDArray[Any]]) -> None:
        """Add some rows; they are in a file once there are as many as a chunk has, or at `finish`."""
        self._waiting.append(columns)
        self._rows += len(next(iter(columns.values())))
        if self._rows * len(columns) >= CHUNK:
            self.finish()

    def finish(self) -> None:
        """Write what is not in a file yet."""
        if not self._rows:
            return
        self._sizes.append(self._rows)
        parts, self._waiting, self._rows = self._waiting, [], 0
        whole = {name: np.concatenate([part.pop(name) for part in parts]) for name in list(parts[0])}
        file = self._scratch.folder / _name(len(self._files))
        file.write_bytes(to_bytes(whole))
        self.opened(file)

    @property
    def files(self) -> Sequence[Path]:
        """The files, in the order of the rows."""
        return self._files

    @property
    def sizes(self) -> Sequence[int]:
        """How many rows each file has."""
        return self._sizes

    def largest_text(self) -> tuple[str, int]:
        """The column of text that takes the most memory when it is read, and about how many bytes; "", 0 for none.

        A text counts once in each file, since files are read one by one.
        """
        return max(self._texts.items(), key=lambda pair: pair[1], default=("", 0))

    def fetch(self, lake: Objects, digest: str, name: str) -> Path:
        """A file of staging/INPUT/; raises `ObjectNotFound`."""
        return self._scratch.fetch(lake, layout.staging(digest, name), name)

    def read(self, name: str) -> NDArray[Any]:
        """A column of all rows; raises `KeyError` when there is no such column."""
        if len(self._files) <= KEPT_OPEN:
            parts = [self._kept_open(path)[name] for path in self._files]
        else:
            parts = []
            for path in self._files:
                with ColumnFile(path) as file:
                    parts.append(file[name])
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _kept_open(self, path: Path) -> ColumnFile:
        """A file whose list of columns is read once: for thousands of columns, anew for each takes minutes."""
        file = self._open.get(path)
        if file is None:
            file = self._open[path] = ColumnFile(path)
        return file

    def opened(self, file: Path) -> None:
        """Take a file as the next chunk."""
        with ColumnFile(file) as columns:
            self.types = columns.types
            for name, kind in self.types:
                if kind == TEXT:
                    texts, size = columns.distinct(name)
                    self._texts[name] += texts * BYTES_OF_A_TEXT + round(size * COPIES)
        self._files.append(file)


def save(
    lake: Objects,
    digest: str,
    chunks: Chunks,
    rows: NDArray[np.uint64],
    keys: NDArray[np.uint64],
    valid: NDArray[np.bool_],
) -> None:
    """Write what is staged to staging/INPUT/: the chunks, and an index with identity and key of each of their rows.

    `valid` `[rows]` says which rows are to be used.
    """
    for file in chunks.files:
        lake.put(layout.staging(digest, file.name), file.read_bytes())
    index = np.empty(len(rows), dtype=_RECORD)
    index["row"], index["key"], index["valid"] = rows, keys, valid
    index["chunk"] = np.repeat(np.arange(len(chunks.sizes)), chunks.sizes)
    body = io.BytesIO()
    np.save(body, index, allow_pickle=False)
    lake.put(layout.staging(digest, INDEX), body.getvalue())


def load(lake: Objects, digest: str) -> tuple[StagedRows, NDArray[np.int64]]:
    """The valid rows that `save` wrote, in the order of their identities, and where each stood in what was read.

    A file that comes again, later or under another name, changes nothing. Raises `DataError` when a file is missing.
    """
    chunks = Chunks()
    try:
        index = np.load(chunks.fetch(lake, digest, INDEX), allow_pickle=False)
        for number in range(int(index["chunk"].max(initial=0)) + 1):
            chunks.opened(chunks.fetch(lake, digest, _name(number)))
    except ObjectNotFound as error:
        raise DataError(f"{layout.staging(digest)}: {error}. The step 'validate' has to run first") from None
    valid = np.flatnonzero(index["valid"])
    order = np.argsort(index["row"][valid], kind="stable")
    digests = {ROW: index["row"].copy(), KEY: index["key"].copy()}
    return StagedRows(chunks, digests, valid[order]), order


class StagedRows(Columns):
    """Some rows of chunks in a stated order, as columns of which each is read when it is asked for.

    `digests` are columns of digests, which chunks do not have, `places` `[rows]` which staged rows these are.
    """

    def __init__(self, chunks: Chunks, digests: Mapping[str, NDArray[np.uint64]], places: NDArray[np.int64]) -> None:
        self._chunks, self._digests, self._places = chunks, digests, places
        self._names = [*(name for name, _ in chunks.types), *digests]

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self._names:
            raise KeyError(name)
        column: NDArray[Any] = (self._digests[name] if name in self._digests else self._chunks.read(name))[self._places]
        return column

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def type_name(self, name: str) -> str:
        """How a file names the type of a column."""
        return type_name(self._digests[name]) if name in self._digests else dict(self._chunks.types)[name]

    def where(self, chosen: NDArray[np.bool_]) -> StagedRows:
        """Those of the rows that are chosen `[rows]`."""
        return StagedRows(self._chunks, self._digests, self._places[chosen])


def _name(number: int) -> str:
    return f"rows-{number:05}.npz"
