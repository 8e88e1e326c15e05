"""What botocore and moto read from files again for each client or request is read once: most of an account's time."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import reload
from typing import Any
from unittest.mock import patch

import moto.s3.urls
from botocore.loaders import JSONFileLoader
from moto.s3.models import S3Backend

_load = JSONFileLoader.load_file


@functools.cache
def _content(path: str) -> Any:
    """A file of botocore's descriptions of services; sessions share what each would read for itself."""
    return _load(JSONFileLoader(), path)


def _load_once(_loader: JSONFileLoader, file_path: str) -> Any:
    return _content(file_path)


@contextmanager
def read_once() -> Iterator[None]:
    """Descriptions of services are read once a process, S3's addresses (moto reloads them for each request) now."""
    with (
        patch.object(JSONFileLoader, "load_file", _load_once),
        patch.object(S3Backend, "_url_module", reload(moto.s3.urls)),
    ):
        yield
