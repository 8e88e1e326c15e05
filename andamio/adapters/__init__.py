"""The outside world behind the ports: AWS, a folder, memory. The only place that knows boto3."""
