"""How all kernels are compiled: kept on disk, where there is a place for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from numba import njit

Function = Callable[..., Any]


def compiled(**options: Any) -> Callable[[Function], Function]:
    """Return a decorator that has Numba compile a function when it is first called.

    The result is kept beside the source or in the user's cache directory. A process that may
    write to neither, such as one in a read-only container, compiles anew.
    """

    def decorate(function: Function) -> Function:
        try:
            return cast(Function, njit(cache=True, **options)(function))
        except RuntimeError:
            return cast(Function, njit(**options)(function))

    return decorate
