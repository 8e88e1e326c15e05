"""Batches: the upload that is asked for, how far a batch is, and links to its results."""

from typing import Annotated, Any, Literal

from pydantic import Field

from lambdas.api.models import ApiModel, Strict, one_value
from lambdas.api.models.predictions import ModelVersion

_LINK = "A link that downloads it, good for 15 minutes"
_DATE = {"format": "date-time"}
_URI = {"format": "uri"}


def _batch_id(schema: dict[str, Any]) -> None:
    from scoring.batch import ID  # when the document is made: no prediction needs it

    schema["pattern"] = f"^{ID.pattern}$"


def _file_name(schema: dict[str, Any]) -> None:
    from andamio.tabular.signature import ENDINGS, format_of
    from scoring.batch import MAX_NAME_LENGTH

    gzip = [f"{ending}.gz" for ending in ENDINGS if format_of(f"{ending}.gz")]
    schema["maxLength"] = MAX_NAME_LENGTH
    schema["pattern"] = f"({'|'.join(ending.replace('.', '[.]') for ending in [*ENDINGS, *gzip])})$"


type BatchId = Annotated[str, Field(description="Sorts by the time of the batch", json_schema_extra=_batch_id)]
"""Its form is checked where the batch is read."""
Uri = Annotated[str, Field(json_schema_extra=_URI)]


class UploadRequest(Strict):
    """A request for an upload."""

    name: Annotated[str, Field(description="What the file is called", json_schema_extra=_file_name)]


class Form(ApiModel):
    """A multipart form that uploads one file."""

    method: Annotated[str, one_value("POST")]
    url: Uri
    fields: Annotated[dict[str, str], Field(description="These first, and then the file as the field file")]


class Upload(ApiModel):
    """A new batch, which waits for its file."""

    batch: BatchId
    status: Annotated[str, one_value("waiting")]
    upload: Form
    expires: Annotated[str, Field(description="Until when the form is good", json_schema_extra=_DATE)]
    max_bytes: int
    curl: Annotated[str, Field(description="The upload as a line for a shell")]


class Shards(ApiModel):
    """Parts of a file that are scored, of all."""

    done: int
    all: int


class Batch(ApiModel):
    """How far a batch is."""

    batch: BatchId
    status: Annotated[Literal["waiting", "running", "done", "failed"], Field(description="waiting: for the file")]
    created: Annotated[str, Field(json_schema_extra=_DATE)]
    file: Annotated[str | None, Field(description="The key of the file in the batch bucket")]
    step: Annotated[
        Literal["planning", "unpacking", "cutting", "scoring", "verifying"] | None,
        Field(description="What is being done while it runs"),
    ]
    shards: Annotated[
        Shards | None,
        Field(description="How many parts of the file are scored, of how many; null before it is cut"),
    ]
    rows: Annotated[
        int | None, Field(description="Rows of the file; null until all are scored or rejected, like the next two")
    ]
    scored: Annotated[int | None, Field(description="Rows that were scored")]
    rejected: Annotated[int | None, Field(description="Rows that could not be scored")]
    model: Annotated[
        ModelVersion | None, Field(description="The model that scores the whole file, chosen at its upload")
    ]
    reason: Annotated[
        str | None,
        Field(description="Why it failed, or that it runs without progress for 15 minutes or more, and what to do"),
    ]
    same_as: Annotated[
        str | None, Field(description="The batch that scored the same file with the same model: results are its")
    ]
    last_progress: Annotated[
        str | None,
        Field(description="When something was last written for it, while it runs", json_schema_extra=_DATE),
    ]


class Results(ApiModel):
    """Links to the results of a batch."""

    scored: Annotated[str | None, Field(description=f"All scored rows in one file, where they are few enough. {_LINK}")]
    parts: Annotated[list[Uri], Field(description=f"The scored rows in parts, the first 100. {_LINK}")]
    rejected: Annotated[list[Uri], Field(description=f"The rejected rows with line and reason (JSON Lines). {_LINK}")]
    manifest: Annotated[str | None, Field(description=f"What it was made of and came to. {_LINK}")]


class BatchWithLinks(Batch):
    """How far a batch is, and its results."""

    links: Results


class Batches(ApiModel):
    """Batches, the newest first."""

    batches: list[Batch]
