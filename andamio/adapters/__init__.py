"""The outside world behind the ports: AWS, and memory for tests. The only place that knows boto3."""
