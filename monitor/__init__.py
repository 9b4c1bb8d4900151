"""The poolscope agent and its edges: sources, store, exporter, web page, command line."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("poolscope")
except PackageNotFoundError:  # run from a checkout that was never installed
    __version__ = "0+unknown"
