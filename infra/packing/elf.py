"""The symbols and debug information of a Linux library, cut off its end.

The dynamic loader reads a library's program headers and maps the segments that they name. Section headers, the
static symbol table and debug information lie behind the last segment, and only debuggers read them. They are
cut off there: no byte that is mapped changes its value or its place, so what was loadable stays so. `strip` lays
a library out anew instead, and breaks some of those that a wheel's builder has edited.

https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html
"""

from __future__ import annotations

import struct

HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
SEGMENT = struct.Struct("<IIQQQQQQ")
SECTION = struct.Struct("<IIQQQQIIQQ")

ELF64_LITTLE_ENDIAN = b"\x7fELF\x02\x01"
NO_BITS, ALLOCATED = 8, 2
MORE_THAN_FIT = 0xFFFF


def without_symbols(library: bytes) -> bytes:
    """A library without what lies behind its last segment; one that is laid out in another way stays as it is.

    As it is stays what is no 64-bit little-endian ELF file, what has nothing behind its segments (an editor of
    wheels put a segment there), and what has anything else than sections there.
    """
    if not library.startswith(ELF64_LITTLE_ENDIAN) or len(library) < HEADER.size:
        return library
    (*start, program_headers, section_headers, flags, size, each, segments, _, sections, _) = HEADER.unpack_from(
        library
    )
    if each != SEGMENT.size or segments in (0, MORE_THAN_FIT) or not section_headers or not sections:
        return library
    table_end = program_headers + segments * SEGMENT.size
    sections_end = section_headers + sections * SECTION.size
    if max(table_end, sections_end) > len(library):
        return library
    end = max(
        table_end,
        *(place + length for _, _, place, _, _, length, _, _ in _entries(SEGMENT, library, program_headers, segments)),
    )
    for _, kind, said, _, place, length, _, _, _, _ in _entries(SECTION, library, section_headers, sections):
        if kind != NO_BITS:
            sections_end = max(sections_end, place + length)
            if said & ALLOCATED and place + length > end:
                return library
    if section_headers < end or sections_end != len(library):
        return library
    # A library may have no section headers: their place, size and number are then 0.
    return HEADER.pack(*start, program_headers, 0, flags, size, each, segments, 0, 0, 0) + library[HEADER.size : end]


def _entries(kind: struct.Struct, library: bytes, place: int, number: int) -> list[tuple[int, ...]]:
    return list(kind.iter_unpack(library[place : place + number * kind.size]))
