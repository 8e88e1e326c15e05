"""Starts LocalStack's open core, in its own environment, with one thing added: it says which local cloud it is."""

import runpy
from pathlib import Path

from localstack.http import Response
from localstack.runtime import main
from localstack.services.edge import ROUTER

# By its path: in this environment `localstack` is LocalStack.
identity = runpy.run_path(str(Path(__file__).with_name("identity.py")))
WHO = identity["answer"]()

if __name__ == "__main__":
    ROUTER.add(identity["PATH"], lambda request: Response(WHO, mimetype="application/json"))
    main.main()
