"""What a header proves: bytes, targets, chains and the SHA-256d core.

Pure functions of values. Nothing here does I/O, and importing this package
imports neither NumPy nor Numba; the kernels load when they are first used.
"""
