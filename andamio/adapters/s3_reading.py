"""Reading an S3 object as it comes, over connections that may break."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_TRIES = 5


class ResumingReader:
    """The bytes of a range of one object; a broken connection is opened again where it broke.

    `read` makes one `get_object` call with the keyword arguments that it is given. Every later call asks for the
    ETag of the first, so that no read is made up of two versions. Raises what `read` raises, at once.
    """

    def __init__(self, read: Callable[..., Any], start: int, length: int | None) -> None:
        from botocore.exceptions import (
            ClientError,
            ConnectionError,
            HTTPClientError,
            IncompleteReadError,
            ReadTimeoutError,
        )

        self._get = read
        self._connection_errors = (ConnectionError, HTTPClientError, IncompleteReadError, ReadTimeoutError, OSError)
        self._client_error = ClientError
        self._position = start
        self._end = None if length is None else start + max(length, 0)
        self._condition: dict[str, str] = {}
        self._tries_left = _TRIES
        self._body: Any = None
        self._open()

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes, all that are left when it is negative; b"" at the end."""
        if size == 0:
            return b""
        if size > 0:
            return self._read_piece(size)
        pieces = []
        while piece := self._read_piece(2**20):
            pieces.append(piece)
        return b"".join(pieces)

    def close(self) -> None:
        """Let the connection go."""
        if self._body is not None:
            self._body.close()

    def _read_piece(self, size: int) -> bytes:
        if self._end is not None:
            size = min(size, self._end - self._position)
        while self._body is not None and size > 0:
            try:
                piece: bytes = self._body.read(size)
            except self._connection_errors:
                self._tries_left -= 1
                if self._tries_left == 0:
                    raise
                self._body.close()
                self._open()
                continue
            self._position += len(piece)
            self._tries_left = _TRIES
            return piece
        return b""

    def _open(self) -> None:
        self._body = None
        arguments = dict(self._condition)
        empty = self._end is not None and self._end <= self._position
        if self._position or self._end is not None:
            # An empty range cannot be asked for, but the object must be there all the same.
            arguments["Range"] = span(self._position, self._position + 1 if empty else self._end)
        try:
            reply = self._get(**arguments)
        except self._client_error as error:
            if error.response["Error"]["Code"] in ("InvalidRange", "416"):
                return
            raise
        self._condition = {"IfMatch": reply["ETag"]}
        if empty:
            reply["Body"].close()
            return
        self._body = reply["Body"]
        if "Range" in arguments and "ContentRange" not in reply:
            self._skip(self._position)

    def _skip(self, size: int) -> None:
        """Skip bytes before the range: a server may return the whole object."""
        while size > 0 and (piece := self._body.read(min(size, 2**20))):
            size -= len(piece)


def span(start: int, end: int | None) -> str:
    """The Range header of bytes `start` to `end`, to the object's end when there is none."""
    return f"bytes={start}-" if end is None else f"bytes={start}-{end - 1}"
