"""Schedules: how many weights are kept after each of several rounds of pruning."""

from fractions import Fraction

SHAPES = ("geometric", "cubic")


def kept_counts(weights: int, target: int, rounds: int, shape: str = "geometric") -> list[int]:
    """Count the weights kept after each round of pruning, from all of them down to a target.

    With n weights, target m and T rounds, after round i = 1..T

    - "geometric" keeps n · (m / n)^(i / T): each round removes the same fraction, 1 - (m / n)^(1 / T), of the weights
      that the rounds before it left;
    - "cubic" has the sparsity s · (1 - (1 - i / T)³), with s = 1 - m / n in the end: it removes many weights while
      there are many, and few near the end.

    Counts are rounded, halves to the even number, as in Python.

    Args:
        weights: n, the number of weights before the first round.
        target: m, the number kept after the last round, 1 to n.
        rounds: T >= 1.
        shape: "geometric" or "cubic".

    Returns:
        `rounds` numbers, never increasing, the last of them `target`. Neighbours are equal where a round would
        remove less than one weight.

    Raises:
        ValueError: `target` or `rounds` is out of range, or `shape` is neither of the two.

    Source: geometric: Han et al., "Learning both Weights and Connections for Efficient Neural Networks", NeurIPS
    2015, and Frankle & Carbin, "The Lottery Ticket Hypothesis", ICLR 2019; cubic: Zhu & Gupta, "To prune, or not to
    prune", 2017, equation 1 with initial sparsity 0.
    """
    if shape not in SHAPES:
        raise ValueError(f'shape is "geometric" or "cubic"; got {shape!r}')
    if not 1 <= target <= weights:
        raise ValueError(f"target is the number of weights kept in the end, 1 to {weights}; got {target!r}")
    if rounds < 1:
        raise ValueError(f"rounds is at least 1; got {rounds!r}")
    if shape == "geometric":
        kept = [round(weights * (target / weights) ** (i / rounds)) for i in range(1, rounds)]
    else:  # n - m are still to go at first, and (1 - i / T)^3 of those after round i
        kept = [target + round((weights - target) * Fraction(rounds - i, rounds) ** 3) for i in range(1, rounds)]
    return [*kept, target]
