"""Training in memory, masked or not, one net or one a seed."""

from prunelab.train.loop import check_seeds, train, train_seeds, training
from prunelab.train.recipe import Examples, Frames, Recipe, check_rules

__all__ = ["Examples", "Frames", "Recipe", "check_rules", "check_seeds", "train", "train_seeds", "training"]
