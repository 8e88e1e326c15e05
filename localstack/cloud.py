"""The local cloud: start, repair, status and stop, one command at a time."""

from __future__ import annotations

import fcntl
import json
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from andamio.errors import CommandError
from localstack import docker as containers
from localstack import emulator as ministack
from localstack import opencore
from localstack.docker import Docker, MlflowBeside, PostgresBeside
from localstack.emulator import MINISTACK, Emulator
from localstack.home import Home
from localstack.opencore import LOCALSTACK, OpenCore
from localstack.ports import HOST, Claim, claim, is_taken
from localstack.postgres import Postgres
from localstack.process import detach, wait_until
from localstack.record import Json, Record, Started, write_json
from localstack.service import Service
from localstack.tracking import Tracking

EMULATOR, POSTGRES, MLFLOW = Emulator.name, Postgres.name, Tracking.name
EMULATORS = (ministack.KIND, opencore.KIND)
SERVICES = (EMULATOR, POSTGRES, MLFLOW)
PORTS = {EMULATOR: 4566, MLFLOW: 5000}
"""The services that listen on a port, and which they have unless it is taken."""
START_SECONDS = 180.0
"""How long a start may take: LocalStack needs 4 to 10 s of two idle cores. One that ends is noticed at once."""
REPAIR_SECONDS = 10.0
"""How long a service that was started may take to answer; one that accepts no connection is then started again ..."""
BUSY_SECONDS = 60.0
BUSY_ANSWER_SECONDS = 15.0
"""... and one that accepts them has so long, with so long for each answer: it may have more to do than the machine."""
FREE_BYTES = 1 << 30

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Cloud:
    """The local cloud of a home; `say` receives progress messages."""

    home: Home
    say: Say

    def up(
        self,
        ports: Mapping[str, int],
        *,
        iam: bool | None = None,
        emulator: str | None = None,
        docker: bool = False,
    ) -> Record:
        """Start what does not run and wait for the emulator and the database, but not for MLflow.

        `ports` by service, where a certain one is asked for (0 means any); else each service gets
        the one that it had before. `iam` says whether permissions are enforced, `emulator` which of `EMULATORS` is to
        run: one that runs otherwise is stopped first. Where they are None, one that runs is left as it is, and one that
        ended without `down`, or that hangs, is started again as it was; else it is ministack with permissions enforced.
        With `docker` it is LocalStack's image, with PostgreSQL and MLflow as containers too.
        Raises `CommandError` when a service does not start, LocalStack is to enforce permissions, or what runs is to
        move into Docker or out of it.
        """
        with self._single_run():
            record = self._running(emulator)
            self._choose(record, emulator, iam, docker=docker)
            if any(name not in record.services for name in SERVICES):
                (self._start_in_docker if record.docker else self._start)(record, ports)
            return record

    def down(self, *, purge: bool) -> list[str]:
        """Stop what was started here, also what a crash left behind; returns the names of what ran."""
        with self._single_run():
            record = Record.read(self.home)
            identities = {name: record.identity(name) for name in SERVICES}
            identities[POSTGRES] = identities[POSTGRES] or self._postgres.found()
            kept = record.emulator == ministack.KIND
            stopped = [name for name, identity in identities.items() if identity and identity.alive]
            if EMULATOR in stopped:
                self.say(
                    f"Stopping {', '.join(stopped)}. The emulator ends the calls of functions that run and saves its "
                    f"state, which may take up to {Emulator.patience:.0f} s. Batches and trainings under way can be "
                    "resumed."
                    if kept
                    else f"Stopping {', '.join(stopped)}. LocalStack forgets what is deployed."
                )
            with ThreadPoolExecutor() as pool:
                ended = list(pool.map(lambda name: self._service(name, record).stop(identities[name]), SERVICES))
            if kept and not ended[SERVICES.index(EMULATOR)]:
                self.say("The AWS emulator did not end in time and was killed: what changed last is not saved.")
            if purge:
                containers.purge(self.home, used=record.docker)
            self.home.record.unlink(missing_ok=True)
            if purge:
                for path in (self.home.scratch, *self.home.discarded, *self.home.forgettable):
                    _remove(path)
            else:
                self._discard_scratch()
        return stopped

    def status(self) -> Json:
        """What runs now: the content of `cloud.json` with "running", "trouble", and "state" of each service.

        A state is "running", "starting" (it runs and does not answer yet) or "stopped"; "trouble" are sentences about
        the emulator's disk.
        """
        record = Record.read(self.home)
        states = {name: self._state(record, name) for name in SERVICES}
        record.services = {name: it for name, it in record.services.items() if states[name] != "stopped"}
        values = record.as_json()
        nothing = {"pid": None, "started": None, "port": None}
        values["services"] = {
            name: {"state": state, **nothing, "log": str(self.home.log(name)), **values["services"].get(name, {})}
            for name, state in states.items()
        }
        port = record.port(EMULATOR)
        running = port is not None and states[EMULATOR] == "running"
        values["trouble"] = self._emulator(record).trouble() if running else []
        return {"running": all(state == "running" for state in states.values()), **values}

    def wait(self, names: Sequence[str], seconds: float) -> None:
        """Wait until services answer; raises `CommandError` for one that does not run, ends, or takes too long."""
        record = Record.read(self.home)
        for name in names:
            identity = record.identity(name)
            if identity is None:
                raise CommandError(f"There is no {name} to wait for: the local cloud is not up. Run `make demo`.")
            self._service(name, record).wait(identity, seconds)

    @property
    def _postgres(self) -> Postgres:
        return Postgres(self.home)

    def _service(self, name: str, record: Record) -> Service:
        if record.docker and name != EMULATOR:
            return PostgresBeside(self.home) if name == POSTGRES else MlflowBeside(self.home, record.port(name) or 0)
        if name == POSTGRES:
            return self._postgres
        return self._emulator(record) if name == EMULATOR else Tracking(self.home, record.port(name) or 0)

    def _emulator(self, record: Record, port: int | None = None) -> Emulator | OpenCore | Docker:
        port = port or record.port(EMULATOR) or 0
        if record.docker:
            return Docker(self.home, port, record.port(MLFLOW) or 0)
        if record.emulator == opencore.KIND:
            return OpenCore(self.home, port)
        return Emulator(self.home, port, record.iam)

    def _state(self, record: Record, name: str) -> str:
        identity = record.identity(name)
        if identity is None or not identity.alive:
            return "stopped"
        return "running" if self._service(name, record).healthy() else "starting"

    def _running(self, wanted: str | None) -> Record:
        """The record without the services that died, and without those that run and do not answer.

        Which emulator it was stays in it. MLflow may be starting still, so its process is enough. `wanted` is the
        emulator that was asked for.
        """
        record = Record.read(self.home)
        if POSTGRES not in record.services and (server := self._postgres.found()):
            record.add(self._postgres, server)
        for name in list(record.services):
            service, started = self._service(name, record), record.services[name]
            again = "" if name == EMULATOR and wanted not in (None, record.emulator) else ": it is started again"
            lost = f" What was deployed on {service.title} is gone, for it was in memory." if service.forgets else ""
            if not started.identity.alive:
                self.say(f"{service.title} has ended since it was started{again}.{lost}")
                if record.docker:
                    service.stop(started.identity)  # containers outlive the process that started them
                del record.services[name]
            elif name != MLFLOW and not self._answers(service, started):
                self.say(f"{service.title} runs but does not answer{again}.{lost}")
                service.stop(started.identity, patience=5)
                del record.services[name]
        return record

    def _answers(self, service: Service, started: Started) -> bool:
        """Whether a service answers, with more time for one that is busy than for one that accepts no connection."""
        if wait_until(service.healthy, REPAIR_SECONDS):
            return True
        if started.port is None or not is_taken(started.port):
            return False
        self.say(
            f"{service.title} accepts connections and has not answered for {REPAIR_SECONDS:.0f} s: it may be busy. "
            f"Waiting for up to {BUSY_SECONDS:.0f} s more."
        )

        def settled() -> bool:
            return not started.identity.alive or service.healthy(BUSY_ANSWER_SECONDS)

        return wait_until(settled, BUSY_SECONDS) and started.identity.alive

    def _choose(self, record: Record, emulator: str | None, iam: bool | None, *, docker: bool) -> None:
        """Note which emulator is to run and whether it enforces permissions; stop one that runs otherwise."""
        runs = EMULATOR in record.services
        wanted = emulator or record.emulator
        judges = wanted == ministack.KIND
        if iam and not judges:
            raise CommandError(
                "LocalStack's open core does not enforce permissions. Leave --iam out, or use --emulator ministack."
            )
        if judges and iam is None and wanted == record.emulator:
            judges = record.iam
        judges = judges and iam is not False
        if docker and wanted == ministack.KIND:
            raise CommandError("Only LocalStack runs in Docker: andamio up --emulator localstack --docker")
        if record.services and record.docker != docker and (docker or wanted != record.emulator):
            raise CommandError(
                f"The local cloud runs {'in' if record.docker else 'without'} Docker. Stop it first: andamio down"
            )
        record.docker = docker or (record.docker and (bool(record.services) or emulator is None))
        if runs and (wanted, judges) != (record.emulator, record.iam):
            what = f"with IAM {'enforced' if judges else 'off'}" if wanted == record.emulator else f"as {wanted}"
            self.say(f"Starting the AWS emulator again, {what}")
            self._emulator(record).stop(record.services.pop(EMULATOR).identity)
        record.emulator, record.iam = wanted, judges

    def _start(self, record: Record, ports: Mapping[str, int]) -> None:
        self._check_disk()
        if EMULATOR not in record.services:
            (LOCALSTACK if record.emulator == opencore.KIND else MINISTACK).install(self.say)
        self.home.scratch.mkdir(parents=True, exist_ok=True)
        for name in SERVICES:
            if name not in record.services:
                self._service(name, record).stop(None)  # services without a record, after a crash
        with ExitStack() as claims:
            # Every port is settled before anything starts.
            gateway = None if EMULATOR in record.services else self._claim(EMULATOR, ports, claims)
            if gateway and MLFLOW in record.services and gateway.port != self._last_ports().get(EMULATOR):
                self._service(MLFLOW, record).stop(record.services.pop(MLFLOW).identity)  # started with the old address
            page = None if MLFLOW in record.services else self._claim(MLFLOW, ports, claims)
            self._remember(gateway, page)
            if gateway:
                emulator = self._emulator(record, gateway.port)
                how = "" if record.iam or record.emulator == opencore.KIND else ", with IAM off"
                self.say(f"Starting {emulator.title.replace('The AWS', 'the AWS')} on port {gateway.port}{how}")
                record.add(emulator, emulator.start(gateway), gateway.port)
            if POSTGRES not in record.services:
                self.say("Starting PostgreSQL")
                record.add(self._postgres, self._postgres.start())
            self._postgres.wait(record.services[POSTGRES].identity, START_SECONDS)
            self._postgres.create_database()
            if page:
                self.say(f"Starting MLflow on port {page.port}, which takes a moment longer")
                tracking = Tracking(self.home, page.port)
                server = tracking.start(page, database=self._postgres.uri, endpoint_url=record.url(EMULATOR) or "")
                record.add(tracking, server, page.port)
        self.wait([EMULATOR], START_SECONDS)

    def _start_in_docker(self, record: Record, ports: Mapping[str, int]) -> None:
        containers.check()
        self.home.scratch.mkdir(parents=True, exist_ok=True)
        with ExitStack() as claims:
            gateway, page = (self._claim(name, ports, claims) for name in (EMULATOR, MLFLOW))
            self._remember(gateway, page)
            service = Docker(self.home, gateway.port, page.port)
            self.say(f"Starting {service.title} on port {gateway.port}; the first start downloads images")
            process = service.start(gateway)
            for beside, port in ((MlflowBeside(self.home, page.port), page.port), (PostgresBeside(self.home), None)):
                record.add(beside, process, port)
            record.add(service, process, gateway.port)
        self.wait([EMULATOR], containers.START_SECONDS)

    def _claim(self, name: str, ports: Mapping[str, int], claims: ExitStack) -> Claim:
        preferred = ports.get(name, self._last_ports().get(name, PORTS[name]))
        port_claim = claim(preferred)
        claims.callback(port_claim.close)
        if preferred and port_claim.port != preferred:
            self.say(f"Port {preferred} of {HOST} is taken: {name} gets {port_claim.port}.")
        return port_claim

    def _last_ports(self) -> dict[str, int]:
        try:
            return {name: int(port) for name, port in json.loads(self.home.ports.read_bytes()).items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}

    def _remember(self, gateway: Claim | None, page: Claim | None) -> None:
        before = self._last_ports()
        now = before | {
            name: port_claim.port for name, port_claim in ((EMULATOR, gateway), (MLFLOW, page)) if port_claim
        }
        if any(now[name] != port for name, port in before.items()):
            self.say("Addresses have changed since the last start; what is deployed learns them from `andamio up`.")
        write_json(self.home.ports, now)

    def _check_disk(self) -> None:
        free = shutil.disk_usage(self.home.path).free
        if free < FREE_BYTES:
            raise CommandError(
                f"The disk of {self.home.path} has {free >> 20} MB left, and the local cloud wants {FREE_BYTES >> 20}. "
                "Make room, or set ANDAMIO_HOME to a folder on another disk."
            )

    def _discard_scratch(self) -> None:
        """Remove the scratch folder, in a process of its own: in it is each version of each function, unpacked."""
        with suppress(FileNotFoundError):
            self.home.scratch.rename(self.home.path / f"discarded-{secrets.token_hex(4)}")
        if discarded := self.home.discarded:
            detach(["rm", "-rf", "--", *map(str, discarded)])

    def _lock(self) -> BinaryIO:
        try:
            self.home.path.mkdir(parents=True, exist_ok=True)
            return self.home.lock.open("wb")
        except OSError as error:
            raise CommandError(
                f"The local cloud keeps its state in {self.home.path}, which cannot be written to ({error.strerror}). "
                "Fix this, or set ANDAMIO_HOME to a folder of yours."
            ) from None

    @contextmanager
    def _single_run(self) -> Iterator[None]:
        """Hold the lock of this home: two commands never start or stop the same cloud at once."""
        with self._lock() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self.say("Another command is starting or stopping this local cloud: waiting for it.")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
