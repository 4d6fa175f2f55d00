"""Every form that pruned nets can be stored and run in: what it takes, how long it runs, and its memory.

The outputs of all forms are compared before anything is counted or timed.
"""

import itertools
import tempfile
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from pandas import DataFrame
from safetensors.torch import load_file
from torch import Tensor
from tqdm import tqdm

from prunelab.data import Images
from prunelab.deploy import FORMS, Form, make, without_dead_units
from prunelab.deploy.export import refuse_other_outputs
from prunelab.deploy.forms import MASKED, ONNX, SHRUNK, exporter, stored
from prunelab.deploy.shrinking import smaller_spec
from prunelab.measure import evaluate
from prunelab.measure.latency import all_threads, interleaved, threads
from prunelab.measure.memory import child_peak, measurable
from prunelab.models import build
from prunelab.pruning.units import sites
from prunelab.studies.common.nets import Net, lay_out
from prunelab.studies.common.units import laid_out
from prunelab.studies.hardware.nets import PrunedNet
from prunelab.studies.hardware.tables import DENSE, NONE, UNITS, WEIGHTS, Forms, Memory, Rounds

# What each pruning is looked at in. Unpruned: the reference of either library.
ALL_FORMS: Mapping[str, tuple[str, ...]] = {
    NONE: (DENSE, ONNX),
    WEIGHTS: (MASKED, "csr-torch", "csr-scipy", SHRUNK),
    UNITS: (MASKED, SHRUNK, ONNX),
}
PrunedNets = Sequence[tuple[Net, Sequence[PrunedNet]]]  # nets with their prunings, as `nets.one_shot` gives them

_BATCH = 500


def form_table(
    pruned: PrunedNets, images: Images, *, forms: Mapping[str, Sequence[str]] = ALL_FORMS, examples: int = 1000
) -> DataFrame:
    """Count what every form takes, and measure the accuracy of every pruned net; as `Forms`.

    Args:
        pruned: nets with their prunings.
        images: what they were trained on.
        forms: pruning -> forms, of `FORMS` or "dense".
        examples: of the test part that outputs are compared on, all of a smaller one; accuracy is on all of it.
    """
    if examples < 1:
        raise ValueError(f"outputs are compared on 1 example or more; got {examples!r}")
    _check_forms(forms, pruned)
    x, rows = laid_out(images.test).x[:examples], []
    with threads(1):
        for net, one in ((net, one) for net, every in pruned for one in every):
            accuracy = 100 * evaluate(one.module, images.test).accuracy
            expected = _outputs(_made(MASKED, one, images), x)
            whole = [site.units for site in sites(one.module).values()]
            left = [int((~flags).sum()) for flags in without_dead_units(one.module).removed.values()]
            for name in forms[one.pruning]:
                form = _made(name, one, images)
                found = _outputs(form, x)
                refuse_other_outputs(found, expected, what=_said(net, one, name))
                rows.append(
                    Forms(
                        **_named(net, one, name),
                        weights=one.weights,
                        sparsity=one.sparsity,
                        units="-".join(map(str, left if name in (SHRUNK, ONNX) else whole)),
                        file_bytes=form.file_bytes,
                        flops=form.flops,
                        accuracy_percent=accuracy,
                        agreement_percent=100 * float((found.argmax(1) == expected.argmax(1)).double().mean()),
                    )
                )
    return Forms.frame(rows)


def time_forms(
    pruned: PrunedNets,
    images: Images,
    *,
    forms: Mapping[str, Sequence[str]] = ALL_FORMS,
    batches: Sequence[int],
    calls: Sequence[int],
    rounds: int,
    counts: Sequence[int],
    progress: bool = True,
) -> DataFrame:
    """Time every form of every pruned net, all forms of one net in turn; a row a round, as `Rounds`.

    Args:
        pruned: as for `form_table`, and so forms, of which "none" is to have "dense", what others are held to.
        images: what the nets were trained on; a batch is the first examples of the test part.
        forms: see pruned.
        batches: examples of a call.
        calls: timed calls of each form in a round, a number a batch; as many warm up, three at the most.
        rounds: how often each form is timed, in turn with the others.
        counts: threads within an operation; 0 stands for all that this process may use.
        progress: show a progress bar.
    """
    _check_forms(forms, pruned)
    _check_calls(images, batches, calls, counts)
    asked = list(dict.fromkeys(count or all_threads() for count in counts))
    rows: list[Rounds] = []
    with tqdm(total=len(pruned) * len(asked) * len(batches), desc="time", unit="batch", disable=not progress) as bar:
        for (net, every), count in itertools.product(pruned, asked):
            with threads(count):
                made = {(one, name): _made(name, one, images, count) for one in every for name in forms[one.pruning]}
                for batch, repeats in zip(batches, calls, strict=True):
                    x = laid_out(images.test).x[:batch]
                    differences = _differences(net, made, x)
                    bound: dict[Hashable, Callable[[], object]] = {key: _bound(form, x) for key, form in made.items()}
                    timed = interleaved(bound, rounds=rounds, repeats=repeats, warm_up=min(repeats, 3))
                    rows += [
                        Rounds(
                            **_named(net, one, name),
                            sparsity=one.sparsity,
                            batch=batch,
                            threads=count,
                            round=number,
                            seconds=seconds,
                            difference=difference,
                        )
                        for (one, name), difference in differences.items()
                        for number, seconds in enumerate(timed[one, name])
                    ]
                    bar.update()
    return Rounds.frame(rows)


def memory_table(
    pruned: PrunedNets,
    images: Images,
    *,
    forms: Mapping[str, Sequence[str]] = ALL_FORMS,
    sparsities: Sequence[float],
    batch: int,
    progress: bool = True,
) -> DataFrame:
    """Measure the memory of every form at some sparsities, one thread, each in a fresh process, as `Memory`.

    A process takes seconds to start, so the first net of each model stands for its others: what a form takes depends on
    shapes and on the number of weights left, and these are nearly the same. The bytes are empty where the system does
    not keep them, see `prunelab.measure.memory.measurable`.

    Args:
        pruned: as for `form_table`, each built from its spec.
        images: what the nets were trained on; only the shape of an image is used.
        forms: as for `form_table`.
        sparsities: those asked for at which forms of pruned nets are measured; none leaves the unpruned net alone.
        batch: examples of the call.
        progress: show a progress bar.
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
            peak = child_peak(f"{__name__}:{prepared.__name__}", arguments) if measurable() else None
            rows.append(
                Memory(
                    **_named(net, one, name),
                    batch=batch,
                    threads=1,
                    held_bytes=peak.held if peak else None,
                    peak_bytes=peak.peak if peak else None,
                )
            )
    return Memory.frame(rows)


def prepared(path: str, spec: str, form: str, shape: Sequence[int], classes: int, batch: int) -> Callable[[], object]:
    """Make a net that `memory_table` stored ready to run on zeros in one thread; the child process calls it."""
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


def _made(name: str, one: PrunedNet, images: Images, count: int = 1) -> Form:
    return make(MASKED if name == DENSE else name, one.module, images.shape, threads=count)


def _outputs(form: Form, x: Tensor) -> Tensor:
    return torch.cat([form.outputs(part) for part in x.split(_BATCH)])


def _differences(net: Net, made: Mapping[tuple[PrunedNet, str], Form], x: Tensor) -> dict[tuple[PrunedNet, str], float]:
    """Compare the outputs of all forms on a batch with those of the net as it is."""
    with torch.inference_mode():
        expected = {one: one.module(x) for one, _ in made}
    return {
        (one, name): refuse_other_outputs(form.outputs(x), expected[one], what=_said(net, one, name))
        for (one, name), form in made.items()
    }


def _bound(form: Form, x: Tensor) -> Callable[[], object]:
    given = form.given(x)
    return lambda: form.run(given)


def _named(net: Net, one: PrunedNet, name: str) -> dict[str, Any]:
    """Give the columns that a net in a form is named by."""
    return {
        **{column: getattr(net, column) for column in ("data", "data_id", "model", "seed")},
        **{column: getattr(one, column) for column in ("pruning", "sparsity_asked", "kept")},
        "form": name,
    }


def _said(net: Net, one: PrunedNet, name: str) -> str:
    return f"{name} of {net.model}, seed {net.seed}, {one.pruning} pruned to {one.sparsity_asked:g}"


def _check_forms(forms: Mapping[str, Sequence[str]], pruned: PrunedNets) -> None:
    if not pruned:
        raise ValueError("forms are compared of at least one net; got none")
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


def _check_calls(images: Images, batches: Sequence[int], calls: Sequence[int], counts: Sequence[int]) -> None:
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
