"""Executes notebooks one after another in this process, each in a namespace of its own, and says how each ended.

python tests/executed_notebooks.py OUT NOTEBOOK...    writes {name: traceback, or nothing where it ran} to OUT
"""

import json
import os
import pathlib
import sys
import traceback

from IPython.core import interactiveshell


class Shell(interactiveshell.InteractiveShell):
    """Shows what cells show as a notebook does, to nobody."""

    def enable_gui(self, gui=None):
        pass


def executed(path: pathlib.Path) -> str:
    """Returns the traceback of the first cell that raises."""
    shell = Shell.instance()
    shell.reset()
    for cell in json.loads(path.read_text())["cells"]:
        result = shell.run_cell("".join(cell["source"])) if cell["cell_type"] == "code" else None
        if result is not None and not result.success:
            return "".join(traceback.format_exception(result.error_before_exec or result.error_in_exec))
    return ""


if __name__ == "__main__":
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    found = {path.stem: executed(path) for path in map(pathlib.Path, sys.argv[2:])}
    pathlib.Path(sys.argv[1]).write_text(json.dumps(found))
