"""Calls that a child process makes to have its memory measured; a test puts this folder on its path."""

from collections.abc import Callable

import torch


def filling(held: int, working: int) -> Callable[[], object]:
    """Hold some bytes, and give a call that takes some more, gives them back, and takes them again."""
    kept = torch.ones(held, dtype=torch.uint8)

    def call() -> object:
        for _ in range(2):
            torch.ones(working, dtype=torch.uint8)
        return kept

    return call


def failing() -> Callable[[], object]:
    """Fail as a net does that cannot be made."""
    raise ValueError("no such net")
