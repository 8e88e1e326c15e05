"""The one module that knows LocalStack: its plugin, and its executor on top of `Environment`.

LocalStack finds the plugin by its entry point, and uses it where `LAMBDA_RUNTIME_EXECUTOR=process`.
"""

from __future__ import annotations

import functools
import hashlib
import os
import tempfile
import threading
from pathlib import Path
from typing import Any

import localstack.config as config
from localstack.runtime import events
from localstack.services.lambda_.invocation.lambda_models import (
    FunctionVersion,
    InvocationResult,
    RequestEntityTooLargeException,
)
from localstack.services.lambda_.invocation.plugins import RuntimeExecutorPlugin
from localstack.services.lambda_.invocation.runtime_executor import LambdaRuntimeException, RuntimeExecutor

from .bundle import PYTHON, Bundle, link_runtime, merge_layers
from .call import EVENT_BYTES, Call
from .environment import INIT_SECONDS, Environment, Function
from .reaper import Reaper
from .runtime_api import HOST

DRAIN_SECONDS = float(os.environ.get("LAMBDA_PROCESS_DRAIN_SECONDS") or 30)
"""How long a call that runs may go on when its function is changed or removed; none when LocalStack ends."""


class ProcessExecutorPlugin(RuntimeExecutorPlugin):
    """Makes the executor known to LocalStack under its name."""

    name = "process"

    def load(self, *args: Any, **kwargs: Any) -> type[RuntimeExecutor]:
        """Return the executor's class."""
        return ProcessExecutor


class ProcessExecutor(RuntimeExecutor):
    """One execution environment of one function version."""

    def __init__(self, id: str, function_version: FunctionVersion) -> None:
        super().__init__(id=id, function_version=function_version)
        self._environment: Environment | None = None

    def start(self, env_vars: dict[str, Any]) -> None:
        """Start a process and wait until it is ready, or for half as long as LocalStack lets it start."""
        settings, workshop = self.function_version.config, _workshop()
        function = Function(
            bundle=workshop.bundle(self.function_version),
            handler=settings.handler,
            timeout=settings.timeout,
            memory_size=settings.memory_size,
            version=self.function_version.id.qualifier,
        )
        own = {"AWS_EXECUTION_ENV", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR"}
        variables = {name: str(value) for name, value in env_vars.items() if name not in own}
        self._environment = Environment(function, variables, workshop.folder / self.id, workshop.reaper)
        self._environment.start(min(INIT_SECONDS, config.LAMBDA_RUNTIME_ENVIRONMENT_TIMEOUT / 2))

    def stop(self) -> None:
        """End the process, after the call that runs."""
        if self._environment:
            self._environment.stop(0 if events.infra_stopping.is_set() else DRAIN_SECONDS)

    def invoke(self, payload: dict[str, str]) -> InvocationResult:
        """Run one call; raises `RequestEntityTooLargeException` for an event that Lambda would not take."""
        assert self._environment is not None
        event = payload["payload"].encode()
        if len(event) > EVENT_BYTES:
            raise RequestEntityTooLargeException(
                f"Request must be smaller than {EVENT_BYTES} bytes for the InvokeFunction operation"
            )
        call = Call(
            request_id=payload["invoke-id"],
            payload=event,
            function_arn=payload["invoked-function-arn"],
            trace_id=payload["trace-id"],
        )
        outcome = self._environment.invoke(call)
        return InvocationResult(
            request_id=call.request_id,
            payload=outcome.reply.payload,
            is_error=outcome.reply.is_error,
            logs=outcome.log,
            executed_version=None,
        )

    def get_logs(self) -> str:
        """What the process has printed since the last call."""
        worker = self._environment.worker if self._environment else None
        return worker.output() if worker else ""

    def get_address(self) -> str:
        """Where the environment is."""
        return HOST

    def get_endpoint_from_executor(self) -> str:
        """Where a function finds LocalStack."""
        return HOST

    def get_runtime_endpoint(self) -> str:
        """Nothing: it is for an init program inside a container."""
        return ""

    @classmethod
    def prepare_version(cls, function_version: FunctionVersion) -> None:
        """Unpack code and layers; raises `LambdaRuntimeException` for a function that cannot run here."""
        runtime = function_version.config.runtime
        if runtime != PYTHON:
            raise LambdaRuntimeException(
                f"The process executor runs functions of {PYTHON}, on which LocalStack itself runs; this one is of "
                f"{runtime or 'a container image'}. Set its runtime to {PYTHON}, or use LocalStack's docker executor."
            )
        _workshop().bundle(function_version)

    @classmethod
    def cleanup_version(cls, function_version: FunctionVersion) -> None:
        """Nothing: LocalStack removes code that it has unpacked, and layers may be another version's too."""


def end_all() -> None:
    """End every function at once and remove their folders: for whoever ends LocalStack without its own shutdown."""
    with _one_at_a_time:
        if _the_workshop.cache_info().currsize:
            _the_workshop().reaper.close()


class _Workshop:
    """What all environments share: a folder, the reaper and the runtime that Lambda provides."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="localstack-functions-"))
        self.reaper = Reaper(self.folder)
        self._runtime = link_runtime(self.folder / "runtime")

    def bundle(self, function_version: FunctionVersion) -> Bundle:
        """The function's folders, unpacked where they are not yet."""
        settings = function_version.config
        code, layers = settings.code, [layer for layer in settings.layers or () if layer.code]
        for archive in (code, *(layer.code for layer in layers)):
            archive.prepare_for_execution()
        return Bundle(code.get_unzipped_code_location(), self._runtime, self._merged(layers))

    def _merged(self, layers: list[Any]) -> Path | None:
        if not layers:
            return None
        arns = "\n".join(layer.layer_version_arn for layer in layers)
        name = hashlib.sha256(arns.encode()).hexdigest()[:16]
        return merge_layers(
            [layer.code.get_unzipped_code_location() for layer in layers], self.folder / "layers" / name
        )


_one_at_a_time = threading.Lock()


def _workshop() -> _Workshop:
    with _one_at_a_time:
        return _the_workshop()


@functools.cache
def _the_workshop() -> _Workshop:
    return _Workshop()
