"""What figures of pruned nets say in words: the nets, the knees of their curves, the costs of their layers."""

from pandas import DataFrame

from prunelab.figures import METHODS, listed
from prunelab.studies.common.curves import knee_table


def by_model(table: DataFrame) -> list[tuple[str, DataFrame]]:
    """Split a table by model, in the order it names them."""
    return [(model, table[table["model"] == model]) for model in dict.fromkeys(table["model"])]


def titles(table: DataFrame) -> list[str]:
    """Title each model's panel: the net and its data."""
    return [f"{rows['model'].iloc[0]} on {rows['data'].iloc[0]}" for _, rows in by_model(table)]


def names(table: DataFrame) -> str:
    """Join the titles for a sentence."""
    return listed(titles(table))


def knees_in_words(table: DataFrame) -> str:
    """Say where each curve passes its knee, for who does not see it."""
    knees = knee_table(table)
    parts = []
    for model, rows in by_model(knees):
        found = rows.dropna(subset=["knee_percent"])
        pairs = zip(found["knee_percent"], found["method"], strict=True)
        named = ", ".join(f"{knee:.0f} % ({METHODS[method].label})" for knee, method in pairs)
        parts.append(f"{model}: {named or 'never'}")
    return f"The error exceeds the unpruned one by 20 points at these sparsities: {'; '.join(parts)}."


def ends_in_words(table: DataFrame) -> str:
    """Say what each layer costs at its model's largest threshold."""
    parts = []
    for model, rows in by_model(table):
        last = rows[rows["threshold"] == rows["threshold"].max()].groupby("layer", sort=False)
        means = last[["sparsity", "error_percent"]].mean().reset_index()
        named = ", ".join(
            f"{layer} removes {100 * sparsity:.0f} % of all weights at {error:.1f} % error"
            for layer, sparsity, error in means.itertuples(index=False)
        )
        parts.append(f"{model}: {named}")
    return "; ".join(parts)
