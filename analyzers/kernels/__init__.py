"""Numba kernels of the analyzers: arrays in, arrays out, nothing else."""
