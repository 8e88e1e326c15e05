"""The CDK app: `cdk synth`, `cdk deploy` and `cdk diff` run this file.

    cdk deploy -c problem=problems/heart            on AWS
    AWS_ENDPOINT_URL=http://127.0.0.1:4566 cdk deploy   on the local cloud

`infra/options.py` says what else can be given with -c.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from aws_cdk import App, CliCredentialsStackSynthesizer, Validations
from cdk_nag import AwsSolutionsChecks

from andamio import names
from andamio.errors import ContractError
from infra import bundling
from infra.asl import AslError
from infra.bundling import Bundle
from infra.options import OptionError, Options, read_options, system_name
from infra.packing import BundleError
from infra.packing.store import default_store
from infra.problem import read_problem
from infra.stacks.problem import ProblemStack

FUNCTIONS = names.FUNCTIONS

BundleProvider = Callable[[Sequence[str], str], Mapping[str, Bundle]]
"""From names and a platform to zips, by name."""


def add_stack(app: App, options: Options, bundles: BundleProvider, work: Path) -> ProblemStack:
    """Put a problem's stack into an app, checked by cdk-nag. `work` is a folder for files made on the way."""
    problem = read_problem(options.problem)
    system = system_name(problem.contract.problem.name, options.stage)
    if problem.contract.training.compute == "task" and options.existing_role_arn:
        raise OptionError(
            'With a role that is given there are no tasks, which run under roles of their own: "[training] compute" '
            'must be "auto" or "function" then. Got "task" instead.'
        )
    # An account that may not create roles cannot be bootstrapped either: deploy as whoever runs the CLI. So does the
    # local cloud, whose judge of permissions knows no aws:ResourceAccount, which the bootstrap roles ask for.
    own_credentials = bool(options.existing_role_arn) or options.local
    synthesizer = CliCredentialsStackSynthesizer() if own_credentials else None
    stack = ProblemStack(
        app,
        names.stack(system),
        problem=problem,
        system=system,
        options=options,
        bundles=bundles(names.FUNCTIONS, options.bundle),
        work=work,
        synthesizer=synthesizer,
    )
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    return stack


def main() -> int:
    """Synthesize; 1 with one clear line when something is not as expected."""
    work = default_store()
    work.mkdir(parents=True, exist_ok=True)
    try:
        # Checking the template against CloudFormation's schemas doubles the time of a synth; AWS is worth it.
        app = App(builtin_cloud_formation_validation=not os.environ.get("AWS_ENDPOINT_URL"))
        options = read_options(app.node.try_get_context)
        add_stack(app, options, bundling.build_all, work)
    except (OptionError, ContractError, BundleError, AslError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    try:
        app.synth()
    except RuntimeError as error:
        if "ValidationFailed" not in str(error):
            raise
        print("error: The template has findings that no waiver gives a reason for: see above.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
