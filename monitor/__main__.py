"""``python -m monitor`` is ``poolscope``."""

from monitor.cli import main

main()
