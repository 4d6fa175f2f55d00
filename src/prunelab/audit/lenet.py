"""The identities behind the numbers of the LeNet variants: parts and totals, percentages, and what a layer can hold."""

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise

import pandas as pd

from prunelab.audit.identities import Finding, check

TABLE = "lenet-variants"
INPUTS, CLASSES, TEST_IMAGES = 784, 10, 10_000

# Percentages pruned that the source states in headings and prose, where the table has no column for them:
# (net, where) -> percent.
STATED_PERCENT = {
    ("600-100", "600-100 pruned"): 99.5,
    ("300-200", "300-200 pruned"): 99.104,
    ("300-200", "300-200 pruned, prose"): 99.5,  # under the heading "99.104" it says 99.5 %
    ("300-300", "300-300 pruned"): 99.5,
}


def layer_sizes(net: str) -> list[int]:
    """Return the numbers of weights, without biases, of the fully connected net 784-a-b-10.

    Args:
        net: its hidden widths, as "300-100".
    """
    widths = [INPUTS, *(int(width) for width in net.split("-")), CLASSES]
    return [inputs * outputs for inputs, outputs in pairwise(widths)]


def findings(table: pd.DataFrame) -> list[Finding]:
    """Hold the table against every identity.

    Args:
        table: the published table, its cells as text; an empty cell is "".
    """
    found: list[Finding] = []
    for cells in table.to_dict("records"):
        row = {str(name): str(cell) for name, cell in cells.items()}
        found += [*_parts(row), *_percent(row), *_correct(row), *_room(row)]
    return [*found, *_copied_total(table)]


def _parts(row: Mapping[str, str]) -> Iterator[Finding]:
    """The layers' weights left add up to the net's."""
    parts = [row[f"fc{layer}_left"] for layer in (1, 2, 3)]
    if all(parts) and row["weights_left"]:
        yield check(
            table=TABLE,
            row=_name(row),
            identity="parts add up to the total",
            quantity="weights left",
            printed=float(row["weights_left"]),
            implied=sum(float(part) for part in parts),
            tolerance=0.0,
            how=" + ".join(parts),
        )


def _percent(row: Mapping[str, str]) -> Iterator[Finding]:
    """The stated percentage of the net's weights leaves the printed number, to the nearest weight."""
    total = sum(layer_sizes(row["net"]))
    for (net, where), percent in STATED_PERCENT.items():
        if row["stage"] == "pruned" and net == row["net"] and row["weights_left"]:
            yield check(
                table=TABLE,
                row=where,
                identity="the stated percentage leaves the printed weights",
                quantity="weights left",
                printed=float(row["weights_left"]),
                implied=total * (100 - percent) / 100,
                tolerance=0.5,
                how=f"{percent:g} % pruned of the {total} weights of 784-{row['net']}-10",
            )


def _correct(row: Mapping[str, str]) -> Iterator[Finding]:
    """The accuracy is the share of test images read right."""
    if counted := re.search(r"(\d+) of 10000 correct", row["note"]):
        yield check(
            table=TABLE,
            row=_name(row),
            identity="accuracy is the share read correctly",
            quantity="test accuracy [%]",
            printed=float(row["test_accuracy_percent"]),
            implied=100 * int(counted[1]) / TEST_IMAGES,
            tolerance=0.005,
            how=f"{counted[1]} of {TEST_IMAGES} test images",
        )


def _room(row: Mapping[str, str]) -> Iterator[Finding]:
    """No layer has more active units than units, nor more weights left than weights."""
    widths = [int(width) for width in row["net"].split("-")]
    sizes = layer_sizes(row["net"])
    prose = re.search(r"the prose above it repeats (\d+) and (\d+)", row["note"])
    for layer, width in enumerate(widths, start=1):
        quantity, what, active = f"fc{layer} active units", "units of the layer", row[f"fc{layer}_active"]
        if active:
            yield _at_most(_name(row), quantity, float(active), width, what)
        if prose:
            what += f" (the table below it gives {active})"
            yield _at_most(f"{_name(row)}, prose", quantity, float(prose[layer]), width, what)
    for layer, size in enumerate(sizes, start=1):
        if left := row[f"fc{layer}_left"]:
            yield _at_most(_name(row), f"fc{layer} weights left", float(left), size, "weights of the layer")


def _at_most(name: str, quantity: str, printed: float, most: int, what: str) -> Finding:
    return Finding(
        table=TABLE,
        row=name,
        identity="a layer holds no more than it has",
        quantity=quantity,
        printed=printed,
        implied=float(most) if printed > most else None,
        deviation=printed - most if printed > most else None,
        tolerance=0.0 if printed > most else None,
        status="fails" if printed > most else "holds",
        how=f"at most {most}, the {what}",
    )


def _copied_total(table: pd.DataFrame) -> Iterator[Finding]:
    """Nets of different sizes, pruned by percentages, are left with different numbers of weights."""
    left = table[table["weights_left"] != ""]
    for row in left.to_dict("records"):
        net, printed = str(row["net"]), float(row["weights_left"])
        same = [other for other in left.loc[left["weights_left"] == row["weights_left"], "net"] if other != net]
        stated = any(net == name for name, _ in STATED_PERCENT)
        size = sum(layer_sizes(net))
        yield Finding(
            table=TABLE,
            row=f"{net} {row['stage']}",
            identity="nets of different sizes keep different numbers of weights",
            quantity="weights left",
            printed=printed,
            # The net whose own percentage gives the number is not the one in doubt.
            status="doubtful" if same and not stated else "holds",
            how=f"{'as many as ' + ', '.join(same) if same else 'no other has it'}; "
            f"{100 * (1 - printed / size):.4f} % of the {size} weights of 784-{net}-10 are pruned then",
        )


def _name(row: Mapping[str, str]) -> str:
    return f"{row['net']} {row['stage']}"
