"""Runs scripts in forks of a Python that has imported torch and torchvision, which takes seconds of a core.

A line of its input is a JSON object: ``file``, ``arguments``, ``environment``, and the paths that ``stdout``
and ``stderr`` go to. It answers each with the script's exit code.
"""

import gc
import json
import os
import runpy
import sys
from typing import Any

import torch  # noqa: F401
import torchvision  # noqa: F401


def become(asked: dict[str, Any]) -> None:
    """Do what ``python file arguments`` does in the folder of the file; the interpreter ends as usual."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(asked[name], os.O_WRONLY | os.O_APPEND), number)
    os.environ.clear()
    os.environ.update(asked["environment"])
    sys.path[0] = os.path.dirname(asked["file"])
    os.chdir(sys.path[0])
    sys.argv[1:] = asked["arguments"]
    runpy.run_path(asked["file"], run_name="__main__")


gc.freeze()  # what is there for good is not looked through, so that its memory stays shared
for line in sys.stdin:
    child = os.fork()
    if not child:
        become(json.loads(line))
        break
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
