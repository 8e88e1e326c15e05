"""Events on EventBridge: what is sent, what happens when it is not taken, and the schema that is documented."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from andamio.adapters.events import BusEvents
from andamio.errors import AccessRefused, EventNotSent
from andamio.storage.events import EVENT_TYPES, Event, EventDetail, make_event
from tests.support.releases import ROOT

PAGE = (ROOT / "docs" / "events.md").read_text()


def promoted(occasion: str = "run/1", system: str = "heart--prod") -> Event:
    return make_event(
        "Model promoted", problem="heart", system=system, occasion=occasion, message="It serves.", release="0123"
    )


class Bus:
    """A client of EventBridge that gives one answer."""

    def __init__(self, answer: dict[str, Any] | Exception) -> None:
        self.answer = answer
        self.entries: list[dict[str, str]] = []

    def put_events(self, **asked: list[dict[str, str]]) -> dict[str, Any]:
        self.entries += asked.pop("Entries")
        assert not asked
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def refused(code: str, message: str = "") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "PutEvents")


def test_an_event_goes_to_the_default_bus_under_the_system_s_source():
    bus = Bus({"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]})
    BusEvents(bus).put(promoted())
    (entry,) = bus.entries
    assert set(entry) == {"Source", "DetailType", "Detail"}, "no bus is named: it is the default one"
    assert (entry["Source"], entry["DetailType"]) == ("andamio.heart--prod", "Model promoted")
    assert EventDetail.model_validate_json(entry["Detail"]) == promoted().detail


def test_an_entry_that_fails_in_an_answer_that_does_not_is_an_error():
    answer = {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "ThrottlingException", "ErrorMessage": "Slow down"}]}
    with pytest.raises(EventNotSent, match="ThrottlingException: Slow down") as error:
        BusEvents(Bus(answer)).put(promoted())
    assert error.value.retryable


def test_a_call_that_fails_and_one_that_iam_refuses_are_told_apart():
    with pytest.raises(EventNotSent, match="has happened"):
        BusEvents(Bus(refused("InternalException", "sorry"))).put(promoted())
    with pytest.raises(AccessRefused, match="events:PutEvents on the default event bus"):
        BusEvents(Bus(refused("AccessDeniedException"))).put(promoted())


def test_an_event_bus_that_cannot_be_reached_took_no_event():
    with pytest.raises(EventNotSent, match="Could not connect"):
        BusEvents(Bus(EndpointConnectionError(endpoint_url="https://events.invalid"))).put(promoted())


def test_the_id_is_the_occasion_s_whatever_the_message_says():
    assert promoted().detail.id == promoted().detail.id
    others = {promoted("run/2").detail.id, promoted(system="heart").detail.id}
    assert promoted().detail.id not in others
    assert len(others) == 2


def test_the_page_has_the_schema_and_every_type_of_event():
    made = json.dumps(EventDetail.model_json_schema(), indent=2) + "\n"
    assert (ROOT / "docs" / "events.schema.json").read_text() == made
    assert "(events.schema.json)" in PAGE
    assert re.findall(r"^\| `([^`]+)` \|", PAGE, re.M)[: len(EVENT_TYPES)] == list(EVENT_TYPES)


def test_the_example_of_the_page_is_an_event():
    (example,) = re.findall(r"```json\n(.*?)\n```", PAGE, re.S)
    envelope = json.loads(example)
    EventDetail.model_validate_json(json.dumps(envelope["detail"]))
    assert envelope["source"] == f"andamio.{envelope['detail']['system']}"
    assert envelope["detail-type"] in EVENT_TYPES
