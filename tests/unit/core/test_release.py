"""A release never changes after it is written, and is refused when a byte of it did."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from andamio.adapters.memory import MemoryObjects
from andamio.contract import Contract
from andamio.errors import ReleaseError
from andamio.records.encode import Encoded, encode
from andamio.records.from_json import parse_records
from andamio.release.model import Model
from andamio.release.release import CARD, FILES, MANIFEST, Release, seal, version_of
from andamio.storage import layout
from tests.support.releases import heart, linear_onnx, release_files

from .making import Cell, one, same, tables, typed_records

HEART = heart()
INFO = {"problem": "heart", "run": "run-1", "split": "s", "threshold": 0.5}


@pytest.fixture
def objects() -> MemoryObjects:
    return MemoryObjects("models")


def test_a_release_is_read_back_as_it_was_sealed(objects: MemoryObjects) -> None:
    files = release_files(HEART) | {"model.pdf": b"more than is needed"}
    version = seal(objects, files, INFO)
    release = Release.open(objects, version)
    assert release.info == INFO
    assert {name: release.read(name) for name in release.files} == files
    assert release.contract() == HEART
    assert release.json("evaluation.json")["rows"] == 60


def test_what_a_release_was_sealed_without_is_not_there_and_no_error(objects: MemoryObjects) -> None:
    bare = Release.open(objects, seal(objects, release_files(HEART), INFO))
    assert bare.find(CARD) is None
    carded = Release.open(objects, seal(objects, release_files(HEART) | {CARD: b"# Heart"}, INFO))
    assert carded.find(CARD) == b"# Heart"


def test_the_version_is_the_digest_of_the_manifest(objects: MemoryObjects) -> None:
    version = seal(objects, release_files(HEART), INFO)
    assert version == version_of(objects.get(layout.release(version, MANIFEST)).body)
    assert objects.writes[-1] == layout.release(version, MANIFEST)  # last: without it there is no release


def test_every_byte_counts_for_the_version(objects: MemoryObjects) -> None:
    files = release_files(HEART)
    versions = [seal(objects, files, INFO), seal(objects, files, INFO | {"run": "run-2"})]
    versions += [seal(objects, files | {name: files[name] + b" "}, INFO) for name in FILES]
    assert len(set(versions)) == len(versions)


def test_sealing_twice_writes_nothing_new(objects: MemoryObjects) -> None:
    version = seal(objects, release_files(HEART), INFO)
    written = list(objects.writes)
    again = seal(objects, dict(reversed(release_files(HEART).items())), dict(reversed(INFO.items())))
    assert again == version
    assert objects.writes == written


def test_sealing_again_after_a_crash_completes_the_release(objects: MemoryObjects) -> None:
    whole = MemoryObjects()
    version = seal(whole, release_files(HEART), INFO)
    for key in whole.writes[:3]:
        objects.put_new(key, whole.get(key).body)
    with pytest.raises(ReleaseError) as error:
        Release.open(objects, version)
    assert (error.value.file, error.value.fault) == (MANIFEST, "absent")
    assert seal(objects, release_files(HEART), INFO) == version
    assert Release.open(objects, version).contract() == HEART


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_was_changed_is_refused(objects: MemoryObjects, name: str) -> None:
    version = seal(objects, release_files(HEART), INFO)
    key = layout.release(version, name)
    objects.put(key, objects.get(key).body + b" ")
    release = Release.open(objects, version)
    with pytest.raises(ReleaseError) as error:
        release.read(name)
    assert (error.value.file, error.value.fault) == (name, "changed")
    for other in set(FILES) - {name}:
        release.read(other)


def test_a_manifest_that_was_changed_is_refused_whatever_it_says(objects: MemoryObjects) -> None:
    version = seal(objects, release_files(HEART), INFO)
    key = layout.release(version, MANIFEST)
    manifest = json.loads(objects.get(key).body)
    manifest["files"]["model.onnx"] = "0" * 64
    for body in (json.dumps(manifest).encode(), b"", b"{}", objects.get(key).body + b"\n"):
        objects.put(key, body)
        with pytest.raises(ReleaseError) as error:
            Release.open(objects, version)
        assert (error.value.file, error.value.fault) == (MANIFEST, "changed")


@pytest.mark.parametrize("name", FILES)
def test_a_release_without_one_of_its_files_is_not_sealed(objects: MemoryObjects, name: str) -> None:
    files = release_files(HEART)
    del files[name]
    with pytest.raises(ReleaseError) as error:
        seal(objects, files, INFO)
    assert (error.value.file, error.value.fault) == (name, "absent")
    assert objects.writes == []


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_gone_is_refused(objects: MemoryObjects, name: str) -> None:
    version = seal(objects, release_files(HEART), INFO)
    left = MemoryObjects()
    for info in objects.list(layout.RELEASES):
        if not info.key.endswith("/" + name):
            left.put_new(info.key, objects.get(info.key).body)
    with pytest.raises(ReleaseError) as error:
        Release.open(left, version).read(name)
    assert (error.value.file, error.value.fault) == (name, "absent")


@pytest.mark.parametrize("version", ["0" * 16, "", "../../etc/passwd", "0" * 15 + "\n", "0" * 16 + "\n", "A" * 16])
def test_what_is_no_release_is_refused(objects: MemoryObjects, version: str) -> None:
    with pytest.raises(ReleaseError) as error:
        Release.open(objects, version)
    assert error.value.fault == ("absent" if version == "0" * 16 else "no-version")


def test_a_file_that_the_manifest_does_not_name_is_refused(objects: MemoryObjects) -> None:
    version = seal(objects, release_files(HEART), INFO)
    objects.put_new(layout.release(version, "extra.json"), b"{}")
    with pytest.raises(ReleaseError) as error:
        Release.open(objects, version).read("extra.json")
    assert (error.value.file, error.value.fault) == ("extra.json", "absent")


# The model

Drawn = tuple[Contract, list[dict[str, Cell]]]


@given(tables())
@settings(max_examples=20)
def test_a_model_takes_what_its_contract_encodes(drawn: Drawn) -> None:
    read, records = drawn
    encoded = encode(read, parse_records(read, typed_records(records)))
    probabilities = Model(read, linear_onnx(read)).predict(encoded)
    assert probabilities.shape == (len(records), 2)
    assert probabilities.dtype == np.float32
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-6)


def test_a_sealed_model_is_served_as_it_was(objects: MemoryObjects) -> None:
    release = Release.open(objects, seal(objects, release_files(HEART), INFO))
    record = {name: None for name, feature in HEART.inputs.items() if not feature.required}
    encoded = encode(HEART, parse_records(HEART, [record | {"age": 67, "sex": 1, "cp": 4}]))
    assert same(
        encoded,
        encode(release.contract(), parse_records(release.contract(), [record | {"age": 67, "sex": "1", "cp": 4.0}])),
    )
    expected = Model(HEART, linear_onnx(HEART)).predict(encoded)
    assert release.model().predict(encoded).tolist() == expected.tolist()


def test_a_model_that_is_not_this_contracts_is_refused() -> None:
    number, category = one('type = "number"'), one('type = "category"\nvalues = ["a"]')
    for contract, other in ((number, category), (category, number), (HEART, number)):
        with pytest.raises(ReleaseError) as error:
            Model(contract, linear_onnx(other))
        assert error.value.fault == "other-contract"
    with pytest.raises(ReleaseError) as error:
        Model(number, b"not a model")
    assert error.value.fault == "unreadable"


def test_a_model_that_answers_nonsense_is_refused() -> None:
    read = one('type = "number"')
    encoded = encode(read, parse_records(read, [{"x": 1}]))
    with pytest.raises(ReleaseError) as error:
        Model(read, linear_onnx(read, broken=True)).predict(encoded)
    assert error.value.fault == "no-answer"
    three: Any = Contract.from_toml(
        '[problem]\nname = "te"\ntarget = "y"\nlabels = { a = "A", b = "B", c = "C" }\n[features.x]\ntype = "number"'
    )
    with pytest.raises(ReleaseError) as error:
        Model(three, linear_onnx(read)).predict(encoded)
    assert error.value.fault == "other-contract"


def test_encoded_rows_can_be_chosen() -> None:
    encoded = Encoded(np.arange(6, dtype=np.float32).reshape(3, 2), np.array([["a"], ["b"], ["c"]], dtype=object))
    assert encoded.rows == 3
    for chosen in (np.array([True, False, True]), np.array([0, 2])):
        assert encoded.take(chosen).categories.tolist() == [["a"], ["c"]]
