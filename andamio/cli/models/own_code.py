"""The problem's own code before it is deployed: whether it fits its contract and its data, row by row."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from andamio.adapters.aws import Account, ServiceError
from andamio.cli.models.sample import sample_files
from andamio.contract import Contract
from andamio.contract.own_code import PIPELINE_FILE, find_source, packed
from andamio.dataset.columns import file_columns
from andamio.errors import AndamioError, ContractError, InputFileError, PrepareError
from andamio.prepare.check import check_example, check_requests, check_rows
from andamio.prepare.code import of_folder
from andamio.records.parse import parse
from andamio.release.pointer import read_pointer
from andamio.release.release import Release
from andamio.tabular.columns import column_kinds
from andamio.tabular.file import read_file
from andamio.tabular.refused import RefusedFile

if TYPE_CHECKING:
    from training.own.fit import OwnPipeline


def check_prepare(folder: Path, contract: Contract) -> None:
    """Try prepare.py on the contract's example, on what may be sent instead, and on the first rows of [data] files.

    Raises `InputFileError` that names file, line, column and row; does nothing where the folder has no prepare.py.
    """
    try:
        code = of_folder(contract, folder)
        if code is None:
            return
        check_example(contract, code)
        check_requests(contract, code)
        sent = contract.sent
        kinds = column_kinds(sent, file_columns(contract))
        for file in sample_files(folder, contract) if contract.data.files else []:
            read_as, blocks = read_file(file.name, file.read_bytes(), sent, kinds)
            for rows in blocks:
                decimal = read_as.decimal or "."
                table = parse(sent, rows.columns, len(rows.lines), text=rows.text, training=True, decimal=decimal)
                check_rows(contract, code, table, training=True)
                break
    except PrepareError as error:
        raise InputFileError(f"{error}" + (f": {error.detail}" if error.detail else "")) from None
    except RefusedFile as error:
        raise InputFileError(f"{folder}: a file of [data] files {error}") from None


def check_pipeline(folder: Path, contract: Contract) -> OwnPipeline | None:
    """The problem's own pipeline, asked for and not fitted; None where the folder has none.

    Raises `InputFileError` that names file and line, also where the file is too long to be deployed.
    """
    source = find_source(folder, PIPELINE_FILE)
    if source is None:
        return None
    from training.own.code import load  # scikit-learn: who has no pipeline.py does not wait for it
    from training.own.fit import OwnPipeline
    from training.own.space import explore
    from training.own.trial import PipelineError

    names = contract.number_columns, contract.category_columns
    try:
        packed(source, str(folder / PIPELINE_FILE))
        code = load(source, str(folder / PIPELINE_FILE))
        return OwnPipeline(code, explore(code, contract.task, *names, contract.training.seed))
    except (ContractError, PipelineError) as error:
        raise InputFileError(str(error)) from None


def interruption(contract: Contract, deployed: dict[str, Any], account: Account) -> str:
    """What a deploy of this contract does to the champion of a deployed system, "" where nothing.

    A champion that prepares its records with another prepare.py cannot be served by functions with the new one.
    """
    try:
        models = account.objects(deployed["buckets"]["models"])
        champion = read_pointer(models, deployed["problem"])[0].champion
        release = Release.open(models, champion.release).contract() if champion else None
    except (AndamioError, KeyError, ServiceError):  # there is nothing yet, or the deploy itself will say what is wrong
        return ""
    if champion is None or release is None or not release.prepares or release.prepare == contract.prepare:
        return ""
    if contract.prepare is None:
        return (
            f"prepare.py is gone, and release {champion.release}, which serves, was trained with one. From this deploy "
            "on the API refuses that release, and answers 503 until a release is promoted that was trained without "
            "prepare.py: ingest data again (andamio ingest) right after it. To keep it serving, deploy the folder "
            "without prepare.py as another stage first (--stage)."
        )
    return (
        f"prepare.py is another one than that of release {champion.release}, which serves. From this deploy on the API "
        "refuses that release, and answers 503 until a release is promoted that was trained with the new prepare.py: "
        "ingest data again (andamio ingest) right after it. To keep it serving, deploy the new prepare.py as another "
        "stage first (--stage)."
    )
