"""What pruning gains on hardware: one net, pruned by weights or by units, in every form it can be stored and run in.

Nets pruned in one shot to the same number of weights are brought into each form, and the outputs of all forms are
compared before anything is counted or timed. What is counted (`form_table`) is the same in every
run; what is timed (`time_forms`) is not.
"""

import copy
import tempfile
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from pandas import DataFrame
from safetensors.torch import load_file
from torch import Tensor, nn
from tqdm import tqdm

from prunelab.data import Images, Split, load_images
from prunelab.deploy import FORMS, Form, make, without_dead_units
from prunelab.deploy.export import refuse_other_outputs
from prunelab.deploy.forms import MASKED, ONNX, SHRUNK, exporter, stored
from prunelab.deploy.shrinking import smaller_spec
from prunelab.measure import WHOLE, count, evaluate
from prunelab.measure.latency import all_threads, interleaved, threads
from prunelab.measure.memory import child_peak, measurable
from prunelab.models import build
from prunelab.pruning import apply, keep_within, prunable
from prunelab.pruning.selection import removed_count
from prunelab.pruning.unit_removal import lowest, take_out
from prunelab.pruning.unit_scores import measure_units
from prunelab.pruning.units import layer_of, sites
from prunelab.records import to_frame
from prunelab.studies.common import units as common_units
from prunelab.studies.common.nets import Net, copied, draws, lay_out
from prunelab.studies.common.units import laid_out
from prunelab.studies.hardware.tables import (
    DENSE,
    FORM_COLUMNS,
    FORM_KEY,
    MEMORY_COLUMNS,
    MEMORY_KEY,
    NONE,
    TIME_KEY,
    UNITS,
    WEIGHTS,
    FormRow,
    Memory,
    Round,
)


@dataclass(frozen=True, kw_only=True, eq=False)
class PrunedNet:
    """One net pruned in one way; its removed weights are zeros."""

    pruning: str  # none, weights or units
    sparsity_asked: float
    module: nn.Sequential
    weights: int  # prunable ones of the unpruned net
    kept: int  # of these, left

    @property
    def sparsity(self) -> float:
        """Fraction of the prunable weights removed."""
        return 1 - self.kept / self.weights


def load(data: str, *, standardised: bool) -> Images:
    """Load images as the nets saw them when they were trained.

    Args:
        data: see `prunelab.data.load_images`.
        standardised: whether channels were brought to mean 0 and deviation 1, as for the study on units; pixels from 0
            to 1 otherwise.
    """
    return common_units.load(data) if standardised else load_images(data)


def one_shot(
    net: Net,
    images: Images,
    *,
    sparsities: Sequence[float],
    prunings: Sequence[str] = (WEIGHTS, UNITS),
    score: str = "mrs-abs",
    scoring: int = 250,
) -> list[PrunedNet]:
    """Prune a net in several ways and to several sparsities, each time from the unpruned one, without training on.

    Single weights are those smallest in magnitude, by one threshold for all layers. Units are those with the lowest
    scores, layer by layer from the first, each replaced by its mean, which is measured anew on the net as it is by then
    and carried to the next bias; how many each layer keeps is `widths_within`.

    Args:
        net: unpruned; not changed.
        images: what it was trained on.
        sparsities: fractions of its prunable weights to remove, in (0, 1), ascending.
        prunings: "weights", "units" or both.
        score: what units are chosen by, see `prunelab.pruning.unit_scores.SCORES`.
        scoring: examples of the training part to score units on and take means from.

    Returns:
        The unpruned net, and each pruning at each sparsity, laid out as it runs fastest.

    Raises:
        ValueError: sparsities or prunings out of range, a net that is pruned already, or a sparsity that leaves fewer
            weights than one unit a layer has.
    """
    if net.pruning:
        raise ValueError(f"nets are pruned from the whole; {net.model}, seed {net.seed}, is {net.pruning!r} already")
    ascending = list(sparsities) == sorted(set(sparsities))
    if not sparsities or not ascending or not 0 < sparsities[0] <= sparsities[-1] < 1:
        raise ValueError(f"sparsities are fractions in (0, 1), ascending; got {list(sparsities)}")
    if not prunings or not set(prunings) <= {WEIGHTS, UNITS}:
        raise ValueError(f"what is removed is {WEIGHTS} or {UNITS}; got {list(prunings)}")
    common_units.check_scores([score])
    with threads(1):  # sums, and so the choice of units, do not depend on how many there are
        return _each_net(net, images, sparsities, prunings, score, scoring)


def all_one_shot(
    nets: Sequence[Net],
    images: Images,
    *,
    sparsities: Sequence[float],
    prunings: Sequence[str] = (WEIGHTS, UNITS),
    score: str = "mrs-abs",
    scoring: int = 250,
) -> list[tuple[Net, list[PrunedNet]]]:
    """Prune every net as `one_shot` does, and keep each beside its prunings."""
    settings: dict[str, Any] = {"sparsities": sparsities, "prunings": prunings, "score": score, "scoring": scoring}
    return [(net, one_shot(net, images, **settings)) for net in nets]


def widths_within(model: nn.Module, kept: int) -> dict[str, int]:
    """Say how many units each layer keeps so that no more weights are left than a number.

    From one unit a layer, units are given one by one to the layer that keeps the smallest share of its own, among
    those where another one fits. So layers keep about the same share, and a last layer or two fill up what is left.

    Args:
        model: see `prunelab.pruning.units.sites`.
        kept: weights to keep at the most.

    Returns:
        Site -> units to keep, at least 1.

    Raises:
        ValueError: one unit a layer has more weights.
    """
    found = sites(model)
    units = {name: site.units for name, site in found.items()}
    chain = [*found, next(reversed(found.values())).consumer]
    outputs = [*units.values(), len(layer_of(model, chain[-1]).weight)]
    inputs = [1, *units.values()]  # the first layer's inputs all stay
    each = [  # weights from one unit to one unit
        layer_of(model, name).weight.numel() // (before * after)
        for name, before, after in zip(chain, inputs, outputs, strict=True)
    ]

    def weights(widths: Mapping[str, int]) -> int:
        left = [1, *widths.values(), outputs[-1]]
        return sum(size * before * after for size, (before, after) in zip(each, pairwise(left), strict=True))

    widths = dict.fromkeys(units, 1)
    if weights(widths) > kept:
        raise ValueError(f"one unit a layer has {weights(widths)} weights; got {kept} to keep: ask for less sparsity")
    while True:
        wider = [
            name for name in units if widths[name] < units[name] and weights(widths | {name: widths[name] + 1}) <= kept
        ]
        if not wider:
            return widths
        widths[min(wider, key=lambda name: widths[name] / units[name])] += 1


def _each_net(
    net: Net, images: Images, sparsities: Sequence[float], prunings: Sequence[str], score: str, scoring: int
) -> list[PrunedNet]:
    whole = copied(net, images.train).eval()
    total = count(whole)[-1].weights
    found = [PrunedNet(pruning=NONE, sparsity_asked=0.0, module=whole, weights=total, kept=_kept(whole))]
    scored = common_units.subsets(images, scoring=scoring, examples=1).scoring
    for pruning in prunings:
        for sparsity in sparsities:
            kept = total - removed_count(sparsity, total, name="sparsity")
            module = copy.deepcopy(whole)
            if pruning == WEIGHTS:
                apply(module, keep_within(prunable(module), kept))
            else:
                _remove_units(module, kept, scored, score, draws(net))
            found.append(
                PrunedNet(pruning=pruning, sparsity_asked=sparsity, module=module, weights=total, kept=_kept(module))
            )
    return found


def _remove_units(module: nn.Module, kept: int, scored: Split, score: str, generator: torch.Generator) -> None:
    """Take units out in place, each replaced by its mean."""
    widths = widths_within(module, kept)
    measured = measure_units(module, scored.x, scored.y, generator=generator)
    gone = {name: lowest(one.scores[score], 1 - widths[name] / len(one.mean)) for name, one in measured.items()}
    take_out(module, gone, measured, replacement="mean", again=scored)


def _kept(module: nn.Module) -> int:
    return next(row.kept for row in count(module) if row.layer == WHOLE)


# What each pruning is looked at in. Unpruned: the reference of either library.
ALL_FORMS: Mapping[str, tuple[str, ...]] = {
    NONE: (DENSE, ONNX),
    WEIGHTS: (MASKED, "csr-torch", "csr-scipy", SHRUNK),
    UNITS: (MASKED, SHRUNK, ONNX),
}


_BATCH = 500


Pruned = Sequence[tuple[Net, Sequence[PrunedNet]]]  # nets with their prunings, as `hardware_nets.one_shot` gives them


def form_table(
    pruned: Pruned, images: Images, *, forms: Mapping[str, Sequence[str]] = ALL_FORMS, examples: int = 1000
) -> DataFrame:
    """Count what every form takes, and measure the accuracy of every pruned net.

    Args:
        pruned: nets with their prunings.
        images: what they were trained on.
        forms: pruning -> forms, of `FORMS` or "dense".
        examples: of the test part that outputs are compared on, all of a smaller one; accuracy is on all of it.

    Returns:
        Columns `FORM_COLUMNS`.

    Raises:
        ValueError: no net, an unknown form, or a form whose outputs differ from the masked net's by more than rounding.
    """
    if examples < 1:
        raise ValueError(f"outputs are compared on 1 example or more; got {examples!r}")
    with threads(1):
        return to_frame(_rows(pruned, images, forms, laid_out(images.test).x[:examples]), FORM_KEY)[list(FORM_COLUMNS)]


def time_forms(
    pruned: Pruned,
    images: Images,
    *,
    forms: Mapping[str, Sequence[str]] = ALL_FORMS,
    batches: Sequence[int],
    calls: Sequence[int],
    rounds: int,
    counts: Sequence[int],
    progress: bool = True,
) -> DataFrame:
    """Time every form of every pruned net, all forms of one net in turn.

    Args:
        pruned: nets with their prunings.
        images: what they were trained on; a batch is the first examples of the test part.
        forms: pruning -> forms, of `FORMS` or "dense"; those of "none" are to have "dense", which others are held to.
        batches: examples of a call.
        calls: timed calls of each form in a round, a number a batch; as many warm up, three at the most.
        rounds: how often each form is timed, in turn with the others.
        counts: threads within an operation; 0 stands for all that this process may use.
        progress: show a progress bar.

    Returns:
        One row a net, form, batch, number of threads and round, with the fields of `Round`.

    Raises:
        ValueError: no net, numbers out of range or not a call a batch, a form unknown or missing, or outputs that
            differ by more than rounding.
    """
    _check_forms(forms, pruned)
    _check(images, batches, calls, counts)
    asked = list(dict.fromkeys(count or all_threads() for count in counts))
    rows: list[Round] = []
    bar = tqdm(total=len(pruned) * len(asked) * len(batches), desc="time", unit="batch", disable=not progress)
    with bar:
        for net, every in pruned:
            for count in asked:
                with threads(count):
                    made = {
                        (one, name): _made(name, one, images, count) for one in every for name in forms[one.pruning]
                    }
                    for batch, repeats in zip(batches, calls, strict=True):
                        x = laid_out(images.test).x[:batch]
                        differences = _differences(net, made, x)
                        bound: dict[Hashable, Callable[[], object]] = {
                            key: _bound(form, x) for key, form in made.items()
                        }
                        timed = interleaved(bound, rounds=rounds, repeats=repeats, warm_up=min(repeats, 3))
                        for (one, name), difference in differences.items():
                            own: dict[str, Any] = {
                                **_named(net, one),
                                "kept": one.kept,
                                "sparsity": one.sparsity,
                                "form": name,
                                "batch": batch,
                                "threads": count,
                                "difference": difference,
                            }
                            seconds = timed[one, name]
                            rows += [Round(**own, round=number, seconds=each) for number, each in enumerate(seconds)]
                        bar.update()
    return to_frame(rows, (*TIME_KEY, "round"))


def _rows(pruned: Pruned, images: Images, forms: Mapping[str, Sequence[str]], x: Tensor) -> list[FormRow]:
    rows = []
    for net, one in _each(pruned, forms):
        accuracy = 100 * evaluate(one.module, images.test).accuracy
        expected = _outputs(_made(MASKED, one, images), x)
        whole = [site.units for site in sites(one.module).values()]
        left = [int((~flags).sum()) for flags in without_dead_units(one.module).removed.values()]
        for name in forms[one.pruning]:
            form = _made(name, one, images)
            found = _outputs(form, x)
            refuse_other_outputs(found, expected, what=_said(net, one, name))
            agreement = float((found.argmax(1) == expected.argmax(1)).double().mean())
            rows.append(
                FormRow(
                    **_named(net, one),
                    kept=one.kept,
                    form=name,
                    weights=one.weights,
                    sparsity=one.sparsity,
                    units="-".join(map(str, left if name in (SHRUNK, ONNX) else whole)),
                    file_bytes=form.file_bytes,
                    flops=form.flops,
                    accuracy_percent=accuracy,
                    agreement_percent=100 * agreement,
                )
            )
    return rows


def _differences(net: Net, made: Mapping[tuple[PrunedNet, str], Form], x: Tensor) -> dict[tuple[PrunedNet, str], float]:
    """Compare the outputs of all forms on a batch with those of the net as it is."""
    found = {}
    with torch.inference_mode():
        expected = {one: one.module(x) for one, _ in made}
    for (one, name), form in made.items():
        found[one, name] = refuse_other_outputs(form.outputs(x), expected[one], what=_said(net, one, name))
    return found


def _bound(form: Form, x: Tensor) -> Callable[[], object]:
    given = form.given(x)
    return lambda: form.run(given)


def _made(name: str, one: PrunedNet, images: Images, count: int = 1) -> Form:
    return make(MASKED if name == DENSE else name, one.module, images.shape, threads=count)


def _outputs(form: Form, x: Tensor) -> Tensor:
    return torch.cat([form.outputs(part) for part in x.split(_BATCH)])


def _each(pruned: Pruned, forms: Mapping[str, Sequence[str]]) -> Iterator[tuple[Net, PrunedNet]]:
    if not pruned:
        raise ValueError("forms are compared of at least one net; got none")
    _check_forms(forms, pruned)
    return ((net, one) for net, every in pruned for one in every)


def _named(net: Net, one: PrunedNet) -> dict[str, Any]:
    return {
        **{name: getattr(net, name) for name in ("data", "data_id", "model", "seed")},
        "pruning": one.pruning,
        "sparsity_asked": one.sparsity_asked,
    }


def _said(net: Net, one: PrunedNet, name: str) -> str:
    return f"{name} of {net.model}, seed {net.seed}, {one.pruning} pruned to {one.sparsity_asked:g}"


def _check_forms(forms: Mapping[str, Sequence[str]], pruned: Pruned) -> None:
    if missing := {one.pruning for _, every in pruned for one in every} - set(forms):
        raise ValueError(f"each pruning has forms that it is looked at in; {sorted(missing)[0]!r} has none: name some")
    known = (*FORMS, DENSE)
    for pruning, names in forms.items():
        if pruning not in ALL_FORMS or not names or len(set(names)) != len(names) or not set(names) <= set(known):
            raise ValueError(
                f"forms are named once for each of {', '.join(ALL_FORMS)}, some of {', '.join(known)}; "
                f"got {pruning}: {list(names)}"
            )
    if DENSE not in forms.get(NONE, ()):
        raise ValueError(f"forms are held to the unpruned net by torch; name {DENSE!r} among those of {NONE!r}")


def _check(images: Images, batches: Sequence[int], calls: Sequence[int], counts: Sequence[int]) -> None:
    if not batches or min(batches) < 1 or max(batches) > len(images.test) or len(set(batches)) != len(batches):
        raise ValueError(
            f"a batch is 1 to {len(images.test)} examples of the test part, each size once; got {list(batches)}"
        )
    if len(calls) != len(batches) or min(calls) < 1:
        raise ValueError(
            f"calls is how often each form is timed in a round, 1 or more, a number a batch; got {list(calls)} for "
            f"{list(batches)}"
        )
    if not counts or min(counts) < 0:
        raise ValueError(f"threads are counts from 1 on, or 0 for all; got {list(counts)}")


_PREPARE = "prunelab.studies.hardware_memory:prepared"


def memory_table(
    pruned: Pruned,
    images: Images,
    *,
    forms: Mapping[str, Sequence[str]] = ALL_FORMS,
    sparsities: Sequence[float],
    batch: int,
    progress: bool = True,
) -> DataFrame:
    """Measure the memory of every form at some sparsities, one thread, each in a fresh process.

    A process takes seconds to start, so the first net of each model stands for its others: what a form takes depends on
    shapes and on the number of weights left, and these are nearly the same.

    Args:
        pruned: nets with their prunings, each built from its spec.
        images: what they were trained on; only the shape of an image is used.
        forms: pruning -> forms, of `FORMS` or "dense".
        sparsities: those asked for at which forms of pruned nets are measured; none leaves the unpruned net alone.
        batch: examples of the call.
        progress: show a progress bar.

    Returns:
        Columns `MEMORY_COLUMNS`; the bytes are empty where the system does not keep them, see
        `prunelab.measure.memory.measurable`.

    Raises:
        ValueError: no net, a sparsity that none was pruned to, or a process that failed.
    """
    asked = {0.0, *sparsities}
    known = {one.sparsity_asked for _, every in pruned for one in every}
    if not pruned or asked - known or batch < 1:
        raise ValueError(
            f"memory is measured of nets pruned to {sorted(known)}, on 1 example or more; got {sorted(asked - known)} "
            f"and a batch of {batch!r}"
        )
    first = {net.model: (net, every) for net, every in reversed(pruned)}
    todo = [
        (net, one, name)
        for net, every in reversed(first.values())
        for one in every
        if one.sparsity_asked in asked
        for name in forms[one.pruning]
    ]
    rows = []
    with tempfile.TemporaryDirectory(prefix="prunelab-") as folder:
        path = Path(folder) / "net"
        for net, one, name in tqdm(todo, desc="memory", unit="form", leave=False, disable=not progress):
            # Sparse forms are read from the masked net: what is read and dropped again is no part of the measure.
            path.write_bytes(stored(name if name in (SHRUNK, ONNX) else MASKED, one.module, images.shape))
            small = without_dead_units(one.module).model if name == SHRUNK else one.module
            sizes = {"shape": list(images.shape), "classes": len(images.classes), "batch": batch}
            arguments = {"path": str(path), "spec": smaller_spec(net.model, small), "form": name, **sizes}
            peak = child_peak(_PREPARE, arguments) if measurable() else None
            rows.append(
                Memory(
                    data=net.data,
                    data_id=net.data_id,
                    model=net.model,
                    seed=net.seed,
                    pruning=one.pruning,
                    sparsity_asked=one.sparsity_asked,
                    kept=one.kept,
                    form=name,
                    batch=batch,
                    threads=1,
                    held_bytes=peak.held if peak else None,
                    peak_bytes=peak.peak if peak else None,
                )
            )
    return to_frame(rows, MEMORY_KEY)[list(MEMORY_COLUMNS)]


def prepared(path: str, spec: str, form: str, shape: Sequence[int], classes: int, batch: int) -> Callable[[], object]:
    """Make a stored net ready to run on a batch of zeros in one thread; what the child process calls.

    Args:
        path: a file as `memory_table` writes it.
        spec: of the net in it.
        form: how it is run.
        shape: of one example.
        classes: outputs.
        batch: examples of a call.
    """
    x = torch.zeros(batch, *shape).contiguous(memory_format=torch.channels_last)
    if form == ONNX:
        opened, given = exporter().session(Path(path).read_bytes()), x.contiguous()
        return lambda: exporter().run(opened, given)
    model = build(spec, inputs=list(shape), classes=classes, generator=torch.Generator())
    model.load_state_dict(load_file(path))
    run = make(MASKED if form in (DENSE, SHRUNK) else form, lay_out(model), shape).run
    return lambda: _in_one_thread(run, x)


def _in_one_thread(run: Callable[[Tensor], object], x: Tensor) -> object:
    with threads(1):
        return run(x)
