"""What the predictions table promises, kept by DynamoDB and by memory alike."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws

from andamio.adapters.dynamodb import DynamoPredictionStore
from andamio.adapters.memory import MemoryPredictionStore
from andamio.errors import TableBusy
from andamio.storage.ports import PredictionStore

TABLE = "predictions"


@pytest.fixture
def dynamo(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    with mock_aws():
        client = boto3.client("dynamodb")
        client.create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "prediction_id", "KeyType": "HASH"}],
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": "S"} for name in ("prediction_id", "record_id", "created")
            ],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "by_record",
                    "KeySchema": [
                        {"AttributeName": "record_id", "KeyType": "HASH"},
                        {"AttributeName": "created", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "ALL"},
                }
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        yield client


@pytest.fixture(params=["memory", "dynamodb"])
def table(request: pytest.FixtureRequest) -> PredictionStore:
    if request.param == "memory":
        return MemoryPredictionStore()
    request.getfixturevalue("dynamo")
    return DynamoPredictionStore(TABLE)


def item(number: int, **changed: Any) -> dict[str, Any]:
    return {
        "prediction_id": f"20261121T084011-0123456789ab-{number}",
        "record_id": f"patient {number}",
        "label": "1",
        "label_text": "Heart disease — detected",
        "probabilities": {"0": 0.25, "1": 0.75},
        "model": "heart",
        "model_version": "0123456789abcdef",
        "created": "2026-11-21T08:40:11+00:00",
        "batch": "20261121T084011-0123456789ab",
        "line": number,
        "expires_at": 1_800_000_000,
    } | changed


class TestATable:
    """Runs against every adapter."""

    def test_what_was_put_is_found(self, table: PredictionStore) -> None:
        table.put_all([item(2), item(3)])
        assert table.find(item(2)["prediction_id"]) == item(2)
        assert table.find("another") is None

    def test_numbers_come_back_as_they_were(self, table: PredictionStore) -> None:
        probabilities = {"a": 1.0, "b": 0.0, "c": 0.1 + 0.2, "d": 1e-45, "e": 0.3333333432674408}
        table.put_all([item(2, probabilities=probabilities)])
        found = table.find(item(2)["prediction_id"])
        assert found is not None
        assert found["probabilities"] == probabilities
        assert {type(value) for value in found["probabilities"].values()} == {float}
        assert {type(found["line"]), type(found["expires_at"])} == {int}

    def test_writing_again_changes_nothing(self, table: PredictionStore) -> None:
        for _ in range(2):
            table.put_all([item(number) for number in range(60)])
        assert [table.find(item(number)["prediction_id"]) for number in range(60)] == [item(n) for n in range(60)]
        assert table.of_record("patient 7", limit=20) == [item(7)]

    def test_an_id_that_is_twice_in_one_call_is_written_once(self, table: PredictionStore) -> None:
        table.put_all([item(2, label="0"), item(2, label="1")])
        assert table.find(item(2)["prediction_id"]) == item(2)

    def test_nothing_may_be_put(self, table: PredictionStore) -> None:
        table.put_all([])

    def test_a_record_shows_its_newest_first(self, table: PredictionStore) -> None:
        same = [item(n, record_id="p", created=f"2026-11-{n:02}T00:00:00+00:00") for n in (3, 9, 1, 22)]
        table.put_all([*same, item(30)])
        assert [found["line"] for found in table.of_record("p", limit=3)] == [22, 9, 3]
        assert [found["line"] for found in table.of_record("p", limit=20)] == [22, 9, 3, 1]
        assert table.of_record("nobody", limit=20) == []

    def test_an_item_without_a_record_is_found_by_its_id_alone(self, table: PredictionStore) -> None:
        bare = {name: value for name, value in item(2).items() if name != "record_id"}
        table.put_all([bare])
        assert table.find(bare["prediction_id"]) == bare


class TestDynamoDB:
    """What only DynamoDB can do, or only DynamoDB gets wrong."""

    @given(st.floats(min_value=-1e37, max_value=1e37) | st.floats(0, 1), st.integers(0, 10**18))
    def test_no_float_and_no_integer_changes_on_the_way(self, number: float, whole: int) -> None:
        table = DynamoPredictionStore(TABLE, Echo())
        table.put_all([item(2, probabilities={"0": number}, line=whole)])
        found = table.find(item(2)["prediction_id"])
        assert found is not None
        assert found["probabilities"]["0"] == (number if abs(number) >= 1e-130 else 0.0), "smaller ones are zero there"
        assert (type(found["probabilities"]["0"]), found["line"], type(found["line"])) == (float, whole, int)

    @pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
    def test_a_number_that_is_not_finite_is_an_error_that_says_so(self, number: float) -> None:
        with pytest.raises(ValueError, match="not finite"):
            DynamoPredictionStore(TABLE, Echo()).put_all([item(2, probabilities={"0": number})])

    @pytest.mark.parametrize("record", ["", None, "x" * 2049, "é" * 1025])
    def test_a_record_id_that_no_index_can_hold_is_left_out(self, dynamo: Any, record: str | None) -> None:
        table = DynamoPredictionStore(TABLE)
        table.put_all([item(2, record_id=record)])
        assert table.find(item(2)["prediction_id"]) == {k: v for k, v in item(2).items() if k != "record_id"}
        assert table.of_record(record or "", limit=1) == []

    def test_a_throttled_table_gets_everything_in_the_end(self, dynamo: Any) -> None:
        slept: list[float] = []
        throttled = Throttled(dynamo)
        DynamoPredictionStore(TABLE, throttled, slept.append).put_all([item(number) for number in range(130)])
        table = DynamoPredictionStore(TABLE, dynamo)
        assert [table.find(item(n)["prediction_id"]) for n in range(130)] == [item(n) for n in range(130)]
        assert throttled.calls > 6
        assert slept

    def test_waits_grow_up_to_a_bound(self) -> None:
        slept: list[float] = []
        with pytest.raises(TableBusy, match="refused 2 predictions 12 times"):
            DynamoPredictionStore(TABLE, Refusing(), slept.append).put_all([item(1), item(2)])
        assert len(slept) == 11
        assert slept[0] <= 0.1
        assert slept[5] > slept[0]
        assert max(slept) <= 10

    def test_other_failures_are_told_at_once(self, dynamo: Any) -> None:
        with pytest.raises(ClientError, match="ResourceNotFoundException"):
            DynamoPredictionStore("another", dynamo).put_all([item(1)])

    def test_a_record_is_read_over_pages(self) -> None:
        client = Paged(
            [
                ([{"line": {"N": "1"}}], {"prediction_id": {"S": "a"}}),
                ([], {"prediction_id": {"S": "b"}}),
                ([{"line": {"N": "2"}}], None),
            ]
        )
        assert DynamoPredictionStore(TABLE, client).of_record("p", limit=5) == [{"line": 1}, {"line": 2}]
        assert client.starts == [None, {"prediction_id": {"S": "a"}}, {"prediction_id": {"S": "b"}}]


class Throttled:
    """A client whose table takes a third of every batch, and at times nothing."""

    def __init__(self, client: Any) -> None:
        self.client, self.calls = client, 0

    def batch_write_item(self, *, RequestItems: dict[str, list[Any]]) -> dict[str, Any]:  # noqa: N803
        self.calls += 1
        if self.calls % 3 == 0:
            code = "ProvisionedThroughputExceededException"
            raise ClientError({"Error": {"Code": code, "Message": "slow down"}}, "BatchWriteItem")
        asked = RequestItems[TABLE]
        assert len(asked) <= 25
        taken = max(1, len(asked) // 3)
        self.client.batch_write_item(RequestItems={TABLE: asked[:taken]})
        return {"UnprocessedItems": {TABLE: asked[taken:]} if asked[taken:] else {}}


class Echo:
    """A client that gives back what was written, numbers as DynamoDB writes them: without an exponent."""

    def batch_write_item(self, *, RequestItems: dict[str, list[Any]]) -> dict[str, Any]:  # noqa: N803
        (self.written,) = [request["PutRequest"]["Item"] for request in RequestItems[TABLE]]
        return {}

    def get_item(self, **asked: Any) -> dict[str, Any]:
        return {"Item": {name: self._plain(value) for name, value in self.written.items()}}

    def _plain(self, typed: dict[str, Any]) -> dict[str, Any]:
        ((kind, value),) = typed.items()
        if kind == "N":
            text = f"{Decimal(value):f}"
            return {"N": text.rstrip("0").rstrip(".") if "." in text else text}
        return {"M": {name: self._plain(each) for name, each in value.items()}} if kind == "M" else typed


class Refusing:
    """A client whose table takes nothing."""

    def batch_write_item(self, *, RequestItems: dict[str, list[Any]]) -> dict[str, Any]:  # noqa: N803
        return {"UnprocessedItems": RequestItems}


class Paged:
    """A client whose queries come in pages."""

    def __init__(self, pages: list[tuple[list[Any], Any]]) -> None:
        self.pages = pages
        self.starts: list[Any] = []

    def query(self, **asked: Any) -> dict[str, Any]:
        self.starts.append(asked.get("ExclusiveStartKey"))
        items, more = self.pages.pop(0)
        return {"Items": items} | ({"LastEvaluatedKey": more} if more else {})
