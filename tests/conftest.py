"""What holds for all tests."""

import logging
import signal
import sys
import threading
from collections.abc import Iterator

import pytest
from hypothesis import settings

from monitor import secrets

# No verdict may depend on how busy the machine is, nor on luck that cannot be repeated.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")

# What a shell starts in the background ignores Ctrl-C, and so would all that the tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _levels_of_logging() -> Iterator[None]:
    """Give loggers back the levels that a command set which ran in this process."""
    kept = {name: logging.getLogger(name).level for name in (None, "monitor", "monitor.sources")}
    yield
    for name, level in kept.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture(autouse=True)
def _secrets_of_one_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what one test keeps secret be an ordinary word in the next."""
    monkeypatch.setattr(secrets, "_KNOWN", secrets._Known())
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
