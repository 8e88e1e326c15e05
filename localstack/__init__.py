"""The local cloud: an AWS emulator, PostgreSQL and an MLflow server, on loopback, with no Docker.

`python -m localstack up` starts them as detached processes and writes `cloud.json`, which is all
that the rest of the project reads. Nothing imports this package.
"""
