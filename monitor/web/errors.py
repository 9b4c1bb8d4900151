"""Why a request is not answered."""

from __future__ import annotations


class ApiError(Exception):
    """An answer that is an error: HTTP `status` and a message that says what to do."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
