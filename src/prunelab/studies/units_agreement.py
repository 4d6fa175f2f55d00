"""How far each score of units agrees with what it estimates: the exact change of the loss."""

import math
from collections.abc import Sequence

import torch
from pandas import DataFrame
from tqdm import tqdm

from prunelab.data import Images
from prunelab.measure.penalty import Probe
from prunelab.pruning.unit_removal import shift
from prunelab.pruning.unit_scores import measure_units
from prunelab.records import Value, to_frame
from prunelab.stats import kendall_tau, t_interval
from prunelab.studies.sparseness_summary import quote
from prunelab.studies.stored_nets import Net
from prunelab.studies.units_corrections import sites_named
from prunelab.studies.units_corrections_tables import AGREEMENT_COLUMNS, AGREEMENT_KEY, Agreement
from prunelab.studies.units_fine_tuning import copied, draws
from prunelab.studies.units_settings import check_scores, laid_out, subsets


def agree(
    nets: Sequence[Net],
    images: Images,
    *,
    scores: Sequence[str],
    layers: Sequence[str],
    scoring: int,
    examples: int,
    progress: bool = True,
) -> DataFrame:
    """Correlate the scores of the units of each layer with the loss change when each is removed alone.

    Args:
        nets: unpruned; left as they are.
        images: what they were trained on.
        scores: of `prunelab.pruning.unit_scores.SCORES`; measured once a net.
        layers: sites looked at; every one when empty.
        scoring: examples of the training part to score units on.
        examples: others of the training part to measure losses on; every unit takes two passes over them behind its
            layer.
        progress: show a progress bar.

    Returns:
        Columns `AGREEMENT_COLUMNS`: for every net each layer, score and replacement.

    Raises:
        ValueError: no net, a layer it does not have, or settings out of range.
    """
    check_scores(scores)
    fixed, like = subsets(images, scoring=scoring, examples=examples), laid_out(images.train)
    rows = []
    for net in tqdm(nets, desc="exact loss changes", unit="net", leave=False, disable=not progress):
        whole = copied(net, like).eval()
        measured = measure_units(whole, fixed.scoring.x, fixed.scoring.y, generator=draws(net))
        probe = Probe(whole, fixed.parts["train"])
        for layer in sites_named(probe.sites, layers, net.model):
            site, units = probe.sites[layer], probe.sites[layer].units
            shifts = [shift(whole, site, torch.arange(units) == unit, measured[layer]) for unit in range(units)]
            exact = {"none": probe.exact(layer), "mean": probe.exact(layer, shifts)}
            for score in scores:
                for replacement, change in exact.items():
                    tau = kendall_tau(measured[layer].scores[score], change) if units > 1 else math.nan
                    rows.append(
                        Agreement(
                            data=net.data,
                            data_id=net.data_id,
                            model=net.model,
                            seed=net.seed,
                            layer=layer,
                            score=score,
                            replacement=replacement,
                            units=units,
                            examples=len(fixed.parts["train"]),
                            tau=None if math.isnan(tau) else tau,
                        )
                    )
    return to_frame(rows, AGREEMENT_KEY)[list(AGREEMENT_COLUMNS)]


def agreement_values(agreement: DataFrame) -> dict[str, Value]:
    """Quote how far each score agrees with the exact loss change: the mean over layers, over seeds with an interval.

    Args:
        agreement: as `agree` gives it, of one net or several.

    Returns:
        `tau-<score>-zeroed` and `tau-<score>-replaced` of the first net, in [-1, 1]; scores alike for all units of a
        layer have none.
    """
    values = {}
    rows = agreement[agreement["model"] == agreement["model"].iloc[0]].dropna(subset=["tau"])
    for (score, replacement), own in rows.groupby(["score", "replacement"], sort=False):
        found = quote(t_interval(own.groupby("seed")["tau"].mean().to_numpy()), "", 2)
        values[f"tau-{score}-{'zeroed' if replacement == 'none' else 'replaced'}"] = found
    return values
