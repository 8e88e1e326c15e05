"""A function's environment is one typed value, and no default hides a broken deploy; errors are one tree."""

from __future__ import annotations

import inspect
from dataclasses import fields
from typing import Any

import pytest

from andamio import errors, settings
from andamio.errors import AndamioError, InvalidRecord, SettingsError, Violation
from andamio.settings import Settings

CLASSES = [kind for kind in vars(settings).values() if inspect.isclass(kind) and issubclass(kind, Settings)]
ERRORS = [kind for kind in vars(errors).values() if inspect.isclass(kind) and issubclass(kind, AndamioError)]


def example(kind: type[Settings]) -> Settings:
    values: dict[str, Any] = {"str": "some text", "int": 60, "float": 0.1, "tuple[str, ...]": ("a", "größe, b")}
    return kind(**{field.name: values[str(field.type)] for field in fields(kind)})


@pytest.mark.parametrize("kind", CLASSES)
def test_what_infra_writes_a_handler_reads(kind: type[Settings]) -> None:
    assert kind.from_env(example(kind).as_env() | {"PATH": "/bin"}) == example(kind)


@pytest.mark.parametrize("kind", CLASSES)
def test_the_process_environment_is_the_default(kind: type[Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in example(kind).as_env().items():
        monkeypatch.setenv(name, value)
    assert kind.from_env() == example(kind)


@pytest.mark.parametrize("kind", CLASSES)
def test_every_missing_variable_is_named_at_once(kind: type[Settings]) -> None:
    with pytest.raises(SettingsError) as caught:
        kind.from_env({})
    for field in fields(kind):
        assert f"ANDAMIO_{field.name.upper()} is not set" in str(caught.value)
    assert kind.__name__ in str(caught.value)
    some = example(kind).as_env()
    for name in some:
        with pytest.raises(SettingsError, match=f"{name} is not set"):
            kind.from_env(some | {name: ""})


def test_a_malformed_variable_is_named_with_its_type() -> None:
    good = settings.ApiSettings("heart", "lake", "models", "batch", "predictions", 60, 1.0, 0.0, ("a, b",)).as_env()
    with pytest.raises(SettingsError, match="ANDAMIO_REFRESH_SECONDS must be of type int"):
        settings.ApiSettings.from_env(good | {"ANDAMIO_REFRESH_SECONDS": "soon"})
    for text in ("age", '"age"', "[1]"):
        with pytest.raises(SettingsError, match="ANDAMIO_PRIVATE must be of type tuple"):
            settings.ApiSettings.from_env(good | {"ANDAMIO_PRIVATE": text})


def test_every_error_has_a_code_of_its_own_a_status_and_a_place_in_the_tree() -> None:
    codes = [kind.code for kind in ERRORS]
    assert len(set(codes)) == len(codes)
    drawn = errors.__doc__ or ""
    for kind in ERRORS:
        assert 400 <= kind.status < 600
        assert f" {kind.__name__} " in drawn or kind is AndamioError


def test_an_invalid_record_names_the_first_problem_and_counts_the_rest() -> None:
    found = InvalidRecord([Violation(2, "age", "must be at least 0"), Violation(3, "", "expected an object")])
    assert str(found) == "record 2, field 'age': must be at least 0 (and 1 more)"
    assert str(InvalidRecord([Violation(3, "", "expected an object")])) == "record 3: expected an object"
