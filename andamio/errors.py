"""What can go wrong, as one tree.

AndamioError
├── ContractError        problem.toml is not what the format says
├── InvalidRecord        a record, or a list of them, breaks the contract
├── SettingsError        a deployed function lacks an environment variable, or a recent boto3
├── AccessRefused        IAM refused a call of a deployed function
├── ObjectNotFound       storage has nothing under that key
├── PreconditionFailed   somebody else wrote first (If-Match, If-None-Match)
├── DocumentError        a JSON document in storage is not what it should be
├── ReleaseError         a release is incomplete, or its digest does not match
│   └── NotReady         no model is served yet
├── DataError            raw data cannot become a data set
├── TrainingError        a training run cannot go on
├── TableBusy            the predictions table refuses writes for now
└── CommandError         a command cannot do what it was asked to

Each error says what was expected, what came, and what to do. `code` is stable and meant for
programs, `status` is the HTTP status that an API answers with, and `retryable` tells whether the
same call may go through later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class AndamioError(Exception):
    """An error that a person is meant to read."""

    code = "error"
    status = 500
    retryable = False


class ContractError(AndamioError):
    """`problem.toml` is not what the format says: the message names file, table and key."""

    code = "contract"
    status = 500


@dataclass(frozen=True, slots=True)
class Violation:
    """What is wrong with one field of one record; the value itself is never repeated.

    `row` counts from 0 within the call; `field` is a feature, or "" for the record itself.
    """

    row: int
    field: str
    reason: str


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
    """What a deployed function needs of its surroundings is missing: an environment variable, or a recent boto3."""

    code = "settings"


class AccessRefused(AndamioError):
    """IAM refused a call: the message names the role, the action, the resource, and where to allow it."""

    code = "access-refused"


class ObjectNotFound(AndamioError):
    """Storage has nothing under that key (or not that version of it)."""

    code = "not-found"
    status = 404


class PreconditionFailed(AndamioError):
    """The object is no longer what the writer had read: somebody else was first."""

    code = "precondition-failed"
    status = 412
    retryable = True


class DocumentError(AndamioError):
    """A JSON document in storage cannot be read: the message names its key and the field."""

    code = "document"


class ReleaseError(AndamioError):
    """A release is incomplete, or is not what its digest says: it must not be served."""

    code = "release"
    status = 503


class NotReady(ReleaseError):
    """No model is served yet."""

    code = "not-ready"
    retryable = True


class DataError(AndamioError):
    """Raw data cannot become a data set."""

    code = "data"
    status = 422


class TrainingError(AndamioError):
    """A training run cannot go on."""

    code = "training"


class TableBusy(AndamioError):
    """The predictions table went on refusing writes: the same ones may go through later."""

    code = "table-busy"
    status = 503
    retryable = True


class CommandError(AndamioError):
    """A command cannot do what it was asked to: the message says what to do about it."""

    code = "command"


# What the HTTP API answers when it cannot do what it was asked


URN = "urn:andamio:problem:"
"""What comes before a problem's code in its `type`."""


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
"""Every kind of problem by its code. docs/errors.md lists them."""
