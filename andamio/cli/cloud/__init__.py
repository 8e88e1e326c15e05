"""Deployment targets (the local cloud, an AWS account), deploy, teardown and outputs."""
