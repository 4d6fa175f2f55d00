"""Experiments 4, 9 and 11 of the mean-replacement study: what is left of a penalty after some steps of tuning."""

import copy
import math
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any
from zlib import crc32

import torch
from pandas import DataFrame
from torch import Tensor, nn
from tqdm import tqdm

from prunelab.data import Images, Split
from prunelab.measure import Evaluation, evaluate
from prunelab.pruning import check
from prunelab.pruning.unit_removal import lowest, remove, shift
from prunelab.pruning.unit_scores import Measured, measure_units
from prunelab.pruning.units import sites
from prunelab.records import to_frame
from prunelab.studies.stored_nets import Net, open_nets
from prunelab.studies.units_settings import ALL, REPLACEMENTS, check_scores, lay_out, subsets
from prunelab.studies.units_trajectory import Plan, trajectories
from prunelab.studies.units_tuning_tables import FINE_TUNED_COLUMNS, FINE_TUNED_KEY, NOTHING, NOWHERE, FineTuned
from prunelab.train import Recipe, training

_SMALL = ("conv-10k3p-20k3-40",)  # trained where neither runs nor models are named
_NAMES = ("model", "seed", "step")  # what tells stored nets apart


def checkpoints(
    runs: Sequence[str],
    images: Images,
    *,
    models: Sequence[str],
    seeds: Sequence[int],
    steps: Sequence[int],
    recipe: Recipe,
    device: str = "cpu",
    progress: bool = True,
) -> list[Net]:
    """Open nets that other runs stored along their training, or train small ones where no run is named.

    Args:
        runs: folders of runs that hold nets with the iterations they had done; empty to train here.
        images: what the nets were trained on, as `units_settings.load` gives it.
        models: specs to take, all that the runs hold when empty; without runs, specs to train.
        seeds: seeds to take, all when empty; without runs, seeds to train, at least one.
        steps: iterations done of the nets to take, all when empty; without runs, when to store, at least one.
        recipe: without runs, how to train.
        device: where the nets go.
        progress: show progress bars.

    Returns:
        One net a model, seed and step.

    Raises:
        ValueError: a model, seed or step that the runs lack, one net stored twice, nothing to train, a training that
            diverged, or what `open_nets` refuses.
    """
    if not runs:
        if not steps or min(steps) < 1:
            raise ValueError(f"nets are stored along their training after 1 step or more; got steps={list(steps)}")
        last = max(steps)
        # What a trajectory measures on its way is not wanted here: one look at the end, on one example.
        idle: dict[str, Any] = {"all_every": 0, "fraction": 0.1, "scores": ("random",), "squares_layer": ""}
        plan = Plan(iterations=last, every=last, choose_every=last, store=tuple(steps), **idle)
        settings: dict[str, Any] = {"seeds": seeds, "recipe": recipe, "plan": plan, "progress": progress}
        return [
            net
            for model in dict.fromkeys(models or _SMALL)
            for net in trajectories(images, model=model, scoring=1, examples=1, **settings).nets
        ]
    stored = open_nets(runs, images, models=(), seeds=(), epochs=1, device=device)
    unpruned = [net for net in stored if net.step is not None and not net.pruning]
    found = [(net.model, net.seed, net.step) for net in unpruned]
    if len(set(found)) < len(found):
        raise ValueError(f"a model, seed and step name one net; {list(runs)} hold some twice: name one run of them")
    # None stands for any; every model is to have the seeds and steps that are asked for.
    given: list[Sequence[object]] = [models or list(dict.fromkeys(net.model for net in unpruned)), seeds, steps]
    asked = list(product(*(values or [None] for values in given)))
    for wanted in asked:
        if not any(_fits(key, wanted) for key in found):
            named = ", ".join(f"{what} {one}" for what, one in zip(_NAMES, wanted, strict=True) if one is not None)
            raise ValueError(
                "units are removed from unpruned nets stored along their training, and the runs hold (model, seed, "
                f"step) {found or 'none'}; got none of {named or 'any model'}: store it, or leave it out"
            )
    return [net for net, key in zip(unpruned, found, strict=True) if any(_fits(key, wanted) for wanted in asked)]


def fine_tune(
    nets: Sequence[Net],
    images: Images,
    *,
    scores: Sequence[str],
    layers: Sequence[str],
    fraction: float,
    recipe: Recipe,
    tuning_steps: Sequence[int] = (10, 100, 500),
    scoring: int,
    examples: int,
    sequential: bool = False,
    progress: bool = True,
) -> DataFrame:
    """Remove units from every net, zeroed and replaced by their mean, and measure the loss as the rest is tuned.

    Every variant of a net sees the same batches. Where two scores choose the same units they are tuned once.

    Args:
        nets: unpruned, with the iterations they have done; left as they are.
        images: what they were trained on, as `units_settings.load` gives it.
        scores: of `prunelab.pruning.unit_scores.SCORES`; measured once a net.
        layers: sites whose units are removed, one at a time; "all" for every site at once.
        fraction: of each layer's units, (0, 1); see `lowest`.
        recipe: optimizer and rate of the tuning, which starts with new momentum.
        tuning_steps: when to measure, besides right after the removal (0).
        scoring: examples of the training part to score units on.
        examples: examples of the training and of the test part to measure losses on.
        sequential: as in `take_out`, for "all".
        progress: show a progress bar.

    Returns:
        Columns `FINE_TUNED_COLUMNS`: for every net each layer, score and replacement, and the control, the unpruned
        net tuned alike, whose score is "nothing" and whose layer and replacement are "none".

    Raises:
        ValueError: a net that is pruned or does not say its step, a layer it does not have, settings out of range, or
            a tuning that diverged.
    """
    check_scores(scores)
    _check(nets, layers, fraction, tuning_steps)
    fixed, train = subsets(images, scoring=scoring, examples=examples), images.train
    variants = [(NOWHERE, NOTHING, "none"), *product(layers, scores, REPLACEMENTS)]
    rows: list[FineTuned] = []
    for net in nets:
        whole = copied(net, train)
        named: dict[str, Any] = {name: getattr(net, name) for name in ("data", "data_id", "model", "seed", "step")}
        measured = measure_units(whole, fixed.scoring.x, fixed.scoring.y, generator=draws(net))
        before = evaluated(whole, fixed.parts)
        tuned: dict[tuple[object, ...], dict[int, dict[str, Evaluation]]] = {}
        label = f"fine-tune {net.model}, seed {net.seed}, step {net.step}"
        for layer, score, replacement in tqdm(variants, desc=label, unit="net", leave=False, disable=not progress):
            chosen = list(measured) if layer == ALL else [layer] if layer in measured else []
            gone = {name: lowest(measured[name].scores[score], fraction) for name in chosen}
            key = (replacement, *((name, *flags.tolist()) for name, flags in gone.items()))
            if key not in tuned:
                pruned = copy.deepcopy(whole)
                again = fixed.scoring if sequential else None
                masks = take_out(pruned, gone, measured, replacement=replacement, again=again)
                tuned[key] = {0: evaluated(pruned, fixed.parts)}
                batches = draws(net, "tuning")
                steps = training(pruned, train, recipe, generator=batches, masks=masks, steps=max(tuning_steps))
                for done, _ in enumerate(steps, start=1):
                    if done in tuning_steps:
                        tuned[key][done] = evaluated(pruned, fixed.parts)
                check(pruned, masks)
            removal: dict[str, Any] = {"layer": layer, "score": score, "replacement": replacement}
            for (done, parts), part in product(tuned[key].items(), fixed.parts):
                loss = before[part].loss
                measurement: dict[str, Any] = {"part": part, "loss": loss, "penalty": parts[part].loss - loss}
                rows.append(FineTuned(**named, **removal, tuning_steps=done, **measurement))
    return to_frame(rows, FINE_TUNED_KEY)[list(FINE_TUNED_COLUMNS)]


def take_out(
    model: nn.Module,
    gone: Mapping[str, Tensor],
    measured: Mapping[str, Measured],
    *,
    replacement: str,
    again: Split | None = None,
) -> dict[str, Tensor]:
    """Remove units in place, zeroed ("none") or replaced by their mean ("mean").

    Args:
        model: see `prunelab.pruning.units.sites`.
        gone: site -> (U,) bool, True = removed.
        measured: site -> its units, as measured on this net.
        replacement: "none" or "mean".
        again: examples on which the means are measured anew before each site but the first, from the first site to the
            last, with the sites before removed and replaced; all means are those of `measured` when absent.

    Returns:
        Parameter name -> bool mask, True = kept.
    """
    found = sites(model)
    gone = {name: gone[name] for name in found if name in gone and bool(gone[name].any())}
    if replacement == "none":
        return remove(model, gone)
    if again is None:
        shifts = {name: shift(model, found[name], flags, measured[name]) for name, flags in gone.items()}
        return remove(model, gone, shifts=shifts)
    masks: dict[str, Tensor] = {}
    for place, (name, flags) in enumerate(gone.items()):
        if place:
            measured = measure_units(model, again.x, again.y, generator=torch.Generator())
        added = shift(model, found[name], flags, measured[name])
        for parameter, mask in remove(model, {name: flags}, shifts={name: added}).items():
            masks[parameter] = mask & masks.get(parameter, mask)
    return masks


def copied(net: Net, split: Split) -> nn.Sequential:
    """Copy a net to the device of a split, laid out as it trains fastest."""
    return lay_out(copy.deepcopy(net.module)).to(split.x.device)


def draws(net: Net, use: str = "") -> torch.Generator:
    """Give a generator that depends on the net's seed, its step and the use alone.

    Without a use it is that of the study's random scores, so that all experiments on a net choose the same units.
    """
    number = net.seed * 1_000_003 + (net.step or 0)
    return torch.Generator().manual_seed((number ^ crc32(use.encode())) % 2**63)  # of nothing crc32 is 0


def evaluated(model: nn.Module, parts: Mapping[str, Split]) -> dict[str, Evaluation]:
    """Measure a net on every part.

    Raises:
        ValueError: a loss is not finite.
    """
    found = {part: evaluate(model, split) for part, split in parts.items()}
    if odd := [f"{one.loss} on {part}" for part, one in found.items() if not math.isfinite(one.loss)]:
        raise ValueError(f"tuning diverged: the loss is {odd[0]} examples; lower learning_rate")
    return found


def _fits(key: tuple[object, ...], wanted: tuple[object, ...]) -> bool:
    return all(one is None or one == held for one, held in zip(wanted, key, strict=True))


def _check(nets: Sequence[Net], layers: Sequence[str], fraction: float, tuning_steps: Sequence[int]) -> None:
    if not nets or not layers or len(set(layers)) != len(layers):
        raise ValueError(f"units are removed from nets, in layers named once; got {len(nets)} nets, {list(layers)}")
    for net in nets:
        if net.pruning or net.step is None:
            raise ValueError(
                f"fine-tuning starts from unpruned nets that say how long they were trained; {net.model}, seed "
                f"{net.seed}, has pruning {net.pruning!r} and step {net.step}"
            )
        known = [*sites(net.module), ALL]
        if odd := [layer for layer in layers if layer not in known]:
            raise ValueError(f"layers of {net.model} whose units can be removed are {', '.join(known)}; got {odd[0]!r}")
    if not 0 < fraction < 1:
        raise ValueError(f"fraction is the part of a layer's units to remove, in (0, 1); got {fraction!r}")
    if not tuning_steps or min(tuning_steps) < 1 or len(set(tuning_steps)) != len(tuning_steps):
        raise ValueError(f"tuning_steps are distinct and each at least 1; got {list(tuning_steps)}")
