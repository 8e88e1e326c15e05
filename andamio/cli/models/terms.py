"""How a reply speaks of its answer on a terminal: a class with probabilities, or a number with its interval."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from rich.markup import escape

from andamio.pages.text import number

Reply = dict[str, Any]
_BAR = 30


class Terms(Protocol):
    """The terms of a reply."""

    @property
    def headline(self) -> str:
        """The answer, as markup."""

    @property
    def subject(self) -> str:
        """What an explanation explains, as markup."""

    @property
    def total(self) -> float:
        """What average and contributions sum to."""

    def details(self, texts: Mapping[str, str]) -> Iterator[str]:
        """Lines about the answer, as markup; `texts` are the display texts of the classes."""

    def amount(self, value: float) -> str:
        """A total or an average."""

    def change(self, value: float, width: int = 7) -> str:
        """A contribution, with its sign."""

    def margin(self, value: float) -> str:
        """How far a contribution may be off."""


@dataclass(frozen=True, slots=True)
class ClassTerms:
    """A class, in probabilities."""

    reply: Reply

    @property
    def headline(self) -> str:
        """The class's text."""
        return escape(self.reply["label_text"])

    @property
    def subject(self) -> str:
        """The text of the class that is explained."""
        return escape(self.reply["class_text"])

    @property
    def total(self) -> float:
        """Its probability."""
        return float(self.reply["probability"])

    def details(self, texts: Mapping[str, str]) -> Iterator[str]:
        """Each class with its probability and a bar."""
        for label, probability in self.reply["probabilities"].items():
            text = texts.get(label, label)
            key = "" if text == label else f"  [dim]{escape(label)}[/dim]"
            yield f"{probability:6.1%}  {'█' * round(probability * _BAR):{_BAR}}  {escape(text)}{key}"

    def amount(self, value: float) -> str:
        """A probability."""
        return f"{value:6.1%}"

    def change(self, value: float, width: int = 7) -> str:
        """A difference of probabilities."""
        return f"{round(value, 3) + 0.0:+{width}.1%}"  # + 0.0: never -0.0%

    def margin(self, value: float) -> str:
        """The same without a sign."""
        return f"{value:.1%}"


@dataclass(frozen=True, slots=True)
class ValueTerms:
    """A number, in its unit."""

    reply: Reply

    @property
    def headline(self) -> str:
        """Number and unit."""
        return self._in_unit(number(float(self.reply["value"])))

    @property
    def subject(self) -> str:
        """The unit."""
        return escape(self.reply["unit"])

    @property
    def total(self) -> float:
        """The number."""
        return float(self.reply["value"])

    def details(self, texts: Mapping[str, str]) -> Iterator[str]:
        """The interval."""
        low, high, level = (float(self.reply["interval"][name]) for name in ("low", "high", "level"))
        yield f"{number(low)} to {self._in_unit(number(high))}  [dim]in {level:.0%} of cases[/dim]"

    def amount(self, value: float) -> str:
        """A number."""
        return f"{number(value):>6}"

    def change(self, value: float, width: int = 7) -> str:
        """A difference of numbers."""
        return f"{'+' if value >= 0 else ''}{number(value + 0.0)}".rjust(width)

    def margin(self, value: float) -> str:
        """The same without a sign."""
        return number(value)

    def _in_unit(self, text: str) -> str:
        return f"{text} {escape(self.reply['unit'])}".rstrip()


def terms_of(reply: Reply) -> Terms:
    """The terms of a prediction or an explanation."""
    return ValueTerms(reply) if "value" in reply else ClassTerms(reply)
