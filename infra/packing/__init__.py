"""How a Lambda zip is made without Docker: install, slim, compile, test, zip.

Read in this order: `recipes` (what each zip holds), `uv` (dependencies into a folder), `slimming` (what
a function never reads), `bytecode`, `importing` (does it import in a clean interpreter?), `archive`
(the same content gives the same bytes). `infra.bundling` puts them together and keeps the results.
"""

from __future__ import annotations


class BundleError(Exception):
    """A bundle cannot be built."""
