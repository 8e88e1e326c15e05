"""Names that say what a column is for. A name is a hint: the values must fit, and the reason is said."""

from __future__ import annotations

import re

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_TARGETS = (
    "target",
    "label",
    "y",
    "outcome",
    "response",
    "diagnosis",
    "churn",
    "default",
    "survived",
    "species",
)
_IDENTIFIERS = {
    "id", "ids", "pid", "uid", "uuid", "guid", "userid", "key", "code", "number", "no", "nr", "num", "ref", "index",
    "idx",
}  # fmt: skip
_ENTITIES = {"id", "ids", "uuid", "guid"}
_PERSONS = {
    "patient", "customer", "client", "user", "subject", "person", "household", "family", "member", "account", "student",
    "device", "machine", "vehicle", "store", "shop", "school", "hospital", "site", "session", "company", "animal",
    "individual", "employee",
}  # fmt: skip
_ROW_NUMBERS = {"rownames", "rowname", "rownumber", "row", "unnamed", "index", "x", "obs", "observation", "serial"}
_TIMES = {"date", "time", "timestamp", "datetime", "at", "on", "day", "created", "visited", "recorded", "month"}
_OF_LIFE = {"birth", "born", "dob", "birthday", "birthdate", "expiry", "expires", "founded", "built", "due"}
_AFTERWARDS = {
    "outcome", "result", "results", "reason", "closed", "closing", "resolved", "resolution", "cancelled", "canceled",
    "cancellation", "discharge", "discharged", "ended", "end", "final", "refund", "refunded", "returned", "paid",
    "recovered", "recoveries", "settlement", "settled", "died", "death", "survival", "verdict", "after", "actual",
    "approved", "rejected", "status", "duration", "closeprice",
}  # fmt: skip
_PERSONAL = {
    "surname",
    "lastname",
    "firstname",
    "email",
    "mail",
    "phone",
    "telephone",
    "address",
    "ssn",
    "passport",
    "iban",
}
_CODES = {"zip", "zipcode", "postal", "postcode", "plz", "phone", "telephone", "isbn", "ean", "sku", "fips"}
_POSITIVE = (
    "1", "true", "yes", "y", "t", "positive", "pos", "bad", "default", "churn", "churned", "ill", "sick", "disease",
    "fraud", "spam", "malignant", "m+", "dead", "died", "fail", "failed", "failure", "abnormal", "success", "survived",
    "approved", "present", "case", "attrited",
)  # fmt: skip
_UNITS = {
    "mm": "mm", "cm": "cm", "km": "km", "kg": "kg", "mg": "mg", "years": "years", "yrs": "years",
    "months": "months", "days": "days", "hours": "hours", "minutes": "minutes", "mins": "minutes", "seconds": "s",
    "usd": "USD", "eur": "EUR", "pct": "%", "percent": "%", "kwh": "kWh", "mph": "mph", "kmh": "km/h", "sqft": "sq ft",
    "sqm": "sq m", "celsius": "degrees C", "lbs": "lb", "lb": "lb",
}  # fmt: skip
_BRACKETS = re.compile(r".*[(\[]\s*([^()\[\]]{1,12}?)\s*[)\]]\s*$")


def words(name: str) -> list[str]:
    """The words of a name in lower case: CustomerID, customer_id and "Customer ID" are customer and id."""
    return [word.lower() for word in _WORDS.findall(name)] or [name.strip().lower()]


def target_rank(name: str) -> int:
    """How much a name sounds like that of a target: the lower the more; `len(_TARGETS)` when not at all."""
    found = words(name)
    return next(
        (rank for rank, word in enumerate(_TARGETS) if found == [word] or (len(word) > 1 and word in found)),
        len(_TARGETS),
    )


NO_TARGET = len(_TARGETS)


def is_identifier(name: str) -> bool:
    """Whether a name says that the column identifies something."""
    found = words(name)
    return found[-1] in _IDENTIFIERS or "uuid" in found or "guid" in found or name.lower().endswith("id_")


def is_entity(name: str) -> bool:
    """Whether a name says that the column is the id of something, which several rows may be about."""
    return words(name)[-1] in _ENTITIES


def names_someone(name: str) -> bool:
    """Whether a name says that the column identifies whom or what a row is about."""
    found = words(name)
    return bool(_PERSONS & set(found)) and (found[-1] in _IDENTIFIERS or len(found) == 1)


def is_row_number(name: str) -> bool:
    """Whether a name says that the column counts the rows, as an index that was written with the data."""
    return words(name)[0] in _ROW_NUMBERS or name.strip() in ("#", "")


def is_time(name: str) -> bool:
    """Whether a name says that the column is the moment that the row is about."""
    found = set(words(name))
    return bool(found & _TIMES) and not found & _OF_LIFE


def is_afterwards(name: str) -> bool:
    """Whether a name says that the column may be known only after what is to be predicted."""
    return bool(set(words(name)) & _AFTERWARDS)


def is_personal(name: str) -> bool:
    """Whether a name says that the column tells who a person is."""
    found = set(words(name))
    return bool(found & _PERSONAL) or ("name" in found and bool(found & {"first", "last", "family", "full", "given"}))


def is_code(name: str) -> bool:
    """Whether a name says that its numbers are codes, and no amounts."""
    return bool(set(words(name)) & _CODES)


def positive_rank(text: str) -> int:
    """How much a label sounds like the positive class: the lower the more."""
    known = text.strip().lower()
    return _POSITIVE.index(known) if known in _POSITIVE else len(_POSITIVE)


def unit_of(name: str) -> str:
    """The unit that a name ends with, or "": "mm" of bill_length_mm, "kg" of "Weight (kg)"."""
    match = _BRACKETS.fullmatch(name)
    if match:
        return _UNITS.get(match[1].lower(), match[1] if not match[1].isdigit() else "")
    found = words(name)
    if name.endswith("_g"):  # one letter alone says nothing, but for this
        return "g"
    return _UNITS.get(found[-1], "") if len(found) > 1 and len(found[-1]) > 1 else ""
