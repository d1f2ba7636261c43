"""Commands that other packages own, run in the environment of the running stack."""

import os
import signal
import subprocess
import sys

from deploy.local.stack import attach


def run(module: str, arguments: list[str]) -> int:
    """`python -m module arguments`; where no stack runs, the module sees the environment as it is."""
    stack = attach()
    env = {**os.environ}
    if stack is not None:
        env |= stack.env() | {"GWANGSAN_GATEWAY_URL": stack.gateway_url}
    with subprocess.Popen([sys.executable, "-P", "-m", module, *arguments], env=env) as command:
        # The terminal tells the command of Ctrl-C too: it clears up and ends by itself.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            return command.wait()
        finally:
            signal.signal(signal.SIGINT, before)
