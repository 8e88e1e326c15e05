"""Predictions in a DynamoDB table."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

from andamio import names
from andamio.adapters.refusals import refusal
from andamio.errors import TableBusy

INDEX = names.BY_RECORD

_BATCH_ITEMS = 25
"""Items of one BatchWriteItem: DynamoDB's limit."""
_THREADS = 4
_MAX_ATTEMPTS = 12
_FIRST_WAIT, _MAX_WAIT = 0.05, 10.0
_MAX_INDEX_KEY_BYTES = 2048
"""Bytes of a key of an index: an item with a longer one would be refused as a whole."""
_SMALLEST_NUMBER = 1e-130
"""Below this, DynamoDB has no numbers but zero."""
_BUSY_CODES = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ThrottlingException",
        "InternalServerError",
        "ServiceUnavailable",
    }
)


class DynamoPredictionStore:
    """`Predictions` on a table; the client comes from the environment unless one is given."""

    def __init__(self, table: str, client: Any = None, sleep: Callable[[float], None] = time.sleep) -> None:
        # Imported here: a cold start pays for boto3 only when it first needs the table.
        import boto3
        from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
        from botocore.config import Config
        from botocore.exceptions import ClientError

        self.table = table
        self._error = ClientError
        self._serializer, self._deserializer = TypeSerializer(), TypeDeserializer()
        self._sleep = sleep
        self._dynamo: Any = client or boto3.client(
            "dynamodb",
            config=Config(retries={"mode": "standard", "max_attempts": 3}, connect_timeout=3, read_timeout=10),
        )

    def put_all(self, items: Sequence[Mapping[str, Any]]) -> None:
        """Write items, in batches, over those of the same `prediction_id`; retried while the table is busy.

        Fields that are None are left out, and so is a `record_id` that no index can hold: empty, or over 2,048
        bytes. Raises `TableBusy` when the table goes on refusing.
        """
        # A batch must not hold an id twice.
        batches = list(_batches(list({item["prediction_id"]: item for item in items}.values())))
        if len(batches) == 1:
            self._put(batches[0])
        elif batches:
            with ThreadPoolExecutor(_THREADS) as pool:
                for _ in pool.map(self._put, batches):
                    pass

    def find(self, prediction_id: str) -> dict[str, Any] | None:
        """The item of an id."""
        reply = self._call(
            "get_item", TableName=self.table, Key={"prediction_id": {"S": prediction_id}}, ConsistentRead=True
        )
        return self._read(reply["Item"]) if "Item" in reply else None

    def of_record(self, record_id: str, *, limit: int) -> list[dict[str, Any]]:
        """The newest items of a record, newest first (by `created`, ISO 8601)."""
        if not _indexable(record_id):
            return []
        found: list[dict[str, Any]] = []
        arguments: dict[str, Any] = {
            "TableName": self.table,
            "IndexName": INDEX,
            "KeyConditionExpression": "record_id = :record",
            "ExpressionAttributeValues": {":record": {"S": record_id}},
            "ScanIndexForward": False,
        }
        # A page ends after a megabyte, however many items were asked for.
        while len(found) < limit:
            reply = self._call("query", **arguments, Limit=limit - len(found))
            found += [self._read(item) for item in reply["Items"]]
            if "LastEvaluatedKey" not in reply:
                break
            arguments["ExclusiveStartKey"] = reply["LastEvaluatedKey"]
        return found

    def _call(self, operation: str, **arguments: Any) -> Any:
        """One call; raises `AccessRefused` where IAM does not allow it."""
        try:
            return getattr(self._dynamo, operation)(**arguments)
        except self._error as error:
            index = f"/index/{arguments['IndexName']}" if "IndexName" in arguments else ""
            refusal_error = refusal(error, "dynamodb", f"table/{self.table}{index}")
            if refusal_error is None:
                raise
            raise refusal_error from error

    def _put(self, items: Sequence[Mapping[str, Any]]) -> None:
        left = [{"PutRequest": {"Item": self._item(item)}} for item in items]
        attempts = 0
        while attempts < _MAX_ATTEMPTS:
            if attempts:
                # Jitter, so that workers that were refused together do not come back together.
                longest = min(_MAX_WAIT, _FIRST_WAIT * 2**attempts)
                self._sleep(random.uniform(longest / 2, longest))  # noqa: S311 - no secret
            attempts += 1
            refusal_error = self._unprocessed(left)
            if not refusal_error:
                return
            if len(refusal_error) < len(left):
                attempts = 1
            left = refusal_error
        raise TableBusy(
            f"The table {self.table} refused {len(left)} predictions {_MAX_ATTEMPTS} times: it is busy. Nothing is "
            "lost: "
            "the same predictions can be written again later."
        )

    def _unprocessed(self, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Send some write requests; returns those that the table did not take."""
        try:
            reply = self._call("batch_write_item", RequestItems={self.table: requests})
        except self._error as error:
            if error.response["Error"]["Code"] not in _BUSY_CODES:
                raise
            return requests
        left: list[dict[str, Any]] = reply.get("UnprocessedItems", {}).get(self.table, [])
        return left

    def _item(self, item: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: self._serializer.serialize(_with_decimals(value))
            for name, value in item.items()
            if value is not None and (name != "record_id" or _indexable(value))
        }

    def _read(self, item: Mapping[str, Any]) -> dict[str, Any]:
        return {name: _number(self._deserializer.deserialize(value), whole=True) for name, value in item.items()}


def _batches(items: Sequence[Mapping[str, Any]]) -> Iterator[Sequence[Mapping[str, Any]]]:
    for start in range(0, len(items), _BATCH_ITEMS):
        yield items[start : start + _BATCH_ITEMS]


def _indexable(record_id: object) -> bool:
    return isinstance(record_id, str) and 0 < len(record_id.encode()) <= _MAX_INDEX_KEY_BYTES


def _with_decimals(value: Any) -> Any:
    """The value with floats as decimals, since boto3 takes no floats; raises `ValueError` where one is not finite."""
    if isinstance(value, Mapping):
        return {str(name): _with_decimals(item) for name, item in value.items()}
    if not isinstance(value, float):
        return value
    if not math.isfinite(value):
        raise ValueError("a prediction holds a number that is not finite")
    # The shortest text that reads back as the same float: at most 17 of the 38 digits there are.
    return Decimal(repr(value)) if abs(value) >= _SMALLEST_NUMBER else Decimal(0)


def _number(value: Any, *, whole: bool) -> Any:
    """The value with decimals as numbers.

    DynamoDB writes 1.0 as 1, so whatever is in a map (probabilities) is a float.
    """
    if isinstance(value, Mapping):
        return {name: _number(item, whole=False) for name, item in value.items()}
    if not isinstance(value, Decimal):
        return value
    return int(value) if whole and value == value.to_integral_value() else float(value)
