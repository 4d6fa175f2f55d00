"""How well a classifier does on a split: one net, or many prunings of it, which share what they can."""

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from prunelab.data import Split
from prunelab.models import linear_layers
from prunelab.models.modes import evaluating
from prunelab.pruning import below_threshold, masked
from prunelab.pruning.kinds import find
from prunelab.pruning.masks import SIGNS

# Examples in one block: their activations stay in the cache from one setting to the next.
_BLOCK = 1000

# Below this density a sparse product beats the dense one (784 x 300 on AVX-512 cores: equal near 0.2).
_SPARSE_BELOW = 0.15


class Evaluation(NamedTuple):
    """What one pass over a split found."""

    loss: float  # mean cross-entropy in nats; NaN where the network's outputs are
    accuracy: float  # fraction of examples whose largest output is the label's, [0, 1]


def evaluate(model: nn.Module, split: Split, *, batch_size: int = 1000) -> Evaluation:
    """Measure a classifier in one pass without gradients; its training modes are as before afterwards.

    Of several largest outputs the first counts as the answer. The losses are summed in float64, so the batch size
    changes the mean by no more than the forward pass itself depends on it.

    Args:
        model: maps inputs (B, C, H, W) to outputs (B, classes), read as logits; on the split's device.
        split: examples to measure on, at least one.
        batch_size: examples in one pass, at least 1.

    Returns:
        (loss, accuracy), also by name.

    Raises:
        ValueError: the split is empty, or `batch_size` is below 1.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size is the number of examples in one pass, at least 1; got {batch_size!r}")
    if not len(split.y):
        raise ValueError("a mean needs an example; the split is empty")
    loss = torch.zeros((), dtype=torch.float64, device=split.y.device)
    correct = torch.zeros((), dtype=torch.int64, device=split.y.device)
    with evaluating(model):
        for x, y in zip(torch.split(split.x, batch_size), torch.split(split.y, batch_size), strict=True):
            outputs = model(x)  # (B, classes)
            loss += nn.functional.cross_entropy(outputs, y, reduction="none").sum(dtype=torch.float64)
            correct += (outputs.argmax(dim=1) == y).sum()
    return Evaluation(loss=float(loss) / len(split.y), accuracy=int(correct) / len(split.y))


def sweep(model: nn.Sequential, split: Split, settings: Iterable[Mapping[str, Tensor]]) -> list[Evaluation]:
    """Measure one net under many replacements of its weights.

    The activations before the first replaced layer are computed once and kept, so settings that touch only a late
    layer cost only the rest of the net. The model is measured in evaluation mode and is not changed.

    Args:
        model: layers in order; maps `split.x` to logits.
        split: examples, on the model's device.
        settings: each a mapping from parameter name to the weights to use, of the same shape; an absent name keeps
            the model's own.

    Returns:
        One score a setting, in order.

    Raises:
        ValueError: an empty split, or a setting that names an unknown parameter.
    """
    _not_empty(split)
    return [_score(rows, split.y) for rows in logits(model, split.x, settings)]


def logits(model: nn.Sequential, x: Tensor, settings: Iterable[Mapping[str, Tensor]]) -> Iterator[Tensor]:
    """Compute what one net puts out under many replacements of its parameters, one setting at a time.

    Args:
        model: layers in order, on the device of `x`; measured in evaluation mode and not changed.
        x: inputs, (N, ...).
        settings: see `sweep`.

    Yields:
        Logits of each setting, (N, classes), in order.

    Raises:
        ValueError: a setting that names an unknown parameter.
    """
    children = dict(model.named_children())
    names = list(children)
    own = {name: dict(child.named_parameters()) for name, child in children.items()}
    before: list[Tensor] = [x]  # before[i]: input of child i with the model's own weights
    for setting in settings:
        replaced = {name: _of_child(name, setting) for name in names}
        if unknown := [key for key in setting if key.partition(".")[2] not in own.get(key.partition(".")[0], {})]:
            raise ValueError(
                f"a setting replaces parameters of the model ({', '.join(dict(model.named_parameters()))}); "
                f"got {unknown[0]!r}"
            )
        first = next((depth for depth, name in enumerate(names) if replaced[name]), len(names))
        # Around the computation alone: between two settings the caller may do as it likes with the model.
        with evaluating(model):
            while len(before) <= first:
                before.append(children[names[len(before) - 1]](before[-1]))
            blocks = [_forward(block, names[first:], children, own, replaced) for block in before[first].split(_BLOCK)]
        yield torch.cat(blocks)


def threshold_sweep(
    model: nn.Sequential, split: Split, thresholds: Sequence[float], signs: Sequence[str] = SIGNS
) -> dict[tuple[str, float], Evaluation]:
    """Measure one multilayer perceptron pruned below each threshold, for each sign.

    The first layer is linear in its weights, so its pre-activations need not be computed anew a setting: going down
    from the largest threshold, each step adds the product of the input with the few weights between two
    thresholds, once for the positive and once for the negative ones, and the two sums serve all three signs.

    Args:
        model: as `prunelab.models.build` makes it.
        split: examples, on the model's device.
        thresholds: absolute weight values, at least 0, in any order.
        signs: of `abs`, `positive`, `negative`.

    Returns:
        (sign, threshold) -> score; equal to pruning and evaluating each setting alone up to float rounding.

    Raises:
        ValueError: an empty split, no threshold, one that is negative or NaN, or an unknown sign.
    """
    _not_empty(split)
    if not thresholds:
        raise ValueError("a sweep needs at least one threshold; got none")
    for sign in signs:
        find("sign", sign)
    first, *later = linear_layers(model)
    layers = dict(model.named_children())
    weights = {name: model.get_parameter(f"{name}.weight").detach() for name in (first, *later)}
    names = list(layers)
    tail = names[names.index(first) + 1 :]
    own = {name: dict(layers[name].named_parameters()) for name in tail}

    descending = sorted(set(thresholds), reverse=True)
    pruned = {
        (sign, threshold): {
            name: {"weight": weight}
            for name, weight in masked(
                {name: weights[name] for name in later},
                below_threshold({name: weights[name] for name in later}, threshold, sign),
            ).items()
        }
        for threshold in descending
        for sign in signs
    }
    bands = [
        _bands(weights[first], upper, lower) for upper, lower in zip([None, *descending], descending, strict=False)
    ]
    rows: dict[tuple[str, float], list[Tensor]] = {setting: [] for setting in pruned}
    with evaluating(model):
        for block in split.x.flatten(1).split(_BLOCK):
            columns = block.T.contiguous()  # (inputs, B): a sparse weight then scales one contiguous row
            whole = {sign: _signed(weights[first], sign) @ columns for sign in ("positive", "negative")}
            kept = {sign: torch.zeros_like(total) for sign, total in whole.items()}  # (units, B)
            bias = model.get_parameter(f"{first}.bias").detach()[:, None]
            for threshold, band in zip(descending, bands, strict=True):
                for sign, part in band.items():
                    kept[sign] += part @ columns
                for sign in signs:
                    positive = whole["positive"] if sign == "negative" else kept["positive"]
                    negative = whole["negative"] if sign == "positive" else kept["negative"]
                    hidden = (positive + negative).add_(bias).T  # (B, units)
                    replaced = {name: pruned[sign, threshold].get(name, {}) for name in tail}
                    rows[sign, threshold].append(_forward(hidden, tail, layers, own, replaced))
        return {setting: _score(torch.cat(blocks), split.y) for setting, blocks in rows.items()}


def _not_empty(split: Split) -> None:
    if len(split) == 0:
        raise ValueError("a measurement needs at least one example; the split is empty")


def _of_child(name: str, setting: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give the part of a setting that replaces one child's parameters, under the child's own names."""
    return {key.removeprefix(f"{name}."): value for key, value in setting.items() if key.startswith(f"{name}.")}


def _forward(
    x: Tensor,
    names: Sequence[str],
    children: Mapping[str, nn.Module],
    own: Mapping[str, Mapping[str, Tensor]],
    replaced: Mapping[str, Mapping[str, Tensor]],
) -> Tensor:
    for name in names:
        child = children[name]
        if isinstance(child, nn.Linear):  # past functional_call, whose checks cost as much as a small product
            parameters = {**own[name], **replaced[name]}
            x = nn.functional.linear(x, parameters["weight"], parameters.get("bias"))
        elif isinstance(child, nn.Tanh):
            # tanh x = 2 sigmoid(2x) - 1, to 2e-7 in float32; torch.tanh takes 9 times as long on a CPU.
            x = x.mul(2).sigmoid_().mul_(2).sub_(1)
        elif replaced[name]:
            x = torch.func.functional_call(child, dict(replaced[name]), (x,))
        else:
            x = child(x)
    return x


def _score(rows: Tensor, y: Tensor) -> Evaluation:
    loss = float(nn.functional.cross_entropy(rows, y))
    return Evaluation(loss=loss, accuracy=float((rows.argmax(1) == y).double().mean()))


def _signed(weight: Tensor, sign: str) -> Tensor:
    return weight.clamp(min=0) if sign == "positive" else weight.clamp(max=0)


def _bands(weight: Tensor, upper: float | None, lower: float) -> dict[str, Tensor]:
    """Split out the weights of `lower` <= |w| < `upper` by sign, each stored as suits its density."""
    size = weight.abs()
    inside = size >= lower if upper is None else (size >= lower) & (size < upper)
    bands = {}
    for sign in ("positive", "negative"):
        band = _signed(weight, sign) * inside
        density = float(band.count_nonzero()) / band.numel()
        if density < _SPARSE_BELOW and weight.device.type == "cpu":
            with warnings.catch_warnings():  # "Sparse CSR tensor support is in beta state"
                warnings.simplefilter("ignore", UserWarning)
                band = band.to_sparse_csr()
        bands[sign] = band
    return bands
