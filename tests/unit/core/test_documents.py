"""Documents in storage: read as they were written, or refused with the key, the field and what to do."""

import json

import pytest
from pydantic import ValidationError

from andamio.adapters.memory import MemoryObjects
from andamio.errors import DocumentError, ObjectNotFound, PreconditionFailed
from andamio.storage import documents
from andamio.storage.documents import Document
from scoring.batch import Cut, Shard


class Weights(Document):
    name: str
    values: list[float | None]


ONE, OTHER = Weights(name="one", values=[0.1, None]), Weights(name="other", values=[])


@pytest.fixture
def objects():
    return MemoryObjects("any")


def test_a_document_is_read_as_it_was_written_and_has_a_format(objects):
    assert documents.write_once(objects, "a.json", ONE)
    assert documents.read(objects, "a.json", Weights) == ONE
    assert json.loads(objects.get("a.json").body) == {"format": 1, "name": "one", "values": [0.1, None]}


def test_the_first_writer_wins(objects):
    assert documents.once(objects, "a.json", Weights, lambda: ONE) == ONE
    assert not documents.write_once(objects, "a.json", OTHER)
    assert documents.once(objects, "a.json", Weights, lambda: pytest.fail("computed again")) == ONE


def test_a_swap_needs_the_version_that_was_read(objects):
    documents.write_once(objects, "a.json", ONE)
    before = objects.get("a.json").etag
    documents.swap(objects, "a.json", OTHER, before)
    with pytest.raises(PreconditionFailed):
        documents.swap(objects, "a.json", ONE, before)
    assert documents.find(objects, "a.json", Weights) == OTHER


def test_what_nobody_wrote_is_none_or_not_found(objects):
    assert documents.find(objects, "a.json", Weights) is None
    with pytest.raises(ObjectNotFound):
        documents.read(objects, "a.json", Weights)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"format": 2, "name": "a", "values": []}', "format"),
        (b'{"format": 1, "name": 7, "values": []}', "name"),
        (b'{"format": 1, "name": "a", "values": [0.1, "x"]}', "values.1"),
        (b'{"format": 1, "name": "a", "values": [NaN]}', "values.0"),
        (b'{"format": 1, "name": "a"}', "values"),
        (b'{"format": 1, "name": "a", "values": [], "more": 1}', "more"),
        (b"no JSON", "the document"),
    ],
)
def test_another_document_is_refused_with_its_key_and_the_field(objects, body, field):
    objects.put("runs/r/plan.json", body)
    with pytest.raises(DocumentError, match=rf"^runs/r/plan.json: {field}.*start again what wrote it"):
        documents.find(objects, "runs/r/plan.json", Weights)


def test_a_document_holds_no_nan():
    with pytest.raises(ValidationError):
        Weights(name="a", values=[float("nan")])


def test_a_dataclass_of_a_batch_is_a_document_too(objects):
    cut = Cut((Shard(0, 10, 20, 2),), stored=True)
    objects.put("batches/b/shards.json", cut.to_json())
    assert documents.read(objects, "batches/b/shards.json", Cut) == cut
    for name, wrong in (("stored", 1), ("format_number", 2), ("more", 1), ("shards", [{"number": "0"}])):
        objects.put("batches/b/shards.json", json.dumps({**json.loads(cut.to_json()), name: wrong}).encode())
        with pytest.raises(DocumentError, match=rf"^batches/b/shards.json: {name}"):
            documents.read(objects, "batches/b/shards.json", Cut)
