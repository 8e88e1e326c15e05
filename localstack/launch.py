"""Starts ministack, in its own environment, with eight things added.

Requests count as TLS (`as_if_over_tls`), a throttled task has the name that AWS gives it (`throttled_by_name`),
requests to an API wait for their turn (`Queue`), tasks are processes (`tasks.py`), a log is delivered one
call at a time (`deliveries.py`), state is saved as it goes, its disk is watched (`disk.py`), and it says which local
cloud it is (`identity.py`).

On its own ministack saves only when it is asked to end, so a reboot would forget whatever was
deployed since its start, and leave S3 objects (written at once) in buckets of no stack. Here it
saves in quiet moments too: between requests, in the event loop, so that what is saved fits together.
"""

import asyncio
import contextvars
import logging
import os
import runpy
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ministack import app as ministack  # type: ignore[import-not-found]
from ministack.core import lambda_runtime  # type: ignore[import-not-found]
from ministack.services import apigateway_v1, cloudwatch_logs, s3, stepfunctions  # type: ignore[import-not-found]

QUIET_SECONDS = 2.0
"""A save waits until no request has come for so long ..."""
LATEST_SECONDS = 20.0
"""... but no longer than this after the first change."""
SAVE_PATH = "/_andamio/save"
"""Saves at once, and answers as `disk.PATH` does."""
API_CALLS_AT_ONCE = min(3, max(2, os.cpu_count() or 1))
"""Requests to an API that run at the same time: as many as there are cores, and no more than the functions that the
account leaves to the API while a batch, a training and ETL run (docs/adr/0020). Further requests wait."""
LONG_SECONDS = 1.0
"""A request is called beside others once each of them has run for so long ..."""
START_SECONDS = 15.0
"""... and a process of the function starts, for which requests wait so long before another one is started."""
STARTING: set[Any] = set()
"""The processes whose first call runs."""
NOT_SAVED = ("Failed to persist", "Persistence: failed to save", "Persistence: error getting state")
FORWARDED = b"x-forwarded-proto"
"""The header by which whoever ends TLS says how a request came."""

Persist = Callable[[str, str, Any], None]
"""Saves an object, its bucket and key given."""

serve = ministack.app
# By its path: nothing of ours is importable here, since functions would see it too.
identity = runpy.run_path(str(Path(__file__).with_name("identity.py")))
watch = runpy.run_path(str(Path(__file__).with_name("disk.py")))
tasks = runpy.run_path(str(Path(__file__).with_name("tasks.py")))
deliveries = runpy.run_path(str(Path(__file__).with_name("deliveries.py")))
WHO = identity["answer"]()
DISK = watch["Disk"].told()
STATE = "what is deployed"
SAVED_LATER: dict[str, Callable[[], None]] = {}
"""How each S3 object that could not be saved is saved, by its address."""


def as_if_over_tls(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Mark a request as one that came over TLS, as a load balancer does, unless it says itself how it came.

    Buckets, topics and queues refuse plain HTTP here as on AWS; on loopback there is nobody to encrypt for.
    """
    if any(name.lower() == FORWARDED for name, _ in headers):
        return headers
    return [*headers, (FORWARDED, b"https")]


def throttled_by_name(call: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """How a state machine calls a function, where a call that Lambda refuses is `Lambda.TooManyRequestsException`.

    On its own ministack makes `Lambda.Unknown` of it, which on AWS is a function that ran out of memory or time: who
    waits for room would then wait for those too.
    """

    def call_by_name(function: Any, event: Any) -> Any:
        try:
            return call(function, event)
        except stepfunctions._ExecutionError as error:
            if error.error == "Lambda.Unknown" and '"__type": "TooManyRequestsException"' in error.cause:
                raise stepfunctions._ExecutionError("Lambda.TooManyRequestsException", error.cause) from error
            raise

    return call_by_name


class Queue:
    """Requests to an API in turn: one at a time, and another beside it only where that one takes long.

    A burst of requests then starts one process, which answers the rest once it is warm. On its own ministack starts a
    process for each request, all on the same few cores, and refuses with 429 those that the account has no room for.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._running: list[float] = []
        """When each request that runs began."""
        self._changed = asyncio.Condition()

    def queued(self, call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        """How API Gateway calls a function, where each call waits for its turn."""

        async def call_in_turn(integration: dict[str, Any], *positional: Any, **named: Any) -> Any:
            began = await self._turn(str(integration.get("uri", "")))
            try:
                return await call(integration, *positional, **named)
            finally:
                async with self._changed:
                    self._running.remove(began)
                    self._changed.notify()

        return call_in_turn

    async def _turn(self, function: str) -> float:
        arrived = time.monotonic()
        async with self._changed:
            while not self._is_free(function, arrived):
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), 0.1)
            began = time.monotonic()
            self._running.append(began)
            return began

    def _is_free(self, function: str, arrived: float) -> bool:
        if not self._running:
            return True
        now = time.monotonic()
        starting = any(worker.func_name in function for worker in list(STARTING)) and now - arrived < START_SECONDS
        return len(self._running) < self._most and now - max(self._running) >= LONG_SECONDS and not starting


def noted(invoke: Callable[..., Any]) -> Callable[..., Any]:
    """How a process is called, where it is in `STARTING` while its first call runs."""

    def invoke_and_note(worker: Any, *positional: Any, **named: Any) -> Any:
        if worker._proc is None or worker._proc.poll() is not None:
            STARTING.add(worker)
        try:
            return invoke(worker, *positional, **named)
        finally:
            STARTING.discard(worker)

    return invoke_and_note


def kept_or_failed(persist: Persist) -> Persist:
    """How an S3 object is saved, where one that could not be is an error: ministack logs that, and answers 200.

    It has the object in memory all the same. So it is tried again, and no data are taken until it is saved.
    """

    def kept(bucket: str, key: str, obj: Any) -> None:
        place, account = f"s3://{bucket}/{key}", contextvars.copy_context()
        with failures("s3") as failed:
            persist(bucket, key, obj)
        if failed:
            DISK.unsaved[place] = failed[0]
            SAVED_LATER[place] = lambda: account.run(kept, bucket, key, obj)
            raise OSError(f"{place} could not be saved: {failed[0]}")
        DISK.unsaved.pop(place, None)
        SAVED_LATER.pop(place, None)

    return kept


def save_what_failed() -> None:
    """Try again to save each S3 object that could not be."""
    for again in list(SAVED_LATER.values()):
        with suppress(OSError):
            again()


def save_state() -> None:
    """Save what is not in S3; what fails is in `DISK.unsaved`, for ministack only logs it."""
    with failures("persistence") as failed:
        ministack.save_all(ministack._build_persistence_save_dict())
    DISK.unsaved.pop(STATE, None)
    if failed:
        DISK.unsaved[STATE] = failed[0]


class _Heard(logging.Handler):
    """Keeps the warnings and errors of one thread."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.thread = threading.get_ident()
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line that begins as ministack says that something was not saved."""
        if record.thread == self.thread and record.getMessage().startswith(NOT_SAVED):
            self.said.append(record.getMessage())


@contextmanager
def failures(logger: str) -> Iterator[list[str]]:
    """What ministack logs of saves that failed, while the block runs: it reports them nowhere else."""
    heard = _Heard()
    logging.getLogger(logger).addHandler(heard)
    try:
        yield heard.said
    finally:
        logging.getLogger(logger).removeHandler(heard)


class Gateway:
    """The ASGI application of ministack, and a note of whether anything has changed since the last save."""

    def __init__(self) -> None:
        self.in_flight = 0
        self.last_request = 0.0
        self.changed_since: float | None = None

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Serve one request, or the whole life of the server."""
        if scope["type"] == "lifespan":
            saving = asyncio.create_task(self.keep_saving())
            await serve(scope, receive, send)
            saving.cancel()
            return
        if scope["type"] == "http" and scope["path"] == identity["PATH"]:
            await identity["respond"](WHO, send)
            return
        if scope["type"] == "http" and scope["path"] == watch["PATH"]:
            await identity["respond"](DISK.report(), send)
            return
        if scope["type"] == "http" and scope["path"] == SAVE_PATH:
            await self.save_now()
            await identity["respond"](DISK.report(), send)
            return
        if scope["type"] == "http" and (why := DISK.refuses(scope["method"], scope["headers"])):
            await watch["refuse"](why, scope["headers"], send)
            return
        if scope.get("path", "").startswith("/_ministack/"):
            await serve(scope, receive, send)
            return
        if scope["type"] == "http":
            scope = {**scope, "headers": as_if_over_tls(scope["headers"])}
        self.in_flight += 1
        try:
            await serve(scope, receive, send)
        finally:
            self.in_flight -= 1
            self.last_request = time.monotonic()
            if scope.get("method") not in ("GET", "HEAD") and self.changed_since is None:
                self.changed_since = self.last_request

    async def save_now(self) -> None:
        """Save what has changed, in the first moment without a request: who asks may rely on it after a crash."""
        while self.in_flight:
            await asyncio.sleep(0.05)
        save_what_failed()
        if self.changed_since is not None:
            self.save()

    def save(self) -> None:
        """Save, and note that it has to be done once more where it failed."""
        self.changed_since = None
        save_state()
        if STATE in DISK.unsaved:
            self.changed_since = time.monotonic()

    async def keep_saving(self) -> None:
        """Save in every quiet moment that follows a change."""
        while True:
            await asyncio.sleep(0.5)
            save_what_failed()
            now = time.monotonic()
            quiet = now - self.last_request >= QUIET_SECONDS
            due = self.changed_since is not None and now - self.changed_since >= LATEST_SECONDS
            if self.changed_since is not None and self.in_flight == 0 and (quiet or due):
                self.save()


if __name__ == "__main__":
    logging.getLogger("persistence").setLevel(logging.WARNING)  # a line a service and save, otherwise
    stepfunctions._call_lambda = throttled_by_name(stepfunctions._call_lambda)
    stepfunctions._SERVICE_DISPATCH["arn:aws:states:::ecs:runTask"] = tasks["run"]
    lambda_runtime.Worker.invoke = noted(lambda_runtime.Worker.invoke)
    in_turn = Queue(API_CALLS_AT_ONCE)
    apigateway_v1._invoke_lambda_proxy_v1 = in_turn.queued(apigateway_v1._invoke_lambda_proxy_v1)
    cloudwatch_logs._fanout_to_subscription_filters = deliveries["Deliveries"]().fan_out
    s3._persist_object = kept_or_failed(s3._persist_object)
    ministack.app = Gateway()
    ministack.main()
