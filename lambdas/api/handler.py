"""API Gateway's event in, its reply out: the composition root of the API.

Importing imports, and nothing else: no settings are read and no client is made before the first
request. After a SnapStart restore the world may have a newer champion, so a hook looks again.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from importlib import import_module
from typing import Any

from mangum import Mangum

from andamio.adapters.s3 import S3Objects
from andamio.prepare.code import OwnCode, deployed
from andamio.settings import ApiSettings
from lambdas.api import log
from lambdas.api.app import create_app
from lambdas.api.champion.serving import Serving
from lambdas.api.predictions.capture import Capture
from lambdas.api.replies import problems
from lambdas.api.replies.reply import encode
from lambdas.api.requests.gateway import RestApi
from lambdas.api.stores import Stores


class WallClock:
    """The time of day."""

    def now(self) -> datetime:
        """This moment, in UTC."""
        return datetime.now(UTC)


@cache
def connect() -> Serving:
    """The serving of the problem that this function was deployed for; raises `SettingsError`."""
    settings = ApiSettings.from_env()
    capture = Capture(settings.capture_share, settings.audit_share, frozenset(settings.private))
    models = S3Objects(settings.models)
    return Serving(models, settings.problem, WallClock(), settings.refresh_seconds, capture, own_code)


@cache
def own_code() -> OwnCode | None:
    """The problem's own code that this function was deployed with; raises `PrepareError`."""
    return deployed()


@cache
def stores() -> Stores:
    """Batches, predictions and labels of that problem, of which a prediction needs nothing; raises `SettingsError`."""
    from andamio.adapters.dynamodb import DynamoPredictionStore

    settings = ApiSettings.from_env()
    return Stores(
        S3Objects(settings.batch), DynamoPredictionStore(settings.table), WallClock(), S3Objects(settings.lake)
    )


_gateway = Mangum(
    create_app(connect, stores),
    lifespan="off",
    custom_handlers=[RestApi],
    text_mime_types=["text/", "application/"],  # all that is served is text: nothing needs base64
)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one request; whatever happens, with a reply and not with an exception."""
    if not isinstance(event, dict) or not RestApi.infer(event, context, _gateway.config):
        return _reply(problems.problem("bad-event", "Expected the proxy event of a REST API (payload 1.0)."))
    try:
        return _gateway(event, context)
    except Exception as error:
        request_id = str(getattr(context, "aws_request_id", ""))
        log.error(error, request_id=request_id)
        return _reply(problems.internal(request_id))


def _reply(body: dict[str, Any]) -> dict[str, Any]:
    return {
        "statusCode": body["status"],
        "headers": {"content-type": problems.MEDIA_TYPE},
        "body": encode(body),
        "isBase64Encoded": False,
    }


def after_restore() -> None:
    """Look at the pointer in a restored environment; a failure is logged, and the first request looks again."""
    try:
        connect().look()
    except Exception as error:
        log.error(error, quoted=True, hook="after_restore")


with suppress(ImportError):  # there is such a module in Lambda's own runtime only
    import_module("snapshot_restore_py").register_after_restore(after_restore)
