"""What runs in a task before our own code is there. Its text is in the template; nothing of ours imports it."""
