"""The release that serves: loading and proving it, and the look at the pointer that finds a newer one."""
