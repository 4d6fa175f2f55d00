"""The families that have a name, made from a classifier and examples."""

from torch import nn

from prunelab.choosing.families import Family, by_global, by_quality, by_sensitivities
from prunelab.choosing.unit_family import by_units, unit_scores
from prunelab.data import Split
from prunelab.measure import evaluate

FAMILIES = ("global", "quality", "sensitivity", "units")


def by_name(name: str, module: nn.Module, examples: Split, *, seed: int = 0) -> Family:
    """Make a family of prunings of a classifier.

    Args:
        name: "global", "quality", "sensitivity" (by cross-entropy) or "units" (absolute mean-replacement saliency).
        module: left as it is.
        examples: for sensitivities, units' scores and means; none of those a bound is tested on.
        seed: of what is drawn.

    Raises:
        ValueError: an unknown family, or a net that it cannot prune.
    """
    if name == "global":
        return by_global(module)
    if name == "quality":
        return by_quality(module)
    if name == "sensitivity":
        return by_sensitivities(module, lambda net: evaluate(net, examples).loss)
    if name == "units":
        return by_units(module, unit_scores(module, examples.x, examples.y, seed=seed), examples.x)
    raise ValueError(f"a family is one of {', '.join(FAMILIES)}; got {name!r}")
