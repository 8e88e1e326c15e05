"""Permissions, proved: what the template allows against what is called, both ways.

    python -m infra.proof            sufficient, necessary, and docs/permissions.md up to date? exit code 1 if not
    python -m infra.proof --write    writes docs/permissions.md

`calls.json` holds what functions were seen to call in tests/flows. What AWS's services do for us (run a state machine,
start an execution for a rule) no emulator judges: `needs.py` reads it off the template.
"""
