"""Parts of an experiment: in their order and the same bytes however many are made at a time, kept, made once."""

import json
import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated as A

import numpy as np
import psutil
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from prunelab import parts
from prunelab.data import Images
from prunelab.models import build
from prunelab.studies.common.nets import Fit, Net, open_one
from prunelab.tables import Table
from prunelab.train import Recipe, training

FIT = Fit(data="digits", data_id="0" * 12, inputs=64, classes=10)


class Drawn(Table, key="seed place"):
    """A number drawn by a seed."""

    seed: A[int, "seed"]
    place: A[int, "place in the draws"]
    value: A[float | None, "what was drawn; may be empty"]


def draw(seed: int, count: int, log: str) -> Iterator[Net | Drawn]:
    """Draw numbers and a net, and say in a file of its own that it was asked to."""
    generator = torch.Generator().manual_seed(seed)
    Path(log, f"{seed}-{os.getpid()}-{time.monotonic_ns()}").touch()
    for place, value in enumerate(torch.rand(count, generator=generator, dtype=torch.float64).numpy()):
        yield Drawn(seed=seed, place=np.int64(place), value=value if place else None)
    module = build("mlp-3", inputs=64, classes=10, generator=generator)
    yield Net(data="digits", data_id="0" * 12, model="mlp-3", seed=seed, module=module)


def found(seeds: list[int], log: Path, *, count: int = 3) -> parts.Found:
    return parts.each(draw, seeds, label="draw", opened=lambda path: open_one(path, FIT), count=count, log=str(log))


def asked(log: Path) -> list[int]:
    """Seeds whose part was made, as often as it was."""
    return sorted(int(path.name.split("-")[0]) for path in log.iterdir())


@pytest.fixture
def log(tmp_path: Path) -> Path:
    (tmp_path / "log").mkdir()
    return tmp_path / "log"


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(parts.KEPT, str(tmp_path / "kept"))
    return tmp_path / "kept"


def test_rows_and_nets_come_in_the_order_of_the_items(log: Path) -> None:
    both = found([4, 1], log)

    assert list(both[Drawn]["seed"]) == [4, 4, 4, 1, 1, 1]
    assert [net.seed for net in both.nets] == [4, 1]
    alone = found([1], log)
    assert both[Drawn].query("seed == 1").reset_index(drop=True).equals(alone[Drawn])
    for own, other in zip(both.nets[1].module.parameters(), alone.nets[0].module.parameters(), strict=True):
        assert torch.equal(own, other)


@pytest.mark.skipif(sys.platform != "linux", reason="parts are made side by side on Linux alone")
def test_parts_made_side_by_side_are_the_same_bytes_made_by_other_processes(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = {}
    for at_once in (1, 2, 8):
        monkeypatch.setenv(parts.KEPT, str(tmp_path / f"kept-{at_once}"))
        monkeypatch.setenv(parts.AT_ONCE, str(at_once))
        found([0, 1, 2, 3], log)
        texts[at_once] = {
            path.relative_to(tmp_path / f"kept-{at_once}"): path.read_bytes()
            for path in (tmp_path / f"kept-{at_once}").rglob("*")
            if path.is_file() and path.name != "work.json"  # which says how long it took
        }
    makers = {int(path.name.split("-")[1]) for path in log.iterdir()}

    assert texts[1] == texts[2] == texts[8]
    assert len(texts[1]) == 8  # of each seed its rows and its net
    assert os.getpid() in makers
    assert len(makers) >= 3


def test_a_part_that_is_kept_is_made_once_and_a_new_seed_alone_is_made(log: Path, kept: Path) -> None:
    first = found([0, 1], log)
    again = found([1, 0, 2], log)

    assert asked(log) == [0, 1, 2]
    assert again[Drawn].query("seed == 0").reset_index(drop=True).equals(first[Drawn].query("seed == 0"))


def test_another_setting_makes_other_parts(log: Path, kept: Path) -> None:
    found([0], log, count=3)
    found([0], log, count=2)

    assert asked(log) == [0, 0]


def test_a_part_says_what_it_was_made_from(log: Path, kept: Path) -> None:
    found([7], log, count=2)
    [path] = kept.glob("*/part.json")
    made_from = json.loads(path.read_text())["made_from"]

    assert made_from["work"]["function"][:2] == [__name__, "draw"]
    assert made_from["given"]["count"] == 2
    assert made_from["item"] == 7
    assert made_from["versions"] == {"torch": torch.__version__, "numpy": np.__version__}


def steps_of(count: int, images: Images) -> Iterator[Table]:
    """Train a net for so many steps, and tell nothing of it."""
    model = build("mlp-3", inputs=64, classes=10, generator=torch.Generator().manual_seed(0))
    deque(training(model, images.train, Recipe(epochs=1), generator=torch.Generator(), steps=count), maxlen=0)
    yield from ()


@pytest.mark.parametrize("at_once", [1, 2])
def test_a_part_says_what_it_cost(kept: Path, monkeypatch: pytest.MonkeyPatch, digits: Images, at_once: int) -> None:
    monkeypatch.setenv(parts.AT_ONCE, str(at_once))
    parts.each(steps_of, [2, 5], label="steps", images=digits)
    costs = [json.loads(path.read_text()) for path in kept.glob("*/work.json")]

    assert sorted(trained["steps"] for cost in costs for trained in cost["trained"]) == [2, 5]
    assert all(cost["cpu_seconds"] > 0 for cost in costs)


def test_a_part_that_fails_leaves_those_made_before_it(log: Path, kept: Path) -> None:
    with pytest.raises(ValueError, match="Overflow"):  # torch takes no such seed
        found([0, 2**64, 1], log)
    found([0, 1], log)

    assert asked(log) == [0, 1]
    assert not [path for path in kept.iterdir() if path.name.startswith(".")]


PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
INNER = PLAIN | st.lists(PLAIN) | st.dictionaries(st.text(), PLAIN)
VALUES = INNER | st.lists(INNER) | st.dictionaries(st.text(), INNER)


def digest(value: object) -> str:
    return json.dumps(parts._plain(value))


@given(VALUES, VALUES)
def test_values_have_one_digest_where_they_are_equal_and_of_a_kind(one: object, other: object) -> None:
    assert (digest(one) == digest(other)) == (repr(one) == repr(other))


def test_data_and_weights_are_told_apart_by_their_numbers_their_type_and_their_layout() -> None:
    x = torch.arange(24.0).view(1, 2, 3, 4)
    net = nn.Sequential(nn.Linear(2, 2))
    changed = nn.Sequential(nn.Linear(2, 2))
    changed.load_state_dict({name: value.clone() for name, value in net.state_dict().items()})
    values = [x, x + 1, x.double(), x.to(memory_format=torch.channels_last), x.view(2, 12), x.numpy(), net]

    assert len({digest(value) for value in values}) == len(values)
    assert digest(x) == digest(x.clone())
    assert digest(net) == digest(changed)
    with torch.no_grad():
        changed[0].bias[0] += 1
    assert digest(net) != digest(changed)
    assert digest(Net(data="a", data_id="b", model="c", seed=0, module=net)) != digest(
        Net(data="a", data_id="b", model="c", seed=0, module=changed)
    )


def test_what_has_no_digest_is_refused(log: Path, kept: Path) -> None:
    with pytest.raises(TypeError, match="a part is given numbers, text, data, nets"):
        parts.each(draw, [object.__new__(object)], label="draw", count=1, log=str(log))


def test_work_that_takes_more_than_it_is_given_is_refused() -> None:
    around = 3

    def work(item: int) -> Iterator[Drawn]:
        yield Drawn(seed=item, place=0, value=around)

    with pytest.raises(TypeError, match=r"a part is made from what it is given; .*work takes more"):
        parts.each(work, [1], label="draw")


def die(seed: int) -> Iterator[Drawn]:
    if seed:
        os.kill(os.getpid(), 9)
    yield Drawn(seed=seed, place=0, value=0.0)


@pytest.mark.skipif(sys.platform != "linux", reason="parts are made side by side on Linux alone")
def test_a_killed_process_is_told_in_one_line(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(parts.AT_ONCE, "2")
    with pytest.raises(RuntimeError, match=r"made one of 2 parts was killed, .* with fewer at once \(now 2\)"):
        parts.each(die, [0, 1], label="die")


WAIT = """
import os, sys, time
from pathlib import Path
from prunelab import parts

def wait(seed):
    Path(str(seed)).write_text(str(os.getpid()))
    time.sleep(600)
    yield

parts.each(wait, [1, 2], label="wait")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="parts are made side by side on Linux alone")
def test_processes_that_make_parts_end_with_the_one_they_work_for(tmp_path: Path) -> None:
    environment = os.environ | {parts.AT_ONCE: "2", "TQDM_DISABLE": "1"}
    script = subprocess.Popen([sys.executable, "-c", WAIT], cwd=tmp_path, env=environment)
    while not all((tmp_path / name).is_file() and (tmp_path / name).read_text() for name in "12"):
        assert script.poll() is None
        time.sleep(0.05)
    workers = [psutil.Process(int((tmp_path / name).read_text())) for name in "12"]

    script.kill()
    script.wait()

    assert not psutil.wait_procs(workers, timeout=60)[1]
