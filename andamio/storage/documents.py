"""JSON documents in storage: read, write once, conditional swap."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from andamio.errors import DocumentError, ObjectNotFound, PreconditionFailed
from andamio.storage.ports import Objects

JSON = "application/json"


class Part(BaseModel):
    """A part of a document: it cannot be changed, has no fields but its own, and no NaN or infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Document(Part):
    """A JSON document that one step writes and others read; `format` changes when its fields do."""

    format: Literal[1] = 1

    def to_json(self) -> bytes:
        """The document's bytes: keys sorted, no NaN."""
        return to_json(self.model_dump(mode="json"))


STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
"""For a dataclass that is a document (`pydantic.with_config`): it is made so often that reading alone checks it."""


class Writable(Protocol):
    """A document that can be stored: a model, or a dataclass that says what its bytes are."""

    def to_json(self) -> bytes:
        """The document's bytes."""
        ...


type Kind[D] = type[D] | TypeAdapter[D]
"""What a document is read as: its model, or an adapter of several models that a field tells apart."""


def parse[D](body: bytes, kind: Kind[D], key: str) -> D:
    """A document out of its bytes; raises `DocumentError` that names the key, the field, and what to do."""
    try:
        return adapter(kind).validate_json(body)
    except ValidationError as error:
        raise DocumentError(
            f"{key}: {first_fault(error, 'the document')}. The document was changed, or another version of Andamio "
            "wrote it. Restore it, or start again what wrote it: a new run, data version or batch."
        ) from None


def first_fault(error: ValidationError, whole: str) -> str:
    """The first field that is wrong and why, without its value; `whole` is the name where it is no single field."""
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in first['loc']) or whole}: {first['msg']}"


def adapter[D](kind: Kind[D]) -> TypeAdapter[D]:
    """The adapter of a kind of document."""
    if isinstance(kind, TypeAdapter):
        return kind
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    made: TypeAdapter[D] = _ADAPTERS[kind]
    return made


_ADAPTERS: dict[Any, TypeAdapter[Any]] = {}
"""By model, made once: to make one takes longer than to read a document."""


def read[D](objects: Objects, key: str, kind: Kind[D]) -> D:
    """A document that must be there; raises `ObjectNotFound`, or `DocumentError` when it cannot be read."""
    return parse(objects.get(key).body, kind, key)


def find[D](objects: Objects, key: str, kind: Kind[D]) -> D | None:
    """A document, or None when it does not exist; raises `DocumentError` when it cannot be read."""
    try:
        return read(objects, key, kind)
    except ObjectNotFound:
        return None


def write_once(objects: Objects, key: str, document: Writable) -> bool:
    """Write a document if the key is free; returns whether it was written."""
    return objects.put_new(key, document.to_json(), content_type=JSON)


def once[D: Writable](objects: Objects, key: str, kind: Kind[D], compute: Callable[[], D]) -> D:
    """The stored document, or else what `compute` returns, stored; the first writer wins."""
    found = find(objects, key, kind)
    if found is not None:
        return found
    computed = compute()
    if write_once(objects, key, computed):
        return parse(computed.to_json(), kind, key)
    return read(objects, key, kind)


def swap(objects: Objects, key: str, document: Writable, etag: str) -> str:
    """Write a document over the one that has this ETag, and return the new one's; raises `PreconditionFailed`."""
    return objects.put(key, document.to_json(), content_type=JSON, if_match=etag)


def replace(objects: Objects, key: str, document: Writable, etag: str | None) -> bool:
    """Write a document if it did not change since it was read (None: was not there); returns whether it was written."""
    if etag is None:
        return write_once(objects, key, document)
    try:
        swap(objects, key, document, etag)
    except PreconditionFailed:
        return False
    return True


def digest(body: bytes) -> str:
    """SHA-256, hex."""
    return hashlib.sha256(body).hexdigest()


def to_json(value: Any) -> bytes:
    """JSON for people and programs: keys sorted, no NaN."""
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False).encode()
