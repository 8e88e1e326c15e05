"""A delivery of log lines to the lake and to the predictions table.

CloudWatch Logs delivers a line at least once, in any order. A delivery is kept under the digest of its lines' own ids,
so that the same delivery is the same object; an item of the table is written over itself. What a line says twice in
two deliveries is counted once when the hour is compacted (`monitoring.captures`).
"""

from __future__ import annotations

import base64
import binascii
import gzip
import hashlib
import json
import math
import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from andamio import names
from andamio.captures import trials
from andamio.contract import Contract
from andamio.contract.canonical import canonical, composed
from andamio.errors import DataError
from andamio.storage import layout
from andamio.storage.documents import JSON
from andamio.storage.ports import Objects, PredictionStore

LARGEST_DELIVERY = 64 * 2**20
"""Bytes of a delivery when unzipped: far above the megabyte that CloudWatch Logs collects before it delivers."""

PART, FAILED = "part-", "failed-"
"""How the names of deliveries begin, of records and of failures: hours without records are silent all the same."""
REFUSED_RELEASE = "release-refused"
"""The kind of failure that is no request's: the API could not take a release."""

_PREDICTION_ID = re.compile(r"[0-9a-f]{32}")
_REJECTION_TEXTS = ("time", "route", "request_id", "model_version")
_LONGEST_TEXT = 256
_UNPROCESSABLE = 422
_INTERVAL = ("low", "high", "level")

Line = dict[str, Any]


@dataclass(slots=True)
class Delivery:
    """The lines of a delivery that are kept, by the hour of their own time, and how many others there were.

    `hours` is hour -> id of the log event -> line, and so are `failures`, of which each is a request that failed or a
    release that the API refused to serve; `broken` are lines of ours that cannot be read, `others` the lines
    about something else. `trials` is challenger's trial -> id of the log event -> line: predictions are there twice.
    """

    hours: dict[datetime, dict[str, Line]] = field(default_factory=dict)
    predictions: int = 0
    rejections: int = 0
    broken: int = 0
    others: int = 0
    failures: dict[datetime, dict[str, Line]] = field(default_factory=dict)
    trials: dict[str, dict[str, Line]] = field(default_factory=dict)
    oldest: datetime | None = None

    def add(self, event_id: str, line: Line) -> None:
        """Keep a line."""
        moment = moment_of(line["time"])
        if moment is None:
            raise ValueError("a line that is kept has a time")
        self.hours.setdefault(_hour(moment), {})[event_id] = line
        self.oldest = moment if self.oldest is None else min(self.oldest, moment)


def read(event: Mapping[str, Any], contract: Contract) -> Delivery:
    """Read what CloudWatch Logs hands to a function; raises `DataError` where it is no delivery, or too large.

    A field that the contract marks private is dropped, though the API logs none: its release may have an older
    contract.
    """
    payload = _payload(event)
    delivery = Delivery()
    if payload.get("messageType") != "DATA_MESSAGE":
        return delivery  # CloudWatch Logs asks whether it may deliver
    private = frozenset(contract.private)
    for log_event in payload.get("logEvents") or ():
        message = str(log_event.get("message", ""))
        if f'"{names.EVENT_PREDICTION}"' in message:
            line = _prediction(_object(message), private)
        elif f'"{names.EVENT_REJECTION}"' in message:
            line = _rejection(_object(message))
        elif f'"{names.EVENT_SHADOW}"' in message or f'"{names.EVENT_CHALLENGER_FAILED}"' in message:
            line = _object(message)
            if trials.read_line(line):
                delivery.trials.setdefault(line["rollout"], {})[str(log_event["id"])] = line
            else:
                delivery.broken += 1
            continue
        else:
            failure = _failure(message, log_event)
            if failure is None:
                delivery.others += 1
            else:
                hour = _hour(datetime.fromisoformat(failure["time"]))
                delivery.failures.setdefault(hour, {})[failure["id"]] = failure
            continue
        if line is None:
            delivery.broken += 1
            continue
        delivery.add(str(log_event["id"]), line)
        if line["event"] == names.EVENT_PREDICTION:
            delivery.predictions += 1
            if trials.read_line(line):
                delivery.trials.setdefault(line["rollout"], {})[str(log_event["id"])] = line
        else:
            delivery.rejections += 1
    return delivery


def store(delivery: Delivery, contract: Contract, lake: Objects, table: PredictionStore) -> int:
    """Write a delivery, the lake first; returns how many objects are new. Where the contract captures none, nothing but
    what a trial is judged by, without ids.

    Raises `TableBusy` when the table goes on refusing: all of it may be written again.
    """
    new = 0
    for rollout, found in delivery.trials.items():
        part = trials.part_of(rollout, found.values(), rows=contract.monitor.capture != "none")
        key = layout.trial_of_challenger(rollout, part_name(found).replace(".jsonl.gz", ".json"))
        new += lake.put_new(key, part.to_json(), content_type=JSON)
    if contract.monitor.capture == "none":
        return new
    for hour, lines in delivery.hours.items():
        new += lake.put_new(layout.captures(hour, part_name(lines)), _packed(lines), content_type="application/gzip")
    for hour, lines in delivery.failures.items():
        name = FAILED + part_name(lines).removeprefix(PART)
        new += lake.put_new(layout.captures(hour, name), _packed(lines), content_type="application/gzip")
    lifetime = timedelta(days=contract.batch.keep_days)
    table.put_all(
        [
            _item(line, lifetime)
            for lines in delivery.hours.values()
            for line in lines.values()
            if line["event"] == names.EVENT_PREDICTION
        ]
    )
    return new


def part_name(event_ids: Iterable[str]) -> str:
    """The last part of the key of the lines that have these ids."""
    digest = hashlib.sha256("\n".join(sorted(event_ids)).encode()).hexdigest()[:32]
    return f"{PART}{digest}.jsonl.gz"


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def moment_of(text: object) -> datetime | None:
    """A line's time in UTC; None where it has none."""
    try:
        moment = datetime.fromisoformat(str(text))
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _payload(event: Mapping[str, Any]) -> dict[str, Any]:
    try:
        packed = base64.b64decode(event["awslogs"]["data"], validate=True)
        unpacking = zlib.decompressobj(wbits=31)
        body = unpacking.decompress(packed, LARGEST_DELIVERY)
        if unpacking.unconsumed_tail:
            raise DataError(
                f"A delivery has more than {LARGEST_DELIVERY} bytes when unzipped, as none of CloudWatch Logs has. "
                "Look at who else may call this function."
            )
        payload = json.loads(body)
        if isinstance(payload, dict):
            return payload
    except (KeyError, TypeError, ValueError, binascii.Error, zlib.error):
        pass
    raise DataError(
        'Expected a delivery of CloudWatch Logs: {"awslogs": {"data": zipped JSON in base64}}. Only the subscription '
        "of the API's log group calls this function."
    )


def _object(message: str) -> Line:
    """A line as JSON, of which a runtime may have put something before the first brace; {} where it is none."""
    try:
        line = json.loads(message[message.index("{") :])
    except ValueError:
        return {}
    return line if isinstance(line, dict) else {}


def _prediction(line: Line, private: frozenset[str]) -> Line | None:
    """A prediction's line without private fields; None where the line is not as the API writes it."""
    model = line.get("model")
    if (
        line.get("event") != names.EVENT_PREDICTION
        or not _PREDICTION_ID.fullmatch(str(line.get("prediction_id")))
        or moment_of(line.get("time")) is None
        or not isinstance(model, dict)
        or not all(isinstance(model.get(key), str) for key in ("name", "version"))
        or _answer(line) is None
    ):
        return None
    features = line.get("features")
    if isinstance(features, dict):
        line["features"] = {name: value for name, value in features.items() if composed(name) not in private}
    else:
        line.pop("features", None)
    return line


def _answer(line: Line) -> dict[str, Any] | None:
    """What a line says of its answer, a class or a number; None where it is not as the API writes it."""
    if "value" in line:
        interval = line.get("interval")
        numbers = [line["value"], *(interval.get(end) for end in _INTERVAL)] if isinstance(interval, dict) else [None]
        is_one = all(_is_finite(number) for number in numbers) and isinstance(line.get("unit"), str)
        return {name: line[name] for name in ("value", "interval", "unit")} if is_one else None
    probabilities = line.get("probabilities")
    is_one = (
        isinstance(line.get("label"), str)
        and isinstance(line.get("label_text"), str)
        and isinstance(probabilities, dict)
        and all(_is_finite(value) for value in probabilities.values())
    )
    return {name: line[name] for name in ("label", "label_text", "probabilities")} if is_one else None


def _rejection(line: Line) -> Line | None:
    """What a rejected record's line says of fields and reasons, and nothing else that may stand in it."""
    violations = line.get("violations")
    texts = {key: line.get(key) for key in _REJECTION_TEXTS}
    if (
        line.get("event") != names.EVENT_REJECTION
        or moment_of(line.get("time")) is None
        or not all(isinstance(text, str) for text in texts.values())
        or not isinstance(line.get("index"), int)
        or not isinstance(violations, list)
    ):
        return None
    kept = [
        {"field": str(one.get("field", ""))[:_LONGEST_TEXT], "code": str(one.get("code", ""))[:_LONGEST_TEXT]}
        for one in violations
        if isinstance(one, dict)
    ]
    return {"event": names.EVENT_REJECTION, **texts, "index": line["index"], "violations": kept}


def _failure(message: str, log_event: Mapping[str, Any]) -> Line | None:
    """A request that failed, by the problem that it was answered with, or a refused release; None for other lines.

    The line of a rejected record says more, and there is one of each: a reply with status 422 is not counted here.
    """
    if f'"{names.EVENT_RELEASE_REFUSED}"' in message:
        kind = REFUSED_RELEASE
    elif f'"{names.EVENT_REQUEST}"' in message:
        line = _object(message)
        status = line.get("status")
        if not isinstance(status, int) or status < 400 or status == _UNPROCESSABLE:
            return None
        kind = str(line.get("problem") or status).rsplit(":", 1)[-1][:_LONGEST_TEXT]
    else:
        return None
    moment = log_event.get("timestamp")
    if not isinstance(moment, int):
        return None
    time = datetime.fromtimestamp(moment / 1000, UTC).isoformat(timespec="milliseconds")
    return {"event": names.EVENT_FAILURE, "time": time, "id": str(log_event["id"]), "kind": kind}


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _packed(lines: Mapping[str, Line]) -> bytes:
    """Lines in the order of their ids, zipped: the same lines are the same bytes."""
    texts = [json.dumps(lines[event_id], separators=(",", ":")) + "\n" for event_id in sorted(lines)]
    return gzip.compress("".join(texts).encode(), 6, mtime=0)


def _item(line: Line, lifetime: timedelta) -> dict[str, Any]:
    """The item of the table, as a batch's predictions have it; without the record."""
    moment = moment_of(line["time"])
    if moment is None:
        raise ValueError("a line that is kept has a time")
    item = {
        "prediction_id": line["prediction_id"],
        **(_answer(line) or {}),
        "model": line["model"]["name"],
        "model_version": line["model"]["version"],
        "created": line["time"],
        "expires_at": int((moment + lifetime).timestamp()),
    }
    # As a batch's item has it, and a client asks for it: 7, "7" and 7.0 are one record. An index takes no empty text.
    record = canonical(line.get("record_id"))
    return item | {"record_id": record} if record else item
