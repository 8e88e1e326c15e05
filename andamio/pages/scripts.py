"""The scripts of a page: Vega, pinned in package.json, shipped with the function, written into the page itself."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path

from andamio.errors import DataError
from andamio.pages import theme
from andamio.pages.templates import environment

HERE = Path(__file__).parent
STATIC = HERE / "static"
"""Where the bundle puts the libraries."""
MODULES = HERE.parents[1] / "node_modules"
"""Where they are in a clone."""
LIBRARIES = ("vega/build/vega.min.js", "vega-lite/build/vega-lite.min.js", "vega-interpreter/build/vega-interpreter.js")

_IMPORT = "import { ascending, isString, DisallowedObjectProperties } from 'vega-util';"
_EXPORT = "export { expression as expressionInterpreter };"


@cache
def scripts() -> tuple[str, ...]:
    """Vega, Vega-Lite, Vega's interpreter of expressions, and what draws; raises `DataError` where one is lacking."""
    vega, vega_lite, interpreter = (_read(name) for name in LIBRARIES)
    if _IMPORT not in interpreter or _EXPORT not in interpreter:
        raise DataError("vega-interpreter is not as andamio/pages/scripts.py knows it: pin the version it was made for")
    # It comes as a module only, and a page that is opened from a disk cannot import one.
    interpreter = interpreter.replace(_IMPORT, "const { ascending, isString, DisallowedObjectProperties } = vega;")
    interpreter = interpreter.replace(_EXPORT, "return expression;")
    draw = environment("andamio.pages").get_template("draw.js").render(config=theme.CHARTS)
    found = (vega, vega_lite, f"var vegaInterpreter = (function () {{{_bare(interpreter)}}})();", draw)
    return tuple(_bare(text) for text in found)


@cache
def policy() -> str:
    """What the page may do: run these very scripts, and reach nothing."""
    digests = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts())
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )


def _read(name: str) -> str:
    for file in (STATIC / Path(name).name, MODULES / name):
        if file.is_file():
            return file.read_text(encoding="utf-8")
    raise DataError(f"{name} is not there: install the Node packages (npm ci; make does it) and build the bundle again")


def _bare(text: str) -> str:
    """Without the note of where a map of it lies, and with nothing that would end its element."""
    lines = [line for line in text.splitlines() if not line.startswith("//# sourceMappingURL=")]
    return "\n".join(lines).strip().replace("</script", "<\\/script")
