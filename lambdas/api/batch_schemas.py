"""The schemas of batches and of predictions that were made before."""

from __future__ import annotations

from lambdas.api.describing import VERSION, Json, fields, maybe, ref
from scoring.batch import ID, LONGEST_NAME

STATUSES = ("waiting", "running", "done", "failed")
STEPS = ("planning", "unpacking", "cutting", "scoring", "verifying")

_LINK = "A link that downloads it, good for 15 minutes"
_LINKS: Json = {"type": "array", "items": {"type": "string", "format": "uri"}}


def components() -> Json:
    """Every named schema of them."""
    return {
        "BatchId": {"type": "string", "pattern": f"^{ID.pattern}$", "description": "Sorts by the time of the batch"},
        "UploadRequest": {
            **fields({"name": {"type": "string", "maxLength": LONGEST_NAME, "description": "What the file is called"}}),
            "additionalProperties": False,
        },
        "Upload": _UPLOAD,
        "Batch": fields(_BATCH),
        "BatchWithLinks": fields({**_BATCH, "links": _RESULTS}),
        "Batches": fields({"batches": {"type": "array", "items": ref("Batch")}}),
        "StoredPrediction": fields(_PREDICTION),
        "StoredPredictions": fields({"predictions": {"type": "array", "items": ref("StoredPrediction")}}),
    }


_FORM: Json = fields(
    {
        "method": {"const": "POST"},
        "url": {"type": "string", "format": "uri"},
        "fields": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "description": "Of a multipart form: these first, and then the file as the field file",
        },
    }
)
_UPLOAD: Json = fields(
    {
        "batch": ref("BatchId"),
        "status": {"const": "waiting"},
        "upload": _FORM,
        "expires": {"type": "string", "format": "date-time", "description": "Until when the form is good"},
        "max_bytes": {"type": "integer"},
        "curl": {"type": "string", "description": "The upload as a line for a shell"},
    }
)
_BATCH: Json = {
    "batch": ref("BatchId"),
    "status": {"enum": list(STATUSES), "description": "waiting: for the file"},
    "created": {"type": "string", "format": "date-time"},
    "file": maybe("string", "The key of the file in the batch bucket"),
    "step": {"enum": [*STEPS, None], "description": "What is being done while it runs"},
    "shards": {
        "description": "How many parts of the file are scored, of how many; null before it is cut",
        "anyOf": [fields({"done": {"type": "integer"}, "all": {"type": "integer"}}), {"type": "null"}],
    },
    "rows": maybe("integer", "Rows of the file; null before it is done, like the next two"),
    "scored": maybe("integer", "Rows that were scored"),
    "rejected": maybe("integer", "Rows that could not be scored"),
    "model": {
        "description": "The model that scores all of it, chosen when the file came",
        "anyOf": [fields({"name": {"type": "string"}, "version": VERSION}), {"type": "null"}],
    },
    "reason": maybe("string", "Why it failed, and what to do"),
    "same_as": maybe("string", "The batch that scored the same file with the same model: results are its"),
}
_RESULTS: Json = fields(
    {
        "scored": maybe("string", f"All scored rows in one file, where they are few enough. {_LINK}"),
        "parts": {**_LINKS, "description": f"The scored rows in parts, the first 100. {_LINK}"},
        "rejected": {**_LINKS, "description": f"The rejected rows with line and reason (JSON Lines). {_LINK}"},
        "manifest": maybe("string", f"What it was made of and came to. {_LINK}"),
    }
)
_PREDICTION: Json = {
    "prediction_id": {"type": "string"},
    "record_id": maybe("string", "The caller's own id of the record"),
    "label": ref("Label"),
    "label_text": {"type": "string"},
    "probabilities": ref("Probabilities"),
    "model": fields({"name": {"type": "string"}, "version": VERSION}),
    "created": {"type": "string", "format": "date-time"},
    "batch": maybe("string", "The batch that it was made in"),
    "line": maybe("integer", "The line of the batch's file that its row begins on (Parquet: the row, from 1)"),
}
