"""Which mean, and is a mean enough? What can be done about removed units without training on, and what that costs."""

from collections.abc import Mapping, Sequence
from typing import Any

from pandas import DataFrame
from tqdm import tqdm

from prunelab.data import Images
from prunelab.pruning.unit_removal import lowest
from prunelab.pruning.units import Site
from prunelab.records import to_frame
from prunelab.studies.stored_nets import Fit, Net, open_stored
from prunelab.studies.units_corrections_bench import Bench, Made
from prunelab.studies.units_corrections_tables import CORRECTION_COLUMNS, CORRECTION_KEY, Correction
from prunelab.studies.units_fine_tuning import checkpoints
from prunelab.studies.units_settings import check_scores, laid_out, subsets
from prunelab.train import Recipe

_SMALL = ("conv-10k3p-20k3-40", "conv-10k3p-20k3-40-same-bn")  # trained where neither runs nor models are named


def last_nets(
    runs: Sequence[str],
    images: Images,
    *,
    models: Sequence[str],
    seeds: Sequence[int],
    iterations: int,
    recipe: Recipe,
    device: str = "cpu",
    progress: bool = True,
) -> list[Net]:
    """Open the unpruned nets of other runs, each as it was last stored, or train small ones where no run is named.

    Args:
        runs: folders of runs that hold nets; empty to train here.
        images: what the nets were trained on.
        models: specs to take, all that the runs hold when empty; without runs, specs to train.
        seeds: seeds to take, all when empty; without runs, seeds to train, at least one.
        iterations: without runs, how long to train.
        recipe: without runs, how to train.
        device: where the nets go.
        progress: show progress bars.

    Returns:
        One net a model and seed, in the order of the runs.

    Raises:
        ValueError: a model or seed that the runs lack, or what opening and training refuse.
    """
    if not runs:
        return checkpoints(
            (), images, models=models or _SMALL, seeds=seeds, steps=[iterations], recipe=recipe, progress=progress
        )
    fit = Fit(data=images.name, data_id=images.content_id, inputs=images.shape, classes=len(images.classes))
    stored = [net for net in open_stored(runs, fit, device=device) if not net.pruning]
    held = {(net.model, net.seed) for net in stored}
    for what, place, asked in (("model", 0, models), ("seed", 1, seeds)):
        if missing := [name for name in asked if name not in {key[place] for key in held}]:
            raise ValueError(
                f"the runs hold nets {sorted(held)}; got no {what} {missing[0]!r}: train it, or leave it out"
            )
    last: dict[tuple[str, int], Net] = {}
    for net in stored:  # one stored without its iterations is that of the end
        key = (net.model, net.seed)
        if key not in last or _done(net) >= _done(last[key]):
            last[key] = net
    taken = [net for (model, seed), net in last.items() if model in (models or [model]) and seed in (seeds or [seed])]
    if not taken:
        raise ValueError(f"the runs hold nets {sorted(held)}; got none of {list(models)} with seeds {list(seeds)}")
    return taken


def correct(
    nets: Sequence[Net],
    images: Images,
    *,
    scores: Sequence[str],
    layers: Sequence[str],
    fraction: float,
    recipe: Recipe,
    tuning_steps: Sequence[int],
    scoring: int,
    examples: int,
    progress: bool = True,
) -> DataFrame:
    """Remove units from every net, one layer at a time, and measure what each correction leaves of the penalty.

    Every correction starts from the unpruned net and looks at the examples scored on, but for training on, which draws
    from the whole training part. Where two scores choose the same units, what was measured once counts for both.

    Args:
        nets: unpruned; left as they are.
        images: what they were trained on.
        scores: of `prunelab.pruning.unit_scores.SCORES`; measured once a net.
        layers: sites whose units are removed, one at a time; every one when empty.
        fraction: of each layer's units, (0, 1); see `lowest`.
        recipe: optimizer and rate of training on, which starts with new momentum; its batches are what costs are in.
        tuning_steps: numbers of steps to train on for; none when empty.
        scoring: examples of the training part to score units on, and to take means, moments and statistics from.
        examples: examples of the training and of the test part to measure losses on.
        progress: show a progress bar.

    Returns:
        Columns `CORRECTION_COLUMNS`: for every net each layer, score, correction and part.

    Raises:
        ValueError: no net, a net that is pruned, a layer it does not have, settings out of range, or a loss that is not
            finite.
    """
    check_scores(scores)
    if not nets or not 0 < fraction < 1:
        raise ValueError(
            f"units are removed from one net or more, a fraction in (0, 1) of each layer; got {fraction!r}"
        )
    if (tuning_steps and min(tuning_steps) < 1) or len(set(tuning_steps)) != len(tuning_steps):
        raise ValueError(f"tuning_steps are distinct and each at least 1; got {list(tuning_steps)}")
    fixed, train = subsets(images, scoring=scoring, examples=examples), laid_out(images.train)
    rows: list[Correction] = []
    for net in nets:
        bench = Bench(net, fixed.scoring, fixed.parts, train, recipe, tuning_steps)
        named: dict[str, Any] = {"data": net.data, "data_id": net.data_id, "model": net.model, "seed": net.seed}
        controls = {name: made.penalties for name, made in bench.whole_net({})}
        found: dict[tuple[object, ...], dict[str, Made]] = {}
        places = [(layer, score) for layer in sites_named(bench.sites, layers, net.model) for score in scores]
        label = f"correct {net.model}, seed {net.seed}"
        for layer, score in tqdm(places, desc=label, unit="removal", leave=False, disable=not progress):
            gone = lowest(bench.measured[layer].scores[score], fraction)
            key = (layer, *gone.tolist())
            if key not in found:
                site = bench.sites[layer]
                found[key] = dict([*bench.next_layer(site, gone), *bench.whole_net({layer: gone})])
            for correction, made in found[key].items():
                for part, probe in bench.probes.items():
                    rows.append(
                        Correction(
                            **named,
                            layer=layer,
                            score=score,
                            correction=correction,
                            part=part,
                            units=len(gone),
                            removed=int(gone.sum()),
                            loss=probe.loss,
                            penalty=made.penalties[part],
                            control=controls.get(correction, {}).get(part, 0.0),
                            left_percent=made.left_percent,
                            operations=made.operations / bench.operations.step,
                        )
                    )
    return to_frame(rows, CORRECTION_KEY)[list(CORRECTION_COLUMNS)]


def sites_named(found: Mapping[str, Site], layers: Sequence[str], model: str) -> list[str]:
    """List a net's sites of some names, or all of them where none is named.

    Raises:
        ValueError: a name is none of its sites', or stands twice.
    """
    if len(set(layers)) != len(layers) or not set(layers) <= set(found):
        raise ValueError(f"layers of {model} whose units can be removed are {', '.join(found)}; got {list(layers)}")
    return list(layers or found)


def _done(net: Net) -> float:
    return float("inf") if net.step is None else net.step
