"""The choice of a threshold summed up: what prose quotes."""

from pandas import DataFrame

from prunelab.choosing.confidence import clopper_pearson
from prunelab.records import Value
from prunelab.stats import LEVEL, t_interval
from prunelab.studies.sparseness_summary import quote
from prunelab.studies.threshold_choices_tables import COUNT, SEVERAL, UPPER, VALUE, YES
from prunelab.studies.units_labels import slug


def decided(choices: DataFrame) -> DataFrame:
    """Keep one row a search: those decided as they should be, not by a measured value alone."""
    rows = choices[choices["decided_by"].isin([UPPER, COUNT])]
    kept: DataFrame = rows.drop_duplicates(["data", "model", "seed", "family", "kind", "asked"])
    return kept


def choice_values(choices: DataFrame) -> dict[str, Value]:
    """Quote how far each bound lets each family prune, and how often what was found held on test examples.

    Args:
        choices: as `threshold_choices.choose_thresholds` gives them.

    Returns:
        `pruned-<family>-<kind>-<limit>` (% of the weights, over the seeds that found a pruning; "-<model>" behind it
        where there are several nets); `searches` and `found`, how many; `counts-held` and `counts-found`, of the bounds
        that are counted; of drops searched alone `measurements` in the mean, and how often the drop held on test
        examples when decided by the upper bound, `held-upper-bound`, and by the value measured, `held-value` (%, with
        the exact interval as if all searches were independent).
    """
    values: dict[str, Value] = {}
    once, several = decided(choices), len(set(choices["model"])) > 1
    for (model, family, kind, asked), rows in once[once["found"]].groupby(["model", "family", "kind", "asked"]):
        name = "-".join(["pruned", slug(f"{family}-{kind}-{asked}"), *([slug(str(model))] if several else [])])
        values[name] = quote(t_interval(rows["sparsity_percent"].to_numpy()), "%", 1)
    counts = choices[(choices["decided_by"] == COUNT) & choices["found"]]
    values |= {
        "searches": Value(value=len(once), digits=0),
        "found": Value(value=int(once["found"].sum()), digits=0),
        "counts-found": Value(value=len(counts), digits=0),
        "counts-held": Value(value=int((counts["held"] == YES).sum()), digits=0),
    }
    drops = choices[(choices["kind"] != SEVERAL) & (choices["bound"] == "max_drop")]
    if len(drops):
        values["measurements"] = Value(value=float(drops["measurements"].mean()), digits=1)
    for way in (UPPER, VALUE):
        found = drops[(drops["decided_by"] == way) & drops["found"]]
        if len(found):
            held = int((found["held"] == YES).sum())
            low, high = clopper_pearson(held, len(found), alpha=(1 - LEVEL) / 2)
            share = 100 * held / len(found)
            values[f"held-{slug(way)}"] = Value(value=share, low=100 * low, high=100 * high, unit="%", digits=0)
            values[f"found-{slug(way)}"] = Value(value=len(found), digits=0)
    return values
