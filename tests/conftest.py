"""What holds for all tests."""

import signal

import pytest
from hypothesis import settings

# No verdict may depend on how busy the machine is, nor on luck that cannot be repeated.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")

# What a shell starts in the background ignores Ctrl-C, and so would all that the tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest file: at the end, all but one process would wait for it."""
    items.sort(key=lambda item: item.get_closest_marker("image") is None)
