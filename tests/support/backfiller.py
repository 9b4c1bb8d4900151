"""Forks children that run ``poolscope backfill`` until they are killed.

``python -m tests.support.backfiller``: each line on stdin is the arguments of a child as
JSON, whose process id is printed, then its exit code and its seconds of CPU. Forking saves the
second that importing takes.
"""

from __future__ import annotations

import json
import os
import sys

from monitor.cli import cli


def main() -> None:
    """Fork a child for each line of stdin."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            try:
                cli(["backfill", *json.loads(line)], standalone_mode=False)
            except BaseException as error:
                print(repr(error), file=sys.stderr, flush=True)
                os._exit(1)
            os._exit(0)
        print(child, flush=True)
        _, status, used = os.wait4(child, 0)
        print(os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime, flush=True)


if __name__ == "__main__":
    main()
