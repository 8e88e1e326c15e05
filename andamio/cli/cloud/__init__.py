"""Where things are deployed: the local cloud or an account, deploy and teardown, outputs."""
