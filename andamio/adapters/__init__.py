"""Implementations of the ports: on AWS, and in memory for tests. The only package that imports boto3."""
