"""A Lambda runtime executor for LocalStack that runs Python functions as processes, with no Docker.

It is a package of its own, installed into LocalStack's environment as `localstack_process_executor`, and knows nothing
of the rest of this repository. `plugin.py` is the one module that knows LocalStack.
"""
