"""The choice of a threshold summed up: how far each bound lets each family prune, and how often it held."""

from pandas import DataFrame

from prunelab.choosing.bounds import clopper_pearson
from prunelab.stats import LEVEL
from prunelab.studies.choices.tables import COUNT, SEVERAL, UPPER, VALUE, YES, ThresholdsFound, ThresholdsHeld
from prunelab.summaries import over_seeds


def decided(choices: DataFrame) -> DataFrame:
    """Keep one row a search: those decided as they should be, not by a measured value alone."""
    rows = choices[choices["decided_by"].isin([UPPER, COUNT])]
    return rows.drop_duplicates(["data", "model", "seed", "family", "kind", "asked"])


def found_table(choices: DataFrame) -> DataFrame:
    """Average what each bound lets each family prune over the seeds that found a pruning, as `ThresholdsFound`."""
    once = decided(choices)
    by = ["data", "data_id", "model", "family", "kind", "asked"]
    return ThresholdsFound.frame(over_seeds(once[once["found"]], by, "sparsity_percent"))


def held_table(choices: DataFrame) -> DataFrame:
    """Count how often what was found held when measured again, as `ThresholdsHeld`."""
    drops = choices[(choices["kind"] != SEVERAL) & (choices["bound"] == "max_drop")]
    looked_at = {COUNT: choices[choices["decided_by"] == COUNT]}
    looked_at |= {way: drops[drops["decided_by"] == way] for way in (UPPER, VALUE)}
    rows = []
    for way, own in looked_at.items():
        found = own[own["found"]]
        if found.empty:
            continue
        held = int((found["held"] == YES).sum())
        low, high = clopper_pearson(held, len(found), alpha=(1 - LEVEL) / 2)
        rows.append(
            ThresholdsHeld(
                decided_by=way,
                found=len(found),
                held=held,
                held_percent=100 * held / len(found),
                low=100 * low,
                high=100 * high,
                measurements=float(own["measurements"].mean()),
            )
        )
    return ThresholdsHeld.frame(rows)
