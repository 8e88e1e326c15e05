"""Every template that the app can make, judged by what knows AWS's rules: `python -m infra.check`.

cfn-lint holds each template against CloudFormation's own schemas, region by region, and against AWS's
lists of IAM actions and resources. CDK's validation against the schemas does not replace it: that is
left out when AWS_ENDPOINT_URL is set, and it knows no IAM. cdk-nag judges at every synth, here too.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from infra.templates import CASES, Case, template

IGNORED = {
    "I1022": "CDK writes Fn::Join where a person would write Fn::Sub; both say the same.",
    "W3005": "CDK lets a function and a machine wait for their role by DependsOn too; it costs nothing.",
}
"""Rules of cfn-lint that are not asked, each with the reason."""

REGIONS = ("us-east-1", "eu-north-1", "sa-east-1")
"""Where templates are held against the schemas: the fullest region, and two with less, all with the MLflow app."""


def findings(template: Mapping[str, Any], regions: Sequence[str] = REGIONS) -> list[str]:
    """What cfn-lint finds in a template: `RULE at place: what is wrong`, a line each; none is as it should be."""
    from cfnlint.api import lint
    from cfnlint.config import ManualArgs

    arguments = ManualArgs(regions=list(regions), include_checks=["I"], ignore_checks=list(IGNORED))
    return sorted({_line(match) for match in lint(json.dumps(template), config=arguments)})


def check(case: Case, regions: Sequence[str] = REGIONS) -> list[str]:
    """What is wrong with the template of one case."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            rendered = template(case, Path(folder))
        except RuntimeError as error:
            if "ValidationFailed" not in str(error):
                raise
            return ["cdk-nag has findings that no waiver gives a reason for: see above."]
        return findings(rendered, regions)


def _line(match: Any) -> str:
    place = "/".join(str(part) for part in match.path or ()) or f"line {match.linenumber}"
    return f"{match.rule.id} at {place}: {match.message}"


def main(run: Callable[[Case], list[str]] = check) -> int:
    """Print what is wrong with each template; 1 when something is."""
    with ProcessPoolExecutor(min(os.cpu_count() or 1, 4)) as pool:
        found = dict(zip(CASES, pool.map(run, CASES.values()), strict=True))
    wrong = {name: lines for name, lines in found.items() if lines}
    for name, lines in wrong.items():
        print(f"The template of '{name}':", file=sys.stderr)
        for line in lines:
            print(f"  {line}", file=sys.stderr)
    if wrong:
        print("Fix the constructs, or add the rule to IGNORED in infra/check.py with a reason.", file=sys.stderr)
        return 1
    print(f"{len(found)} templates are as CloudFormation and IAM want them ({', '.join(REGIONS)}).")
    return 0


if __name__ == "__main__":
    sys.exit(main())
