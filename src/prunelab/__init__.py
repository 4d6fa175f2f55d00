"""Neural-network pruning, measured: the code behind a report that regenerates itself."""

from importlib.metadata import version

__version__ = version("prunelab")
