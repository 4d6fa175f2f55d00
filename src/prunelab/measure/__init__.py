"""Measurements of a network: sparsity and size, operations, accuracy."""

from prunelab.measure.flops import Flops, flops
from prunelab.measure.sparsity import WHOLE, Count, Size, count, sizes
from prunelab.measure.sweep import Evaluation, evaluate

__all__ = ["WHOLE", "Count", "Evaluation", "Flops", "Size", "count", "evaluate", "flops", "sizes"]
