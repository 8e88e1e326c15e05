"""The command: read the files, decide on each column, rehearse ETL, correct the draft, write the folder."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape

from andamio.cli.check.rehearsal import Rehearsal
from andamio.cli.console import done, err, from_here, note, out, step
from andamio.cli.home import REPO
from andamio.cli.new.column import Column, Marks
from andamio.cli.new.correct import correct, is_served
from andamio.cli.new.document import Draft, data_card, toml_of
from andamio.cli.new.draft import decide
from andamio.cli.new.file_names import free_name
from andamio.cli.new.identity import find_roles
from andamio.cli.new.labelled import labelled
from andamio.cli.new.marks import Missing, marks_of, missing_of
from andamio.cli.new.questions import Options, ask_roles, asked_task, known_column, origin, target_name
from andamio.cli.new.source import Source, joined, read_source
from andamio.cli.new.target import target_of
from andamio.cli.new.workbook import is_workbook, sheet_as_csv
from andamio.errors import InputFileError, UsageError
from andamio.tabular.read_as import in_words
from etl.validate import MAX_BAD_SHARE

_NAME = re.compile(r"[a-z][a-z0-9-]{1,30}")
_SHOWN = 12
_ROLE_OF = {"id": "names a record", "group": "rows that share one stay together", "time": "orders rows"}
_UNQUOTED = re.compile(r"[A-Za-z0-9_./-]+")


def new(name: str, files: Sequence[Path], options: Options) -> Path:
    """Write the folder of a problem and say what to do next; returns the folder, which is never overwritten.

    Raises `UsageError` and `InputFileError` before anything is written.
    """
    folder = options.folder or REPO / "problems" / name
    _check(name, files, folder)
    with tempfile.TemporaryDirectory(prefix="andamio-new-") as scratch:
        paths = _as_data(files, options.sheet, _subfolder(scratch, "sheets"))
        with step("Reading the columns"):
            sources = [read_source(path, options.target, options.encoding) for path in paths]
        draft, columns = _drafted(name, sources, options)
        copied = _labelled(draft, columns[draft.target.column], paths, options, _subfolder(scratch, "labelled"))
        bodies = {path.name: path for path in copied}
        rehearsal = correct(draft, bodies)
        facts = _facts(sources, rehearsal)
        source, licence = origin(options)
        part = _subfolder(scratch, "folder")
        for path in copied:
            shutil.copyfile(path, part / path.name)
        (part / "problem.toml").write_text(toml_of(draft), encoding="utf-8")
        (part / "DATA.md").write_text(data_card(draft, facts, source, licence), encoding="utf-8")
        _place(part, folder)
    _say(folder, draft, rehearsal)
    return folder


def _place(made: Path, folder: Path) -> None:
    """Put the folder where it belongs, whole or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        shutil.copytree(made, part)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _check(name: str, files: Sequence[Path], folder: Path) -> None:
    if not _NAME.fullmatch(name) or "--" in name:
        raise UsageError(
            f"The name '{name}' would not do for what is deployed: expected 2 to 31 lower-case letters, digits and "
            "hyphens that start with a letter, no two hyphens in a row."
        )
    if not files:
        raise UsageError("Expected a file to start from: andamio new NAME --from FILE --target COLUMN")
    if folder.exists():
        raise UsageError(f"{from_here(folder)} exists, and is not overwritten: choose another name, or --to FOLDER.")
    for path in files:
        if not path.is_file():
            raise InputFileError(f"{path}: no such file")
    doubled = {path.name for path in files if sum(path.name == other.name for other in files) > 1}
    if doubled:
        raise InputFileError(f"Two files are called {sorted(doubled)[0]}: they go into one folder, so rename one.")


def _subfolder(scratch: str, name: str) -> Path:
    folder = Path(scratch) / name
    folder.mkdir()
    return folder


def _as_data(files: Sequence[Path], sheet: str | None, scratch: Path) -> list[Path]:
    """The files themselves, for each workbook a CSV that is made of its sheet, under a name that no other has."""
    taken = {path.name for path in files}
    found: list[Path] = []
    for path in files:
        if not is_workbook(path):
            found.append(path)
            continue
        name, body = sheet_as_csv(path, sheet)
        made = scratch / free_name(path.stem, ".csv", taken)
        taken.add(made.name)
        made.write_bytes(body)
        note(f"The sheet '{name}' of {path.name} was written as {made.name}: ETL reads no workbooks.")
        found.append(made)
    return found


# What a person is asked


def _drafted(name: str, sources: Sequence[Source], options: Options) -> tuple[Draft, dict[str, Column]]:
    cells = joined(sources)
    if len(cells) < 2:
        raise InputFileError(
            f"{sources[0].path.name} has one column ({', '.join(cells) or 'without a name'}): a target and a "
            "feature need two. If lines stand above the header, name the target (--target COLUMN). If the file is "
            "delimited by another character than comma, semicolon, tab or bar, write it as CSV."
        )
    delimiters = {source.read_as.delimiter for source in sources}
    delimiter = delimiters.pop() if len(delimiters) == 1 else ""
    marks = marks_of(cells, delimiter)
    quoted = {found for source in sources for found in source.quoted}
    plain = {column: Column(column, texts, frozenset(), marks, column not in quoted) for column, texts in cells.items()}
    predicted, why = target_name(plain, options)
    missing = missing_of(cells, predicted, marks)
    none = frozenset(missing.texts)
    columns = {column: Column(column, texts, none, marks, column not in quoted) for column, texts in cells.items()}
    given = {role: known_column(column, columns) for role, column in options.given.items()}
    task, positive = asked_task(columns[predicted], options)
    target = target_of(columns[predicted], task, positive)
    if why:
        target.comments.insert(0, f"The target, because {why}.")
    found_roles = find_roles(columns, {"target": predicted, **given})
    if options.ask:
        ask_roles(found_roles, given)
    taken = {predicted, *(role.column for role in found_roles.values() if role.set)}
    nested = {found for source in sources for found in source.nested}
    unread = {found: kind for source in sources for found, kind in source.unread.items()}
    decisions = [
        decide(column, missing, nested=found in nested, unread=unread.get(found, ""))
        for found, column in columns.items()
        if found not in taken
    ]
    draft = Draft(name, [source.path.name for source in sources], target, found_roles, decisions)
    for role in found_roles.values():
        decision = None if role.set else draft.of(role.column)
        if decision is not None and decision.used:
            decision.leave_out("it identifies whom or what a row is about: a model can only learn it by heart.")
    _data(draft, sources, marks, missing, options.encoding)
    return draft, columns


# [data]


def _data(draft: Draft, sources: Sequence[Source], marks: Marks, missing: Missing, encoding: str | None) -> None:
    for source in sources:
        words = in_words(source.read_as.document())
        more = f"; the first {source.rows:,} rows were looked at" if source.cut else f", {source.rows:,} rows"
        draft.data_comments.append(f"{source.path.name}: {words}{more}.")
        if source.broken:
            draft.data_comments.append(f"{source.broken} rows of {source.path.name} are none, and are rejected.")
        if source.doubled:
            draft.data_comments.append(
                f"{source.path.name} has these columns twice, so they cannot be used: {', '.join(source.doubled)}."
            )
        if source.read_as.encoding_basis == "assumption":
            draft.data_comments.append(
                f"It is not UTF-8, and {source.read_as.encoding} is an assumption: if letters look wrong, say encoding."
            )
    if missing.texts:
        draft.data["missing"] = ["", *missing.texts]
        for text in missing.texts:
            names = missing.found[text]
            shown = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
            draft.data_comments.append(f'"{text}" counts as no value, in every column. Seen in {shown}.')
    texts = [source.read_as for source in sources if source.read_as.format == "csv"]
    if encoding is not None:
        draft.data["encoding"] = encoding
    if not texts:
        return
    if all(how.delimiter != "," for how in texts):
        draft.data["decimal"] = marks.decimal
    if marks.thousands:
        draft.data["thousands"] = marks.thousands
        draft.data.setdefault("decimal", marks.decimal)


def _labelled(draft: Draft, target: Column, paths: Sequence[Path], options: Options, scratch: Path) -> Sequence[Path]:
    """The files, or copies without the rows that have no target where these are more than ETL takes."""
    if target.empty <= MAX_BAD_SHARE * target.rows:
        return paths
    text = f"The {target.empty:,} of {target.rows:,} rows without '{target.name}' were left out of the copy"
    note(f"{text}: nothing can be learned from them.")
    draft.data_comments.append(f"{text}, which is in UTF-8.")
    draft.data.pop("encoding", None)
    written = [labelled(path, target.name, target.missing, options.encoding, scratch) for path in paths]
    draft.files = [path.name for path in written]
    return written


# What a person is told


def _facts(sources: Sequence[Source], rehearsal: Rehearsal) -> list[tuple[str, str]]:
    facts = [("files", ", ".join(source.path.name for source in sources))]
    facts.append(("rows", f"{sum(source.rows for source in sources):,}"))
    if rehearsal.info is not None and rehearsal.info.rows.rejected:
        facts.append(("rejected rows", f"{rehearsal.info.rows.rejected:,}"))
    return facts


def _say(folder: Path, draft: Draft, rehearsal: Rehearsal) -> None:
    shown = from_here(folder)
    done(f"{shown} is written: problem.toml, DATA.md, {', '.join(draft.files)}")
    target = draft.target
    classes = f", {len(target.labels)} classes" if target.labels else ""
    err.print(f"  target    {escape(target.column)} ({target.task}{classes})")
    for role in draft.roles.values():
        if role.set:
            err.print(f"  {role.role:9} {escape(role.column)} ({_ROLE_OF[role.role]}; no feature)")
    _listed("features ", [one.name for one in draft.used if is_served(one)])
    _listed("afterwards", [one.name for one in draft.used if not is_served(one)])
    _listed("left out ", [one.name for one in draft.decisions if not one.used])
    if rehearsal.info is not None and rehearsal.info.rows.rejected:
        reasons = "; ".join(
            f"{reason.column}: {reason.reason} ({reason.rows})".removeprefix(": ")
            for reason in rehearsal.info.reasons[:3]
        )
        note(f"{rehearsal.info.rows.rejected} of {rehearsal.info.rows.read} rows are rejected: {reasons}")
    if rehearsal.refused:
        note(f"ETL would refuse these data as they are: {rehearsal.refused}")
    place = shown if _UNQUOTED.fullmatch(shown) else f"'{shown}'"
    out.print(
        f"Next: read the comments in {escape(shown)}/problem.toml, fill in DATA.md, then: "
        f"andamio check {escape(place)}",
        soft_wrap=True,
    )


def _listed(title: str, names: Sequence[str]) -> None:
    if names:
        more = f", ... ({len(names)})" if len(names) > _SHOWN else ""
        err.print(f"  {title} {escape(', '.join(names[:_SHOWN]))}{more}")
