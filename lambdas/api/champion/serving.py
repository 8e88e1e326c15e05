"""Which release answers: looks at the pointer now and then, and swaps the champion between two requests.

A request looks when the last look is `refresh_seconds` old by the clock on the wall (a frozen and
restored environment has slept through them), or a second old while there is no model. Whatever goes
wrong in a look, the champion that was loaded goes on serving, and the reason is logged and counted. A challenger that
cannot be loaded is no challenger until the next look: the champion answers its records.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from andamio import names
from andamio.errors import AccessRefused, AndamioError, NotReady
from andamio.prepare.code import OwnCode
from andamio.release.pointer import Pointer, PointerEntry, read_pointer
from andamio.release.pointer import champion as champion_of
from andamio.storage.ports import Clock, Objects
from lambdas.api import log
from lambdas.api.champion import challenger as challengers
from lambdas.api.champion.challenger import Challenger
from lambdas.api.champion.champion import Champion, load
from lambdas.api.predictions.capture import Capture

SECONDS_WITHOUT_MODEL = 1.0


@dataclass(frozen=True, slots=True)
class Refusal:
    """A look that did not lead to the release that the pointer names: when, which release, and why."""

    at: str
    release: str | None
    code: str
    reason: str


class Serving:
    """The champion of one problem, kept up to date, and which of its predictions are kept.

    `code` gives the problem's own code, as it was deployed; it may raise `PrepareError`.
    """

    def __init__(
        self,
        objects: Objects,
        problem: str,
        clock: Clock,
        refresh_seconds: float,
        capture: Capture | None = None,
        code: Callable[[], OwnCode | None] = lambda: None,
    ) -> None:
        self.problem = problem
        self.capture = capture or Capture()
        self.revision = 0
        self.loads = 0
        self.refusals = 0
        self.last_refusal: Refusal | None = None
        self.looked: datetime | None = None
        self._objects = objects
        self._code = code
        self._clock = clock
        self._refresh = refresh_seconds
        self._champion: Champion | None = None
        self._challenger: Challenger | None = None
        self._trial: dict[str, object] | None = None
        self._missing: AndamioError = NotReady("The pointer was not looked at yet.")

    @property
    def loaded(self) -> Champion | None:
        """The champion that was loaded last, without a look."""
        return self._champion

    @property
    def challenger(self) -> Challenger | None:
        """The challenger that was loaded last, without a look."""
        return self._challenger

    @property
    def trial(self) -> str | None:
        """Whether the challenger that the pointer names is loaded, "ok" or "failing"; None without one."""
        return None if self._trial is None else "ok" if self._trial["loaded"] else "failing"

    def champion(self) -> Champion:
        """The champion, after a look if one is due; raises `NotReady`, or `AccessRefused`, when there is none."""
        now = self._clock.now()
        if self._due(now):
            self.look(now)
        if self._champion is None:
            raise self._missing.with_traceback(None)  # which would grow each time that it is raised
        return self._champion

    def look(self, now: datetime | None = None) -> None:
        """Look at the pointer now, and load the release that it names unless it is the one that serves."""
        self.looked = now = now or self._clock.now()
        served: PointerEntry | None = None
        try:
            pointer, _ = read_pointer(self._objects, self.problem)
            served = champion_of(pointer)
            current = self._champion
            if current is not None and current.version == served.release:
                self._champion = replace(current, since=served.since, run=served.run)
            else:
                self._champion = load(self._objects, served, self.capture.hidden, self._code())
                self.loads += 1
                log.event(
                    names.EVENT_RELEASE_LOADED,
                    problem=self.problem,
                    release=served.release,
                    revision=pointer.revision,
                    previous=current.version if current else None,
                )
            self.revision = pointer.revision
            self._try(pointer, self._champion)
        except NotReady as error:
            self._missing = error
            if self._champion is not None:
                self._refuse(error, now, None)
        except Exception as error:  # an error of any type must not stop requests from being answered
            self._refuse(error, now, served)

    def state(self) -> dict[str, object]:
        """The part of the reply of GET /version about serving."""
        champion = self._champion
        return {
            "problem": self.problem,
            "release": champion.version if champion else None,
            "revision": self.revision if champion else None,
            "since": champion.since if champion else None,
            "looked": self.looked.isoformat() if self.looked else None,
            "loads": self.loads,
            "refusals": self.refusals,
            "last_refusal": asdict(self.last_refusal) if self.last_refusal else None,
            "challenger": self._trial if champion else None,
        }

    def _try(self, pointer: Pointer, champion: Champion) -> None:
        """Load the challenger that the pointer names, unless it is loaded."""
        entry, rollout, strategy = pointer.challenger, pointer.rollout, pointer.strategy
        if entry is None or rollout is None or strategy is None:
            self._challenger = self._trial = None
            return
        current = self._challenger
        trial = {"release": entry.release, "since": entry.since, "strategy": strategy, "share": pointer.share}
        try:
            if current is None or current.rollout != rollout:
                self._challenger = None
                hidden = self.capture.hidden | champion.hidden
                self._challenger = Challenger(
                    load(self._objects, entry, hidden, self._code()), rollout, strategy, pointer.share
                )
                log.event(
                    names.EVENT_RELEASE_LOADED,
                    problem=self.problem,
                    release=entry.release,
                    revision=pointer.revision,
                    variant=names.CHALLENGER,
                )
            self._trial = {**trial, "loaded": True}
        except Exception as error:  # an error of any type must not stop requests from being answered
            challengers.failed(rollout, entry.release, error, "not-loaded")
            self._trial = {**trial, "loaded": False}

    def _due(self, now: datetime) -> bool:
        if self.looked is None:
            return True
        passed = (now - self.looked).total_seconds()
        wait = self._refresh if self._champion is not None else min(SECONDS_WITHOUT_MODEL, self._refresh)
        return passed >= wait or passed < 0

    def _refuse(self, error: Exception, now: datetime, served: PointerEntry | None) -> None:
        known = isinstance(error, AndamioError)
        code = error.code if isinstance(error, AndamioError) else "unexpected"
        reason = str(error) if known else type(error).__name__
        # Clients of /version learn that a permission is missing; the log names it.
        public = "a permission is missing: the log says which" if isinstance(error, AccessRefused) else reason
        release = served.release if served else None
        serving = self._champion.version if self._champion else None
        self.refusals += 1
        self.last_refusal = Refusal(now.isoformat(), release, code, public)
        if isinstance(error, AccessRefused):
            self._missing = error  # a retry does not bring a permission
        elif self._champion is None:
            which = f"Release {release} cannot be loaded" if release else "The pointer to the release cannot be read"
            self._missing = NotReady(
                f"{which} ({code}), and none was loaded before. The log says why. "
                "Promote another release: andamio promote VERSION."
            )
        if not known:
            log.error(error, quoted=True, problem=self.problem, release=release)
        log.event(
            names.EVENT_RELEASE_REFUSED,
            problem=self.problem,
            release=release,
            serving=serving,
            code=code,
            reason=reason,
            refusals=self.refusals,
        )
