"""Parts of an experiment that do not depend on each other, one a net or a seed: side by side, kept, in their order."""

import functools
import hashlib
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from types import FunctionType
from typing import Any, Protocol

import numpy as np
import torch
from pandas import DataFrame
from torch import Tensor
from tqdm import tqdm

from prunelab import files
from prunelab.project import AT_ONCE, KEPT
from prunelab.tables import Table
from prunelab.train import products

_LOOK_SECONDS = 0.5  # until a worker sees that the process it works for is gone


class Stored(Protocol):
    """What a part may yield besides rows: it writes itself to a file of its own name."""

    def save(self, folder: Path) -> Path:
        """Write it below a folder, and say where."""


Part = Iterable[Stored | Table]
Work = Callable[..., Part]


@dataclass(frozen=True, kw_only=True, eq=False)
class Found:
    """What the parts of an experiment gave, in the order of its items."""

    nets: list[Any] = field(default_factory=list)  # what else than rows they yielded, opened from its files
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # name of a table's class -> cells

    def __contains__(self, table: type[Table]) -> bool:
        """Say whether there are rows of a table."""
        return table.__name__ in self.rows

    def __getitem__(self, table: type[Table]) -> DataFrame:
        """Lay the rows of a table out."""
        return table.frame(self.rows.get(table.__name__, []))


def each(work: Work, items: Sequence[Any], *, label: str, opened: Callable[[Path], Any] = Path, **given: Any) -> Found:
    """Make one part of an experiment an item, at a time as many as the run has cores for; the order is the items'.

    Every part is written down when it is made, and read from there: a run that was stopped goes on with the parts it
    lacks, and one of more seeds makes the new ones alone. A part is known by its work, its item and all that is given
    to it, data and weights by their digests; the code it runs is for the caller to tell apart. So what a part yields
    depends on these alone, and is the same bytes whichever process makes it.

    Args:
        work: a function of a module; from an item and what is `given` it yields rows of tables, and nets.
        items: nets, seeds, ...
        label: what the progress bar calls the experiment.
        opened: opens the file of a net that it yielded.
        given: all else that the work depends on.

    Raises:
        TypeError: the work depends on more than it is given, or on what has no digest.
        RuntimeError: a process that made a part was killed.
    """
    if work.__closure__:
        raise TypeError(f"a part is made from what it is given; {work.__qualname__} takes more from around it")
    with tempfile.TemporaryDirectory(prefix="prunelab-") as scratch:
        made_from = _made_from(work, items, given) if KEPT in os.environ else list(range(len(items)))
        folders = [Path(os.environ.get(KEPT, scratch), f"{work.__name__}-{_digest(one)}") for one in made_from]
        job = _Job(work=work, items=items, given=given, folders=folders, made_from=made_from)
        todo = [place for place, folder in enumerate(folders) if not (folder / "part.json").is_file()]
        at_once = min(int(os.environ.get(AT_ONCE, "1")), len(todo))
        bar = functools.partial(tqdm, total=len(items), initial=len(items) - len(todo), desc=label, leave=False)
        # A device's state does not survive a fork; elsewhere than on Linux the system's own libraries may not.
        if at_once > 1 and sys.platform == "linux" and not torch.cuda.is_initialized():
            _side_by_side(job, todo, at_once, bar)
        else:
            for place in bar(todo):
                job.make(place)
        found = Found()
        for folder in folders:
            os.utime(folder)  # what a finished run did not ask for is removed
            part = json.loads((folder / "part.json").read_text(encoding="utf-8"))
            for name, rows in part["rows"].items():
                found.rows.setdefault(name, []).extend(rows)
            found.nets.extend(opened(folder / name) for name in part["nets"])
        return found


@dataclass(frozen=True, kw_only=True, eq=False)
class _Job:
    """Some work, and where each of its parts is kept, beside what it is made from."""

    work: Work
    items: Sequence[Any]
    given: Mapping[str, Any]
    folders: Sequence[Path]
    made_from: Sequence[Any]

    def make(self, place: int) -> None:
        """Make one part and keep it, whole or not at all."""
        target = self.folders[place]
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        try:
            nets, rows = list[str](), dict[str, list[dict[str, Any]]]()
            began, before = time.process_time(), products.taken.copy()
            for one in self.work(self.items[place], **self.given):
                if isinstance(one, Table):
                    rows.setdefault(type(one).__name__, []).append(vars(one))
                else:
                    nets.append(one.save(fresh).name)
            part = {"made_from": self.made_from[place], "nets": nets, "rows": rows}
            text = json.dumps(part, default=lambda number: number.item())
            files.write_text(fresh / "part.json", text + "\n")
            trained = [{"steps": steps, "products": of} for of, steps in (products.taken - before).items()]
            work = {"cpu_seconds": time.process_time() - began, "trained": trained}
            files.write_text(fresh / "work.json", json.dumps(work) + "\n")
            files.replace_folder(fresh, target)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)


_job: _Job  # of a worker; it was forked with it


def _side_by_side(job: _Job, todo: Sequence[int], at_once: int, bar: Callable[..., Iterable[None]]) -> None:
    """Make parts in processes forked from this one, which have its data without copying them."""
    fork = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(at_once, mp_context=fork, initializer=_begin, initargs=(job, os.getpid())) as pool:
        with warnings.catch_warnings():
            # Python warns of forks beside threads: those of a kernel wait for messages, and hold no lock of ours.
            warnings.simplefilter("ignore", DeprecationWarning)
            made = pool.map(_make, todo)
        try:
            for _ in bar(made):
                pass
        except BrokenProcessPool:
            raise RuntimeError(
                f"a process that made one of {len(todo)} parts was killed, for want of memory perhaps; with fewer at "
                f"once (now {at_once}) a run takes less, and it goes on with the parts that are not made yet"
            ) from None


def _begin(job: _Job, parent: int) -> None:
    """Begin a worker: it has one thread, makes its parts one by one, and ends with the process it works for."""
    global _job
    _job = job
    os.environ[AT_ONCE] = "1"
    torch.set_num_threads(1)

    def follow() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK_SECONDS)
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def _make(place: int) -> None:
    _job.make(place)


def _made_from(work: Work, items: Sequence[Any], given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Spell out what the part of every item depends on, but for the code."""
    versions = {"torch": torch.__version__, "numpy": np.__version__}
    common = {"work": _plain(work), "versions": versions, "given": {name: _plain(one) for name, one in given.items()}}
    return [{**common, "item": _plain(item)} for item in items]


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:24]


def _plain(value: Any) -> Any:
    """Spell a value out in JSON: tensors and tables by their digests, objects by their class and what they hold."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, slice):
        return {"slice": [value.start, value.stop, value.step]}
    if isinstance(value, list | tuple | range):
        return [_plain(cell) for cell in value]
    if isinstance(value, Mapping):
        return {"items": [[_plain(key), _plain(cell)] for key, cell in value.items()]}
    if isinstance(value, Tensor):
        held = value.detach().cpu().contiguous().numpy()
        return {"tensor": [str(value.dtype), value.shape, value.stride(), hashlib.sha256(held.data).hexdigest()]}
    if isinstance(value, np.generic | np.ndarray):
        return {"array": [str(value.dtype), value.tolist()]}
    if isinstance(value, DataFrame):
        return {"frame": hashlib.sha256(value.to_csv().encode()).hexdigest()}
    if isinstance(value, torch.nn.Module):
        return {"module": [repr(value), _plain(value.state_dict())]}
    if isinstance(value, type):
        return {"type": f"{value.__module__}.{value.__qualname__}"}
    if isinstance(value, FunctionType):
        around = [_plain(cell.cell_contents) for cell in value.__closure__ or ()]
        return {"function": [value.__module__, value.__qualname__, around]}
    if hasattr(value, "__dict__"):
        return {"object": [_plain(type(value)), _plain(vars(value))]}
    raise TypeError(f"a part is given numbers, text, data, nets and what is made of them; got {value!r}")
