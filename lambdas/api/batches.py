"""Batches over HTTP: request an upload, get the status of a batch, list recent batches.

The file itself never passes through here: a client sends it to the batch bucket under a form that was
signed for it, and its arrival starts the batch. What a batch is, and how far it is, is read in the bucket.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from andamio.storage import documents, layout
from andamio.tabular.signature import FILE_TYPES
from lambdas.api.replies.problems import RequestError
from lambdas.api.requests.parameters import wrong_path
from lambdas.api.requests.records import invalid, refuse_others
from lambdas.api.stores import Bucket, Stores
from scoring.batch import ID, MAX_NAME_LENGTH, new_id, plain_name
from scoring.documents import UploadRequest
from scoring.status import Files, judged_by_progress, readable_status, recent, result_files

LARGEST_UPLOAD = 5 * 2**30
"""Bytes that S3 takes in one POST."""
LINK_SECONDS = 15 * 60

Json = dict[str, Any]


def ask_for_upload(stores: Stores, payload: object) -> Json:
    """A new batch's id and the form that its file is uploaded with; raises `RequestError` (422) for a name."""
    name = _name(payload)
    now = stores.clock.now()
    batch, expires = new_id(now), (now + timedelta(seconds=LINK_SECONDS)).isoformat(timespec="seconds")
    key = layout.incoming(batch, name)
    form = stores.bucket.presigned_post(key, LINK_SECONDS, LARGEST_UPLOAD)
    request = UploadRequest(batch, key, created=now.isoformat(timespec="seconds"), expires=expires)
    documents.write_once(stores.bucket, layout.batch(batch, "request.json"), request)
    return {
        "batch": batch,
        "status": "waiting",
        "upload": {"method": "POST", "url": form["url"], "fields": dict(form["fields"])},
        "expires": expires,
        "max_bytes": LARGEST_UPLOAD,
        "curl": _curl(form["url"], form["fields"], name),
    }


def _name(payload: object) -> str:
    if not isinstance(payload, dict) or "name" not in payload:
        raise invalid('Expected an object: {"name": "patients.csv"}, the name of the file that will be uploaded.')
    refuse_others(payload, ("name",))
    text = payload["name"]
    name = plain_name(text) if isinstance(text, str) else None
    if name is None:
        reason = (
            f"expected the name of a file: at most {MAX_NAME_LENGTH} letters, digits, spaces and . _ -, "
            f"and an ending that says what it is: {FILE_TYPES}"
        )
        raise invalid("Expected the name of a file that can be scored.", ("name", reason))
    return name


def _curl(url: str, fields: Mapping[str, str], name: str) -> str:
    """A curl command that uploads the file, for a shell in the folder of the file."""
    form = [part for key, value in fields.items() for part in ("--form-string", f"{key}={value}")]
    return shlex.join(["curl", "--fail-with-body", *form, "-F", f"file=@{name}", url])


def batch_status(stores: Stores, batch: str) -> Json:
    """How far a batch is and where its results are; raises `RequestError` (404) for an unknown id."""
    if not ID.fullmatch(batch):
        raise wrong_path("batch", "the id of a batch, such as 20261121T100000-0123456789ab")
    status = readable_status(stores.bucket, batch, stores.clock.now())
    if status is None:
        raise RequestError("not-found", "There is no batch of this id. GET batches lists the recent ones.")
    status = judged_by_progress(status, stores.clock.now())
    return {**status.to_dict(), "links": _links(stores.bucket, result_files(stores.bucket, status))}


def recent_batches(stores: Stores, limit: int) -> Json:
    """The newest batches, the newest first."""
    now = stores.clock.now()
    return {"batches": [judged_by_progress(status, now).to_dict() for status in recent(stores.bucket, limit, now)]}


def _links(bucket: Bucket, files: Files) -> Json:
    def link(key: str | None) -> str | None:
        # By its whole key: in a folder of downloads, "part-00000.csv" could be of any batch.
        return key and bucket.presigned_get(key, LINK_SECONDS, key.replace("/", "-"))

    return {
        "scored": link(files.whole),
        "parts": [link(key) for key in files.parts],
        "rejected": [link(key) for key in files.rejected],
        "manifest": link(files.manifest),
    }
