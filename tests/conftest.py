"""What all tests share: how hypothesis searches, and how many threads torch takes."""

import os
import signal

import pytest
import torch
from hypothesis import HealthCheck, settings

from prunelab.data import Images, load_images

# No property fails because a machine is slow or busy: neither its calls nor the drawing of its examples are timed.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# A build server must give the same answer twice.
settings.register_profile("usual", settings.get_profile("untimed"), derandomize="CI" in os.environ)
settings.register_profile("thorough", settings.get_profile("untimed"), derandomize=False, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "usual"))

pytest_plugins = ("made_data", "tiny")

# Small tensors: a second thread costs more than it brings, and two test processes would fight over the cores.
torch.set_num_threads(1)

# A shell lets what it starts in the background ignore Ctrl-C, and so would the programs that tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Files that take minutes, mostly of waiting for programs they start: beside each other, they begin first.
LONGEST = ("test_report_graph.py", "test_notebooks.py", "test_report_execute.py", "test_pages.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


@pytest.fixture(scope="session")
def digits() -> Images:
    return load_images("digits")
