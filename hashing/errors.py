"""Errors of the hashing package.

::

    HashingError(ValueError)
    ├── WireError      bytes that are not the structure they claim to be
    ├── TargetError    an nBits value that no header may carry
    └── HeaderError    a header that breaks a consensus rule
"""


class HashingError(ValueError):
    """Base of every error this package raises about its input."""


class WireError(HashingError):
    """Bytes that are truncated, overlong or otherwise not what they claim to be."""


class TargetError(HashingError):
    """An nBits value that is negative, zero, overflowing or above the network's limit."""


class HeaderError(HashingError):
    """A header that breaks a consensus rule.

    Attributes
    ----------
    rule:
        Short stable name of the broken rule, fit for a metric label
        (``pow``, ``link``, ``nbits``, ``mtp``, ``timewarp``, ``version``).
    reject:
        The reject reason that Bitcoin Core gives (``high-hash``, ``bad-diffbits`` ...).
    """

    def __init__(self, rule: str, reject: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule
        self.reject = reject
