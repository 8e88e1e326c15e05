"""Symbols are cut off libraries in a way that the loader cannot notice."""

from __future__ import annotations

import importlib.machinery
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy
import yaml

from infra.packing import elf
from tests.support.elf import AARCH64, SYMBOLS, X86_64, library

ON_LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere libraries are of another format")


def segments(body: bytes) -> list[tuple[tuple[int, ...], bytes]]:
    """Every program header with the bytes that it names."""
    header = elf.HEADER.unpack_from(body)
    place, number = header[5], header[10]
    found = elf.SEGMENT.iter_unpack(body[place : place + number * elf.SEGMENT.size])
    return [(one, body[one[2] : one[2] + one[5]]) for one in found]


def without_header(found: list[tuple[tuple[int, ...], bytes]]) -> list[tuple[tuple[int, ...], bytes]]:
    """The same, where a segment that starts with the file's header starts behind it."""
    return [(one, held[elf.HEADER.size :] if one[2] == 0 else held) for one, held in found]


@pytest.mark.parametrize("machine", [X86_64, AARCH64])
def test_symbols_go_and_every_segment_stays_where_it_is(machine):
    whole = library(machine)
    cut = elf.without_symbols(whole)
    assert len(cut) == 0x2000
    assert SYMBOLS[:100] not in cut
    assert segments(cut) == segments(whole)


def test_the_header_names_no_section_headers_and_is_the_same_otherwise():
    whole, cut = elf.HEADER.unpack_from(library()), elf.HEADER.unpack_from(elf.without_symbols(library()))
    assert (cut[6], cut[11], cut[12], cut[13]) == (0, 0, 0, 0)
    changed = {place for place, (one, other) in enumerate(zip(whole, cut, strict=True)) if one != other}
    assert changed <= {6, 11, 12, 13}


def test_what_was_cut_is_not_cut_again():
    cut = elf.without_symbols(library())
    assert elf.without_symbols(cut) == cut


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\x7fELF\x02\x01", id="short"),
        pytest.param(b"a text that is called a library", id="text"),
        pytest.param(b"\x7fELF\x01\x01" + library()[6:], id="32-bit"),
        pytest.param(b"\x7fELF\x02\x02" + library()[6:], id="big-endian"),
        pytest.param(library(headers=False), id="no-sections"),
        pytest.param(library(behind=b"an archive that the library reads out of its own file"), id="appended"),
        pytest.param(library(last_flags=elf.ALLOCATED), id="allocated"),
        pytest.param(library()[:0x2100], id="truncated"),
        pytest.param(library()[:0x40], id="header-alone"),
    ],
)
def test_what_is_laid_out_in_another_way_stays_as_it_is(body):
    assert elf.without_symbols(body) == body


def test_section_headers_before_the_last_segment_are_an_editors_work_and_stay():
    whole = library()
    header = list(elf.HEADER.unpack_from(whole))
    header[6] = 0x1000
    edited = elf.HEADER.pack(*header) + whole[elf.HEADER.size :]
    assert elf.without_symbols(edited) == edited


@ON_LINUX
def test_real_libraries_keep_every_mapped_byte():
    roots = [Path(package.__file__).parent for package in (scipy, np)]
    wholes = [path.read_bytes() for root in roots for path in sorted(root.rglob("*.so"))]
    cuts = [elf.without_symbols(whole) for whole in wholes]
    assert sum(map(len, wholes)) - sum(map(len, cuts)) > 4 * 2**20
    for whole, cut in zip(wholes, cuts, strict=True):
        assert without_header(segments(cut)) == without_header(segments(whole))


@ON_LINUX
def test_a_real_library_is_loaded_without_its_symbols(tmp_path):
    suffix = importlib.machinery.EXTENSION_SUFFIXES[0]
    whole = (Path(yaml.__file__).parent / f"_yaml{suffix}").read_bytes()
    cut = elf.without_symbols(whole)
    assert len(cut) < len(whole) / 2
    (tmp_path / f"_yaml{suffix}").write_bytes(cut)
    program = "import sys; sys.path.insert(0, sys.argv[1]); import _yaml; print(_yaml.__file__)"
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == str(tmp_path / f"_yaml{suffix}"), done.stderr
