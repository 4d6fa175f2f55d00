"""Mean replacement in three steps on one small net, number by number: what figure 1 of the study shows."""

import copy
from dataclasses import dataclass
from typing import Any

from pandas import DataFrame
from torch import nn

from prunelab.data import Images
from prunelab.measure import evaluate
from prunelab.pruning.unit_removal import lowest, remove, shift
from prunelab.pruning.unit_scores import measure_units
from prunelab.pruning.units import layer_of, sites
from prunelab.records import to_frame
from prunelab.studies.units_fine_tuning import checkpoints, copied, draws
from prunelab.studies.units_settings import check_scores, subsets
from prunelab.train import Recipe

_NET = {
    "data": "data set",
    "data_id": "content id of the data set",
    "model": "spec of the net",
    "seed": "seed of initialisation and order",
    "layer": "layer whose units are removed",
}
STEP_KEY = ("data", "model", "seed", "layer", "unit", "next_unit")
STEP_COLUMNS = {
    **_NET,
    "unit": "place of the unit in its layer, from 0",
    "next_unit": "place of a unit in the next layer, from 0",
    "score": "what chose the units",
    "score_value": "the unit's score; those with the lowest are removed",
    "removed": "whether the unit is removed",
    "mean_activation": "mean of the unit's activation over the examples scored on",
    "weight": "weight from the unit to the next one",
    "product": "mean activation times weight",
    "bias": "bias of the next unit before",
    "shift": "what is added to it: the products of the removed units, summed",
    "bias_after": "bias of the next unit after",
}
STEP_LOSS_KEY = ("data", "model", "seed", "layer", "state", "part")
STEP_LOSS_COLUMNS = {
    **_NET,
    "state": "unpruned; zeroed: the units removed; replaced: and their mean carried to the next biases",
    "part": "train: a fixed subset of the training part, none of it scored on; test: of the test part",
    "loss": "mean cross-entropy [nats]",
}


@dataclass(frozen=True, kw_only=True)
class Step:
    """One weight from a unit to a unit of the next layer, and what mean replacement makes of it."""

    data: str
    data_id: str
    model: str
    seed: int
    layer: str
    unit: int
    next_unit: int
    score: str
    score_value: float
    removed: bool
    mean_activation: float
    weight: float
    product: float
    bias: float
    shift: float
    bias_after: float


@dataclass(frozen=True, kw_only=True)
class StepLoss:
    """The loss before, in between or after."""

    data: str
    data_id: str
    model: str
    seed: int
    layer: str
    state: str
    part: str
    loss: float


def three_steps(
    images: Images,
    *,
    model: str,
    seed: int,
    iterations: int,
    recipe: Recipe,
    layer: str,
    score: str,
    fraction: float,
    scoring: int,
    examples: int,
) -> tuple[DataFrame, DataFrame]:
    """Train a net, remove units of one layer and replace them by their mean, keeping every number on the way.

    Args:
        images: data; trained on the training part.
        model: spec of a net with two linear layers or more behind each other.
        seed: of initialisation, order and random scores.
        iterations: training steps.
        recipe: optimizer and rate.
        layer: whose units are removed; a linear layer takes what they give.
        score: how they are chosen, of `prunelab.pruning.unit_scores.SCORES`.
        fraction: of the units, (0, 1); see `lowest`.
        scoring: examples of the training part to score on and to take the means over.
        examples: examples of each part to measure losses on.

    Returns:
        Columns `STEP_COLUMNS`, one row a weight; and `STEP_LOSS_COLUMNS`.

    Raises:
        ValueError: a layer that the net does not have, or whose units do not each go to a linear layer by one weight;
            or what training and scoring refuse.
    """
    check_scores([score])
    fixed = subsets(images, scoring=scoring, examples=examples)
    [net] = checkpoints((), images, models=[model], seeds=[seed], steps=[iterations], recipe=recipe, progress=False)
    whole = copied(net, images.train).eval()
    found = sites(whole)
    consumer = layer_of(whole, found[layer].consumer) if layer in found else None
    if not isinstance(consumer, nn.Linear) or consumer.in_features != found[layer].units:
        raise ValueError(
            f"the three steps are shown where each unit goes to a linear layer by one weight; {model} has "
            f"{', '.join(found)} to remove units from; got {layer!r}"
        )
    measured = measure_units(whole, fixed.scoring.x, fixed.scoring.y, generator=draws(net))[layer]
    gone = lowest(measured.scores[score], fraction)
    added = shift(whole, found[layer], gone, measured)
    zeroed, replaced = copy.deepcopy(whole), copy.deepcopy(whole)
    remove(zeroed, {layer: gone})
    remove(replaced, {layer: gone}, shifts={layer: added})

    named: dict[str, Any] = {"data": net.data, "data_id": net.data_id, "model": model, "seed": seed, "layer": layer}
    weight, before = consumer.weight.detach().double().cpu(), consumer.bias.detach()
    after = layer_of(replaced, found[layer].consumer).bias
    assert after is not None  # linear layers of this package have one
    rows = [
        Step(
            **named,
            unit=unit,
            next_unit=place,
            score=score,
            score_value=float(measured.scores[score][unit]),
            removed=bool(gone[unit]),
            mean_activation=float(measured.mean[unit]),
            weight=float(weight[place, unit]),
            product=float(measured.mean[unit] * weight[place, unit]),
            bias=float(before[place]),
            shift=float(added[place]),
            bias_after=float(after.detach()[place]),
        )
        for unit in range(found[layer].units)
        for place in range(len(weight))
    ]
    states: dict[str, nn.Module] = {"unpruned": whole, "zeroed": zeroed, "replaced": replaced}
    losses = [
        StepLoss(**named, state=state, part=part, loss=evaluate(module, split).loss)
        for state, module in states.items()
        for part, split in fixed.parts.items()
    ]
    return (
        to_frame(rows, STEP_KEY)[list(STEP_COLUMNS)],
        to_frame(losses, STEP_LOSS_KEY)[list(STEP_LOSS_COLUMNS)],
    )
