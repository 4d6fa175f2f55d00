"""What pruning gains on hardware: one net, pruned by weights or by units, in every form it can be stored and run in.

Nets pruned in one shot to the same number of weights are brought into each form, and the outputs of all forms are
compared before anything is counted or timed. What is counted (`form_table`) is the same in every
run; what is timed (`time_forms`) is not.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any

import torch
from pandas import DataFrame
from torch import Tensor
from tqdm import tqdm

from prunelab.data import Images
from prunelab.deploy import FORMS, Form, make, without_dead_units
from prunelab.deploy.agreement import refuse_other_outputs
from prunelab.deploy.forms import MASKED, ONNX, SHRUNK
from prunelab.measure import evaluate
from prunelab.measure.latency import all_threads, interleaved, threads
from prunelab.pruning.units import sites
from prunelab.records import to_frame
from prunelab.studies.hardware_forms_tables import (
    DENSE,
    FORM_COLUMNS,
    FORM_KEY,
    NONE,
    TIME_KEY,
    UNITS,
    WEIGHTS,
    FormRow,
    Round,
)
from prunelab.studies.hardware_nets import PrunedNet
from prunelab.studies.stored_nets import Net
from prunelab.studies.units_settings import laid_out

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
