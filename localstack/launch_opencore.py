"""Starts LocalStack's open core, in its own environment, with one thing added: it says which local cloud it is."""

import os
import runpy
import sys
from pathlib import Path

from localstack.http import Response
from localstack.runtime import main
from localstack.services.edge import ROUTER

# By its path: in this environment `localstack` is LocalStack.
identity = runpy.run_path(str(Path(__file__).with_name("identity.py")))
WHO = identity["answer"]()

if __name__ == "__main__":
    ROUTER.add(identity["PATH"], lambda request: Response(WHO, mimetype="application/json"))
    try:
        main.main()
    except SystemExit as end:
        # Everything is stopped; taking its memory apart would last as long as the start did.
        sys.stdout.flush()
        os._exit(end.code if isinstance(end.code, int) else 1)
