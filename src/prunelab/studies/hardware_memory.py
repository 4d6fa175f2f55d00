"""How much memory each form of a pruned net takes, read from its file into a process of its own and run there."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from pandas import DataFrame
from safetensors.torch import load_file
from torch import Tensor
from tqdm import tqdm

from prunelab.data import Images
from prunelab.deploy import make, without_dead_units
from prunelab.deploy.forms import MASKED, ONNX, SHRUNK, exporter, stored
from prunelab.deploy.smaller_spec import smaller_spec
from prunelab.measure.latency import threads
from prunelab.measure.memory import child_peak, measurable
from prunelab.models import build
from prunelab.records import to_frame
from prunelab.studies.hardware_forms import ALL_FORMS, Pruned
from prunelab.studies.hardware_forms_tables import DENSE, MEMORY_COLUMNS, MEMORY_KEY, Memory
from prunelab.studies.units_settings import lay_out

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
