"""Training in memory, masked or not, one net or one a seed."""

from prunelab.train.loop import train, training
from prunelab.train.recipe import Examples, Recipe
from prunelab.train.seeds import check_seeds, train_seeds

__all__ = ["Examples", "Recipe", "check_seeds", "train", "train_seeds", "training"]
