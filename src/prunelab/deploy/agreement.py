"""Outputs that are to be equal: how far apart they are, and a refusal where that is more than rounding."""

from torch import Tensor

TOLERANCE = 1e-4  # of the largest output: what is to be equal is summed in another order


def refuse_other_outputs(found: Tensor, expected: Tensor, *, what: str, tolerance: float = TOLERANCE) -> float:
    """Compare outputs that are to be equal; give the largest difference.

    Args:
        found: (N, classes).
        expected: the same shape.
        what: whose outputs these are, for the error.
        tolerance: largest difference, as a share of the largest expected output in magnitude.

    Raises:
        ValueError: they differ by more, are no numbers, or are of other shapes.
    """
    found, expected = found.detach().cpu().double(), expected.detach().cpu().double()
    if found.shape != expected.shape or not expected.numel():
        raise ValueError(f"{what}: outputs of shape {tuple(expected.shape)} are wanted; got {tuple(found.shape)}")
    largest = float(expected.abs().max())
    difference = float((found - expected).abs().max())
    if not difference <= tolerance * largest:  # so also where one of them is NaN
        raise ValueError(
            f"{what}: outputs are to be equal within {tolerance:g} of the largest, {largest:.4g}; "
            f"they differ by {difference:.4g}"
        )
    return difference
