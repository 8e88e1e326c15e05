"""What a step may see: until a model is evaluated, the lake has no holdout."""

from __future__ import annotations

from collections.abc import Iterator

from andamio import names
from andamio.errors import TrainingError
from andamio.ports import ObjectInfo, Objects, StoredObject

HOLDOUT = "/holdout.parquet"


class TrainOnly:
    """A lake that refuses to read any holdout: whatever is fitted through it, a scaler too, was fitted on train."""

    def __init__(self, lake: Objects) -> None:
        self._lake = lake

    def get(self, key: str, *, version: str | None = None) -> StoredObject:
        """Read one object; raises `TrainingError` for a holdout."""
        if key.startswith(names.DATASETS) and key.endswith(HOLDOUT):
            raise TrainingError(
                f"{key} was asked for before the evaluation: nothing may be chosen or fitted with rows that the model "
                "is judged on. Read train instead."
            )
        return self._lake.get(key, version=version)

    def head(self, key: str) -> ObjectInfo:
        """Look at one object."""
        return self._lake.head(key)

    def put(
        self, key: str, body: bytes, *, content_type: str = "application/octet-stream", if_match: str | None = None
    ) -> str:
        """Write one object."""
        return self._lake.put(key, body, content_type=content_type, if_match=if_match)

    def put_new(self, key: str, body: bytes, *, content_type: str = "application/octet-stream") -> bool:
        """Write one object unless the key is taken."""
        return self._lake.put_new(key, body, content_type=content_type)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """The objects under a prefix."""
        return self._lake.list(prefix)
