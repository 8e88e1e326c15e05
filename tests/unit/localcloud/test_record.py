"""cloud.json: written whole or not at all, and believed only where it belongs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from localstack.emulator import Emulator
from localstack.home import SOCKET_PATH_LIMIT, Home
from localstack.process import Identity
from localstack.record import Record


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_what_is_written_is_read_again(home):
    Record(home).add(Emulator(home, 4566), Identity(1234, 5.5), 4566)
    read = Record.read(home)
    assert read.identity("emulator") == Identity(1234, 5.5)
    assert read.url("emulator") == "http://127.0.0.1:4566"
    assert read.url("mlflow") is None


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"home": 1, "services": null}', '{"services": {"emulator": 1}}']
)
def test_a_broken_record_is_no_record(home, content):
    home.record.write_text(content)
    assert Record.read(home).services == {}


def test_a_record_that_was_copied_with_its_clone_says_nothing_about_the_copy(home, tmp_path):
    Record(home).add(Emulator(home, 4566), Identity(1234, 5.5), 4566)
    copy = Home(tmp_path / "copy")
    copy.path.mkdir()
    shutil.copy(home.record, copy.record)
    assert Record.read(copy).services == {}


def test_a_record_is_replaced_in_one_step_and_leaves_no_part_behind(home):
    record = Record(home)
    record.add(Emulator(home, 4566), Identity(1, 1.0), 4566)
    record.add(Emulator(home, 4567), Identity(2, 2.0), 4567)
    assert json.loads(home.record.read_text())["endpoint_url"] == "http://127.0.0.1:4567"
    assert [path.name for path in home.path.iterdir()] == ["cloud.json"]


def test_sockets_of_a_home_with_a_long_path_lie_where_the_kernel_accepts_them(tmp_path):
    deep = Home(tmp_path / ("a long name " * 10))
    assert len(str(deep.sockets / ".s.PGSQL.5432")) <= SOCKET_PATH_LIMIT
    assert deep.sockets != Home(tmp_path / ("another name" * 10)).sockets
