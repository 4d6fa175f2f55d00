"""The figure of what each kind of pruning function does to the distribution of the weights."""

from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from pandas import DataFrame

from prunelab.figures import INK, Saved, save, style
from prunelab.studies.kinds_labels import KINDS, kinds_in
from prunelab.studies.kinds_panels import one_net
from prunelab.studies.lenet_rows import only
from prunelab.studies.units_figure_axes import columns_for, grid, outer

_LOOKS = {"removed": ("removed", "#e69f00", 0.75), "kept": ("kept", "#0072b2", 0.45)}
_AFTER = "kept, after retraining"


def weight_distributions(weights: DataFrame, *, suffix: str = "", table: str = "weights") -> Saved:
    """Draw the weights each kind removes and keeps at one budget, and those kept after retraining; a panel a kind.

    Args:
        weights: rows of one net and scope in the table of weights.
        suffix: behind the figure's name.
        table: the table of the run that holds the rows.
    """
    net, kinds, budget = one_net(weights), kinds_in(weights), float(weights["sparsity_asked"].max())
    rows = weights[weights["sparsity_asked"] == budget]
    shares = rows.loc[rows["share_percent"] > 0, "share_percent"]
    floor, columns = float(shares.min()) / 2, 3 if len(kinds) % 3 == 0 else columns_for(len(kinds))
    retrained = bool((rows["which"] == "retrained").any())
    with style():
        figure, axes = grid([KINDS[kind].label for kind in kinds], columns=columns, height=1.8)
        for axis, kind in zip(axes, kinds, strict=True):
            axis.set_yscale("log")
            for which, (_, colour, alpha) in _LOOKS.items():
                edges, heights = _steps(rows, kind, which)
                axis.stairs(heights, edges, baseline=floor, fill=True, color=colour, alpha=alpha)
            edges, heights = _steps(rows, kind, "retrained")
            if heights:
                axis.stairs(heights, edges, baseline=floor, color=INK, linewidth=0.9)
            axis.set_ylim(floor, 2 * float(shares.max()))
        outer(axes, columns=columns, xlabel="weight", ylabel="of all weights (%)")
        handles: list[Patch | Line2D] = [Patch(color=colour, alpha=alpha) for _, colour, alpha in _LOOKS.values()]
        labels = [label for label, _, _ in _LOOKS.values()]
        if retrained:
            handles.append(Line2D([], [], color=INK, linewidth=0.9))
            labels.append(_AFTER)
        figure.legend(handles, labels, loc="outside lower center", ncols=len(handles))
        return save(
            figure,
            f"weights-by-kind{suffix}",
            alt=f"Histograms of the weights that each kind of pruning function removes and keeps at {100 * budget:g} % "
            f"removed, {net}. Mean magnitude of the weights removed and kept: "
            f"{', '.join(_in_words(rows, kind) for kind in kinds)}.",
            caption=f"Weights removed and kept at {100 * budget:g} % removed, as they were before, "
            f"{'and those kept as they are after retraining, ' if retrained else ''}{net}; shares of all weights in "
            "bins of one width, mean over seeds, on a logarithmic axis.",
            table=table,
        )


def _steps(rows: DataFrame, kind: str, which: str) -> tuple[list[float], list[float]]:
    """Give the edges of the bins, one more than the shares in them; nothing where nothing was counted."""
    own = only(rows, kind=kind, which=which).sort_values("left")
    return [*own["left"], *own["right"].iloc[-1:]], own["share_percent"].tolist()


def _in_words(rows: DataFrame, kind: str) -> str:
    means = []
    for which in _LOOKS:
        own = only(rows, kind=kind, which=which)
        centres, whole = (own["left"] + own["right"]).abs() / 2, own["share_percent"].sum()
        means.append(f"{(centres * own['share_percent']).sum() / whole:.4f}" if whole > 0 else "none")
    return f"{KINDS[kind].label} {means[0]} and {means[1]}"
