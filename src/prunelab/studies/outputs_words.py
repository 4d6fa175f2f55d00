"""What the figures of study 0 say in words: alt texts with the numbers a reader would see."""

from pandas import DataFrame

from prunelab.figures import METHODS
from prunelab.studies.sparseness_words import by_model

SIGNS = ("abs", "positive", "negative")
LAST_BIN = "The last bin of a ReLU holds all larger outputs too."


def named(method: str) -> str:
    """Name a method where there is no room for its explanation."""
    return METHODS[method].label.split(" (")[0]


def unpruned_bins(rows: DataFrame) -> DataFrame:
    """Keep one row a bin of the unpruned net, whose rows may be repeated at every threshold.

    Args:
        rows: histograms of one net.

    Raises:
        ValueError: the net has no rows of method "baseline".
    """
    base: DataFrame = rows[rows["method"] == "baseline"].drop_duplicates("bin_low").sort_values("bin_low")
    if base.empty:
        net = rows["model"].iloc[0]
        raise ValueError(f"a net's histograms hold its unpruned outputs as method 'baseline'; {net} lacks them")
    return base


def means_in_words(histograms: DataFrame, pruned: DataFrame) -> str:
    """Say each net's mean output, unpruned and under each method.

    Args:
        histograms: all rows, baseline included.
        pruned: the rows of one threshold a net.
    """
    parts = []
    for model, rows in by_model(histograms):
        here = pruned[pruned["model"] == model]
        said = [f"unpruned {_mean(unpruned_bins(rows)):.2f}"]
        said += [f"{named(method)} {_mean(here[here['method'] == method]):.2f}" for method in SIGNS]
        parts.append(f"{model}: {', '.join(said)}")
    return f"Means of the binned outputs: {'; '.join(parts)}."


def shifts_in_words(chosen: DataFrame) -> str:
    """Say how far each method shifts the first layer and the last, at one threshold a net."""
    parts = []
    for model, rows in by_model(chosen):
        means = rows.pivot_table("mean_shift", index="method", columns="depth").loc[list(SIGNS)]
        said = (
            f"{named(method)} {means.loc[method].iloc[0]:.2f} to {means.loc[method].iloc[-1]:.2f}" for method in SIGNS
        )
        parts.append(f"{model}: {', '.join(said)}")
    return f"From the first layer to the last: {'; '.join(parts)}."


def _mean(bins: DataFrame) -> float:
    """The mean of binned outputs, each taken at the middle of its bin."""
    return float(((bins["bin_low"] + bins["bin_high"]) / 2 * bins["share"]).sum() / bins["share"].sum())
