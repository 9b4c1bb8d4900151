"""What blocks tell: coinbases read, pools attributed, concentration measured.

Functions of values, without I/O. NumPy, pandas, SciPy and Numba are imported by the
modules that need them, not by this package.
"""
