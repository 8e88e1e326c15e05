"""A small Linux library, as a compiler lays one out: segments, then what only debuggers read, then section headers."""

from __future__ import annotations

from infra.packing.elf import ALLOCATED, ELF64_LITTLE_ENDIAN, HEADER, NO_BITS, SECTION, SEGMENT

X86_64, AARCH64 = 62, 183
PROGBITS, SYMTAB, STRTAB = 1, 2, 3
CODE = bytes(range(256)) * 16
SYMBOLS = b"symbol" * 1000


def library(machine: int = X86_64, *, behind: bytes = b"", headers: bool = True, last_flags: int = 0) -> bytes:
    """One with two segments (the second of which has uninitialized data too) and 6,000 bytes of symbols.

    `behind` comes after everything; `headers` says whether there are section headers; `last_flags` are those of
    the section that holds the symbols.
    """
    text, data, symbols = 0x1000, 0x1800, 0x2000
    loads = ((text, data - text, data - text), (data, 0x800, 0x9000))
    start = HEADER.size + len(loads) * SEGMENT.size
    body = bytearray(symbols) + SYMBOLS
    body[text:symbols] = CODE
    segments = b"".join(SEGMENT.pack(1, 5, at, at, at, held, taken, 0x1000) for at, held, taken in loads)
    body[HEADER.size : start] = segments
    sections = [
        SECTION.pack(0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
        SECTION.pack(1, PROGBITS, ALLOCATED, text, text, data - text, 0, 0, 16, 0),
        SECTION.pack(2, PROGBITS, ALLOCATED, data, data, 0x800, 0, 0, 16, 0),
        SECTION.pack(3, NO_BITS, ALLOCATED, symbols, symbols, 0x8800, 0, 0, 16, 0),
        SECTION.pack(4, SYMTAB, last_flags, 0, symbols, len(SYMBOLS), 0, 0, 8, 24),
    ]
    place, number = (len(body), len(sections)) if headers else (0, 0)
    ident = ELF64_LITTLE_ENDIAN + bytes(10)
    body[: HEADER.size] = HEADER.pack(
        ident, 3, machine, 1, 0, HEADER.size, place, 0, HEADER.size, SEGMENT.size, len(loads), SECTION.size, number, 0
    )
    return bytes(body) + (b"".join(sections) if headers else b"") + behind
