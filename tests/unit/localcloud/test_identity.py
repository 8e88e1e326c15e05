"""Every local cloud has an id: its emulator answers it, its record carries it, and a purge forgets it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable

import httpx
import pytest

from localstack import identity
from localstack.emulator import Emulator
from localstack.home import Home

from .conftest import CommandLine
from .test_cloud import ENVIRONMENT_HANDLER, kill

pytestmark = pytest.mark.timeout(120)


def answered(cloud: CommandLine) -> dict[str, str]:
    recorded = json.loads((cloud.home / "cloud.json").read_text())
    said: dict[str, str] = httpx.get(f"{recorded['endpoint_url']}/_andamio/cloud").json()
    return said


def recorded(cloud: CommandLine) -> str:
    return str(json.loads((cloud.home / "cloud.json").read_text())["cloud"])


def test_the_emulator_answers_the_id_that_the_record_carries(cloud):
    assert answered(cloud) == {"cloud": recorded(cloud), "home": str(cloud.home)}
    assert len(recorded(cloud)) == 16


def test_the_id_outlives_a_crash_and_a_stop_and_a_purge_makes_another(new_cloud: Callable[[], CommandLine]):
    own = new_cloud()
    own.up()
    first = answered(own)["cloud"]
    kill(own, "emulator")
    own.up()
    assert answered(own)["cloud"] == first == recorded(own)
    own.ok("down")
    own.up()
    assert answered(own)["cloud"] == first
    own.ok("down", "--purge")
    own.up()
    assert answered(own)["cloud"] == recorded(own) != first


def test_functions_are_not_told_who_their_cloud_is(cloud):
    cloud.create_function("asks-who", ENVIRONMENT_HANDLER)
    assert not [name for name in cloud.invoke("asks-who") if name.startswith("ANDAMIO_CLOUD")]


def test_a_copy_of_a_home_is_a_cloud_of_its_own(tmp_path):
    first, copy = Home(tmp_path / "first"), Home(tmp_path / "copy")
    made = identity.ensure(first.identity, first.path)
    assert identity.ensure(first.identity, first.path) == made == identity.read(first.identity, first.path)
    shutil.copytree(first.path, copy.path)
    assert identity.read(copy.identity, copy.path) is None
    assert identity.ensure(copy.identity, copy.path) != made


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"cloud": "x"}'])
def test_a_broken_id_is_no_id(tmp_path, content):
    file = tmp_path / "id.json"
    file.write_text(content)
    assert identity.read(file, tmp_path) is None


def test_an_emulator_of_another_home_is_not_ours(cloud, tmp_path):
    port = json.loads((cloud.home / "cloud.json").read_text())["services"]["emulator"]["port"]
    assert Emulator(Home(cloud.home), port).healthy()
    stranger = Home(tmp_path)
    identity.ensure(stranger.identity, stranger.path)
    assert not Emulator(stranger, port).healthy()


def test_a_purge_leaves_what_says_what_is_on_aws(tmp_path):
    home = Home(tmp_path)
    assert tmp_path / "outputs" / "local" in home.forgettable
    assert tmp_path / "outputs" not in home.forgettable
    home.outputs.write_text('{"emulator": true}')
    assert home.outputs in home.forgettable
    home.outputs.write_text('{"emulator": false}')
    assert home.outputs not in home.forgettable
