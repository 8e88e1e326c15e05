"""The encoding of a text: which it is, by one rule, and how a text in any of them becomes UTF-8 with line feeds.

A byte order mark says it. Else `[data] encoding` of the contract does. Else it is UTF-8, unless the file holds bytes
beyond ASCII and not one line of those that are looked at is UTF-8: then it is assumed to be cp1252, which is what
spreadsheets on Windows write, and that is reported wherever the file is. A line that is no text in the encoding that
was decided is a broken row.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from andamio.tabular.signature import ends_with_returns

Basis = Literal["mark", "contract", "content", "assumption"]
"""How an encoding was decided."""

ASSUMED = "cp1252"
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_UTF_32 = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
_ON_INVALID = "andamio.invalid"
_INVALID = b"\xff"
"""The replacement for bytes that are no text: it is no UTF-8, so the row that holds it is reported."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """The encoding of a text whose bytes up to 127 are ASCII; it begins at `start`, behind a mark."""

    name: str
    basis: Basis
    start: int = 0


@dataclass(frozen=True, slots=True)
class Transcoding:
    """What a text is turned into UTF-8 with line feeds from.

    Its encoding, "" where that may stay, and whether its lines end with carriage returns.
    """

    encoding: str
    returns: bool
    basis: Basis = "content"


def encoding_of(
    sample: bytes,
    stated: str | None,
    *,
    whole: bool,
    more: Callable[[], Iterable[bytes]] = tuple,
    transcoded: str = "",
) -> Encoding:
    """The encoding of a text, decided by its beginning, and by `more` where that is ASCII.

    A text that was `transcoded` is UTF-8, whatever is stated of the file.
    """
    if sample.startswith(codecs.BOM_UTF8):
        return Encoding("utf-8", "mark", len(codecs.BOM_UTF8))
    if transcoded:
        return Encoding("utf-8", "content")
    if stated is not None and is_ascii_compatible(stated):
        name = codecs.lookup(stated).name
        return Encoding("utf-8" if name.startswith("utf-8") else name, "contract")
    found = _shown(sample if whole else sample[: sample.rfind(b"\n") + 1])
    if found is None and not whole:
        for piece in more():
            found = _shown(piece[piece.find(b"\n") + 1 : piece.rfind(b"\n") + 1])
            if found is not None:
                break
    return Encoding(ASSUMED, "assumption") if found is False else Encoding("utf-8", "content")


def is_ascii_compatible(encoding: str) -> bool:
    """Whether bytes up to 127 mean what they mean in ASCII, so that lines and cells can be told apart in bytes."""
    plain = bytes(range(128))
    try:
        return plain.decode(encoding) == plain.decode("ascii")
    except (UnicodeDecodeError, LookupError):
        return False


def transcoding_of(sample: bytes, stated: str | None, *, whole: bool) -> Transcoding | None:
    """The encoding that a text must be transcoded from, None where it can be read as it is."""
    encoding: str = ""
    basis: Basis = "content"
    if sample.startswith(_UTF_16) and not sample.startswith(_UTF_32):
        encoding, basis = "utf-16", "mark"
    elif stated is not None and not sample.startswith(codecs.BOM_UTF8) and not is_ascii_compatible(stated):
        encoding, basis = stated, "contract"
    text = sample.decode(encoding, "ignore").encode(errors="ignore") if encoding else sample
    returns = ends_with_returns(text, whole=whole)
    return Transcoding(encoding, returns, basis) if encoding or returns else None


def transcoded(pieces: Iterable[bytes], how: Transcoding) -> Iterator[bytes]:
    """A text as UTF-8 with line feeds, piece by piece; what is no text stays bytes that are not UTF-8."""
    decoder = codecs.getincrementaldecoder(how.encoding)(_ON_INVALID) if how.encoding else None
    for piece in pieces:
        yield _turned(piece, decoder, how, final=False)
    if decoder is not None:
        yield _turned(b"", decoder, how, final=True)


def no_text(raw: bytes, encoding: str, transcoded: str = "") -> str:
    """The message for a row with bytes outside the encoding of its file, which was `transcoded` or has `encoding`."""
    name = (transcoded or encoding).upper()
    if transcoded and raw.endswith(_INVALID):
        return f"ends in the middle of a character of {name}: the file was cut off, so save it or upload it again"
    return f"holds bytes that are not {name} text: save the file as UTF-8, or say [data] encoding"


def _turned(piece: bytes, decoder: codecs.IncrementalDecoder | None, how: Transcoding, *, final: bool) -> bytes:
    if decoder is not None:
        piece = decoder.decode(piece, final).encode("utf-8", _ON_INVALID)
    return piece.replace(b"\r", b"\n") if how.returns else piece


def _shown(text: bytes) -> bool | None:
    """Whether any line beyond ASCII is UTF-8, None where all is ASCII."""
    if text.isascii():
        return None
    try:
        text.decode()
    except UnicodeDecodeError:
        return any(not line.isascii() and _is_utf8(line) for line in text.split(b"\n"))
    return True


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _marked(error: UnicodeError) -> tuple[str | bytes, int]:
    """An error handler of codecs: replaces bytes that are no text by a byte that is no UTF-8."""
    if isinstance(error, UnicodeDecodeError):
        return "\udcff", error.end
    if isinstance(error, UnicodeEncodeError):
        return _INVALID, error.end
    raise error


codecs.register_error(_ON_INVALID, _marked)
