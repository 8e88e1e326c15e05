"""A file to an object of UTF-8 text whose ranges can be read: out of its gzip, and out of another encoding."""

from __future__ import annotations

from collections.abc import Iterator

from andamio.storage import layout
from andamio.storage.ports import ObjectInfo, Objects, Readable
from andamio.tabular.gzip_file import unpacked
from andamio.tabular.text.encoding import Transcoding, transcoded

_READ = 2**20


def unpack(
    objects: Objects, info: ObjectInfo, batch: str, ending: str, *, zipped: bool, how: Transcoding | None
) -> ObjectInfo:
    """Write the text of a file as an object of its own; raises `RefusedFile`, and then there is no such object."""
    with objects.stream(info.key, version=info.version or None) as source:
        pieces = unpacked(source, info.size) if zipped else _pieces(source)
        text = pieces if how is None else transcoded(pieces, how)
        return objects.put_stream(layout.batch(batch, f"unpacked.{ending}"), text)


def unpacked_head(objects: Objects, info: ObjectInfo, size: int) -> tuple[bytes, bool]:
    """The first `size` bytes in a gzip file, and whether that is all of them; raises `RefusedFile`."""
    found = bytearray()
    with objects.stream(info.key, version=info.version or None) as source:
        for piece in unpacked(source, info.size):
            found += piece
            if len(found) > size:
                return bytes(found[:size]), False
    return bytes(found), True


def _pieces(source: Readable) -> Iterator[bytes]:
    while piece := source.read(_READ):
        yield piece
