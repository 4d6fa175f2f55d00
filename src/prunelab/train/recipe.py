"""What a net is trained on, and how."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from torch import Tensor


class Examples(Protocol):
    """What a net is trained on: a split of images, or the frames of recordings."""

    @property
    def x(self) -> Tensor:
        """Inputs, (N, ...) float32."""

    @property
    def y(self) -> Tensor:
        """Classes, (N,) int64."""

    def __len__(self) -> int:
        """Count the examples."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Frames:
    """Examples of any shape, as training takes them."""

    x: Tensor  # (N, ...) float32
    y: Tensor  # (N,) int64

    def __len__(self) -> int:
        """Count the examples."""
        return len(self.y)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a net is trained: which optimizer, and how the learning rate moves.

    A triangular rate rises linearly over the first `warmup` part of the steps and falls linearly to zero over the rest;
    a constant one stays at its peak. The defaults, stochastic gradient descent with Nesterov momentum, bring
    LeNet-300-100 to 98 % on MNIST in 10 epochs. Six hidden layers, of sigmoids above all, train with Adam and clipped
    gradients.
    """

    epochs: int = 10
    batch_size: int = 256
    learning_rate: float = 0.2  # at its peak
    optimizer: Literal["sgd", "adam"] = "sgd"
    momentum: float = 0.9  # Nesterov's, none at 0; of Adam, the decay of the mean gradient
    clip: float | None = None  # largest norm of a step's whole gradient; None leaves it as it is
    schedule: Literal["triangular", "constant"] = "triangular"
    warmup: float = 0.15  # part of a triangular schedule's steps, [0, 1)
    l1: float = 0.0  # penalty per unit of summed |w|, weights only
    l2: float = 0.0  # penalty per unit of half the summed squares, weights only
    input_dropout: float = 0.0  # part of the inputs zeroed in each example, the others scaled up, [0, 1)

    def __post_init__(self) -> None:
        """Refuse what cannot train."""
        rules = {
            "epochs is a whole number, at least 1": _is_whole(self.epochs) and self.epochs >= 1,
            "batch_size is a whole number, at least 1": _is_whole(self.batch_size) and self.batch_size >= 1,
            "learning_rate is positive and finite": 0 < self.learning_rate < math.inf,
            "optimizer is sgd or adam": self.optimizer in ("sgd", "adam"),
            "momentum lies in [0, 1)": 0 <= self.momentum < 1,
            "clip is positive and finite, or None": self.clip is None or 0 < self.clip < math.inf,
            "schedule is triangular or constant": self.schedule in ("triangular", "constant"),
            "warmup is a part of the steps, in [0, 1)": 0 <= self.warmup < 1,
            "l1 is at least 0 and finite": 0 <= self.l1 < math.inf,
            "l2 is at least 0 and finite": 0 <= self.l2 < math.inf,
            "input_dropout is a part of the inputs, in [0, 1)": 0 <= self.input_dropout < 1,
        }
        check_rules(self, rules)

    def rate(self, step: int, steps: int) -> float:
        """Return the learning rate of one step, counted from 0 to `steps` - 1."""
        if self.schedule == "constant":
            return self.learning_rate
        done = (step + 0.5) / steps  # mid-step, so that neither end trains at a rate of exactly zero
        if done < self.warmup:
            return self.learning_rate * done / self.warmup
        return self.learning_rate * (1 - done) / (1 - self.warmup)


def _is_whole(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool)


def check_rules(record: object, rules: Mapping[str, bool]) -> None:
    """Refuse a record of settings that breaks a rule.

    Args:
        record: has the settings as attributes.
        rules: rule, a sentence that begins with the setting's name -> whether it holds.

    Raises:
        ValueError: one does not.
    """
    for rule, holds in rules.items():
        if not holds:
            raise ValueError(f"{rule}; got {getattr(record, rule.split(maxsplit=1)[0])!r}")
