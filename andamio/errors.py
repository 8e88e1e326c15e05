"""The error tree.

AndamioError
├── ContractError        problem.toml is not what the format says
├── PrepareError         prepare.py is not what is expected, or fails
├── InvalidRecord        a record, or a list of records, breaks the contract
├── SettingsError        a deployed function lacks an environment variable, or a recent boto3
├── AccessRefused        IAM refused a call of a deployed function
├── ObjectNotFound       storage has no object under a key
├── PreconditionFailed   another writer was first (If-Match, If-None-Match)
├── DocumentError        a JSON document in storage cannot be read
├── ReleaseError         a release is incomplete, or its digest does not match
│   ├── NotReady         there is no champion yet
│   └── OtherCode        a release was trained with another prepare.py than the deployed one
├── DataError            a raw or batch file cannot be used
├── TrainingError        a step of a training run cannot continue
├── ApprovalAnswered     somebody answered for a release while it was asked about
├── TableBusy            the predictions table refuses writes for now
├── EventNotSent         EventBridge did not take an event
└── CommandError         a command failed
    ├── UsageError       an argument or option is not valid
    ├── InputFileError   a local file or a record in it cannot be used
    ├── CheckFailed      a problem folder is not sound
    ├── LocalCloudError  the local cloud is not running, or another one answers
    ├── AccountError     credentials, account, region or endpoint are not those of the system
    ├── AwsError         AWS, or the emulator, refused a call or did not answer
    ├── NotDeployed      the problem is not deployed, or by an older version
    ├── NoData           there are no data, or no result, to show
    ├── NoModel          there is no champion, or it has no card
    ├── ExecutionFailed  an execution or a batch failed or did not start
    ├── ServiceError     the HTTP API answered with an error, or a result is inconsistent
    └── ToolError        the CDK or the local cloud program failed

Each error says what was expected, what came, and what to do. `code` is stable and meant for
programs, `status` is the HTTP status of an API reply, and `retryable` tells whether the same call
may succeed later. docs/errors.md lists the codes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Literal


class AndamioError(Exception):
    """An error that a person is meant to read."""

    code = "error"
    status = 500
    retryable = False


class ContractError(AndamioError):
    """`problem.toml` is not what the format says: the message names file, table and key."""

    code = "contract"
    status = 500


class PrepareError(AndamioError):
    """prepare.py is not what is expected, or fails: the message names file, line, row and column where they are known.

    `detail` is what Python said of it, which may repeat a value: for a terminal, never for a log or a reply.
    """

    code = "prepare"

    def __init__(self, message: str, *, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Violation:
    """One error of one field of one record; the value is never repeated.

    `row` counts from 0 within the call; `field` is a feature, or "" for the record itself. `code` is one of
    `REASON_CODES`, `reason` the same for people.
    """

    row: int
    field: str
    reason: str
    code: str = dataclass_field(default="invalid-value", compare=False)


class InvalidRecord(AndamioError):
    """One or more records break the contract: `violations` says which field of which, and why."""

    code = "invalid-record"
    status = 422

    def __init__(self, violations: Sequence[Violation]) -> None:
        self.violations = tuple(violations)
        first = self.violations[0]
        more = len(self.violations) - 1
        where = f"record {first.row}, field '{first.field}'" if first.field else f"record {first.row}"
        super().__init__(f"{where}: {first.reason}" + (f" (and {more} more)" if more else ""))


class SettingsError(AndamioError):
    """A deployed function lacks an environment variable, or a recent boto3."""

    code = "settings"


class AccessRefused(AndamioError):
    """IAM refused a call: the message names the role, the action, the resource, and where to allow it."""

    code = "access-refused"


class ObjectNotFound(AndamioError):
    """Storage has no object under a key, or not the requested version."""

    code = "not-found"
    status = 404


class PreconditionFailed(AndamioError):
    """The object changed since it was read: another writer was first."""

    code = "precondition-failed"
    status = 412
    retryable = True


class DocumentError(AndamioError):
    """A JSON document in storage cannot be read: the message names its key and the field."""

    code = "document"


ReleaseFault = Literal[
    "absent",
    "changed",
    "no-version",
    "unknown-format",
    "unreadable",
    "other-contract",
    "other-code",
    "no-parity",
    "no-answer",
]


class ReleaseError(AndamioError):
    """A release is incomplete, or its digest does not match: it must not be served.

    `fault` says what is wrong, None where nothing more is known; `file` is the file at fault, "" where it is none.
    """

    code = "release"
    status = 503

    def __init__(self, message: str, *, file: str = "", fault: ReleaseFault | None = None) -> None:
        super().__init__(message)
        self.file = file
        self.fault = fault


class NotReady(ReleaseError):
    """There is no champion yet."""

    code = "not-ready"
    retryable = True


class OtherCode(ReleaseError):
    """A release was trained with another prepare.py than the deployed one."""

    code = "other-code"

    def __init__(self, message: str) -> None:
        super().__init__(message, fault="other-code")


class DataError(AndamioError):
    """A raw or batch file cannot be used, or its rows cannot become a data version."""

    code = "data"
    status = 422


class TrainingError(AndamioError):
    """A step of a training run cannot continue."""

    code = "training"


class ApprovalAnswered(AndamioError):
    """Somebody answered for a release while it was asked about: the state machine looks at the answer."""

    code = "approval-answered"


class TableBusy(AndamioError):
    """The predictions table refuses writes: the same writes may succeed later."""

    code = "table-busy"
    status = 503
    retryable = True


class EventNotSent(AndamioError):
    """EventBridge did not take an event: the same step may send it later."""

    code = "event-not-sent"
    status = 503
    retryable = True


class CommandError(AndamioError):
    """A command of the command line failed."""

    code = "command"


class UsageError(CommandError):
    """An argument or option of a command is not valid."""

    code = "usage"


class InputFileError(CommandError):
    """A local file, or a record in it, cannot be used."""

    code = "input-file"


class CheckFailed(CommandError):
    """A problem folder is not sound: `andamio check` printed what would fail."""

    code = "check-failed"


class LocalCloudError(CommandError):
    """The local cloud is not running, or another server answers at its address."""

    code = "local-cloud"


class AccountError(CommandError):
    """Credentials, account, region or endpoint are not those of the system."""

    code = "aws-account"


class AwsError(CommandError):
    """AWS, or the emulator, refused a call or did not answer."""

    code = "aws"


class NotDeployed(CommandError):
    """The problem is not deployed, or was deployed by an older version."""

    code = "not-deployed"


class NoData(CommandError):
    """There are no data, or no result, to show."""

    code = "no-data"


class NoModel(CommandError):
    """There is no champion, or it has no model card."""

    code = "no-model"


class ExecutionFailed(CommandError):
    """An execution or a batch failed, or did not start in time."""

    code = "execution-failed"


class ServiceError(CommandError):
    """The HTTP API answered with an error or not at all, or a result is inconsistent."""

    code = "service"


class ToolError(CommandError):
    """The CDK or the local cloud program failed."""

    code = "tool"


# Problem documents of the HTTP API


URN = "urn:andamio:problem:"
"""The prefix of a problem's code in its `type`."""


@dataclass(frozen=True, slots=True)
class ProblemType:
    """A kind of problem document (RFC 9457). `code` and `status` are stable; `retry_after` in seconds."""

    code: str
    status: int
    title: str
    advice: str
    retry_after: int | None = None

    @property
    def urn(self) -> str:
        """The `type` of its documents."""
        return URN + self.code


PROBLEM_TYPES = {
    kind.code: kind
    for kind in (
        ProblemType("malformed-body", 400, "The body cannot be read", "Send strict JSON in UTF-8."),
        ProblemType(
            "invalid-request", 422, "The request does not have the expected shape", "`errors` names the key to change."
        ),
        ProblemType("invalid-record", 422, "A record breaks the contract", "`errors` names the field and the reason."),
        ProblemType("body-too-large", 413, "The body is too large", "Send fewer records, or a file to /batches."),
        ProblemType(
            "reply-too-large", 413, "The answer would be too large", "Send as many records as `detail` says, or a file."
        ),
        ProblemType(
            "unsupported-media-type", 415, "The content type is not supported", "Send one that `detail` lists."
        ),
        ProblemType("no-explanations", 404, "Explanations are turned off", "Turn them on in problem.toml, and train."),
        ProblemType("no-reference", 503, "This release cannot explain", "Train again."),
        ProblemType("not-found", 404, "There is nothing under this path", "`detail` says what there is."),
        ProblemType("method-not-allowed", 405, "The path does not take this method", "Use one of the header Allow."),
        ProblemType("bad-event", 400, "The function was not called by API Gateway", "Call the API by its address."),
        ProblemType("not-ready", 503, "No model is served yet", "Train and promote a model, then try again.", 10),
        ProblemType(
            "release", 503, "The release cannot be used", "Promote another release: andamio promote VERSION.", 60
        ),
        ProblemType("settings", 503, "The service is not configured", "Deploy again: the log names the setting."),
        ProblemType("internal", 500, "Something went wrong on our side", "The log has it under `instance`."),
        # API Gateway answers these itself, before the function is called.
        ProblemType("no-key", 403, "The API key is missing or not known", "Send the key in the header x-api-key."),
        ProblemType("refused", 403, "The request is refused", "GET /docs says what can be asked."),
        ProblemType("too-many-requests", 429, "Too many requests", "Send fewer requests a second.", 1),
        ProblemType("quota-spent", 429, "The key's quota is spent", "Ask the operator for a larger one."),
        ProblemType("timeout", 504, "The answer took too long", "Send fewer records, or a file to /batches.", 1),
    )
}
"""The problem types by code. docs/errors.md lists them."""


REASON_CODES = {
    "missing-value": "A required feature, id, group or time has no value",
    "missing-label": "The target has no value",
    "unknown-label": "The target is not one of the labels of problem.toml",
    "unknown-category": "The value is not one of the values of problem.toml",
    "unknown-field": "The contract has no feature, or the record no key, of this name",
    "too-many-fields": "The record has far more fields than the contract has features",
    "not-a-number": "The cell is not a number in the notation of the file",
    "not-a-boolean": "The cell is not a boolean",
    "not-a-date": "The cell is not a date in ISO 8601",
    "not-one-value": "The cell is a list or an object",
    "not-text": "The cell holds characters that are not text",
    "too-long": "The number or the text has too many characters",
    "not-finite": "The number is infinite",
    "not-whole": "The number is not whole",
    "too-large": "The number cannot be represented without loss",
    "out-of-range": "The number is below min or above max of problem.toml",
    "not-an-object": "The record is not an object of feature names and values",
    "no-values": "No cell of the row has a value",
    "no-answer": "The model has no finite answer for the row",
    "not-prepared": "prepare.py of the problem refused the record",
    "unreadable-row": "The row cannot be read as cells",
    "unusable-file": "The whole file cannot be used",
    "invalid-value": "The value breaks the contract in another way",
}
"""Reasons for rejecting a row or a file by code, in the rejects of batches and of ETL. docs/errors.md lists them."""
