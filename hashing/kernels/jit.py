"""How all kernels are compiled: kept on disk, where there is a place for them."""

from __future__ import annotations

import contextlib
import pickle
from collections.abc import Callable, Iterator
from typing import Any, Final, cast

from numba import njit
from numba.core.caching import FunctionCache

Function = Callable[..., Any]

_SPOILT: Final = (
    *(pickle.UnpicklingError, EOFError, ValueError, TypeError),
    *(LookupError, AttributeError, ImportError),
)
"""What reading a file that was cut off or written over may raise."""


def compiled(**options: Any) -> Callable[[Function], Function]:
    """Return a decorator that has Numba compile a function when it is first called.

    The result is kept beside the source or in the user's cache directory. A process that may
    write to neither, such as one in a read-only container, compiles anew, and so does one that
    finds the disk full or what was kept spoilt.
    """

    def decorate(function: Function) -> Function:
        dispatcher: Any = njit(**options)(function)
        # It raises that where there is no place.
        with contextlib.suppress(RuntimeError):
            # As its `enable_caching` does.
            dispatcher._cache = _Kept(dispatcher.py_func)  # type: ignore[no-untyped-call]
        return cast(Function, dispatcher)

    return decorate


class _Kept(FunctionCache):
    """Numba's cache, whose own errors cost a compilation and nothing more."""

    @contextlib.contextmanager
    def _guard_against_spurious_io_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError:
            return
        except _SPOILT:
            with contextlib.suppress(OSError):
                self.flush()  # type: ignore[no-untyped-call]
