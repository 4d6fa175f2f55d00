"""The figures on why abs pruning beats one sign: the shift predicted, and what correcting for it saves."""

from pandas import DataFrame

from prunelab.figures import METHODS, MUTED, Line, Saved, curve, legend, panels, save, style
from prunelab.studies import sparseness_words as words
from prunelab.studies.outputs_figures import burst, only, wer_axis
from prunelab.studies.outputs_words import SIGNS, named

_BAND = "Line: mean over seeds; band: 95 % t interval."
_DASHED = (0, (4, 2))


def predicted_against_measured(shifts: DataFrame) -> Saved:
    """Draw the mean shift measured in each layer against the one predicted from the weights removed."""
    kinds = {"predicted_local": "local", "predicted_cascade": "cascade"}
    means = shifts.groupby(["data", "model", "method", "threshold", "layer"], sort=False)
    spots = means[["measured", *kinds]].mean().reset_index()
    with style():
        figure, axes = panels([f"{net}: {kind}" for net in words.titles(shifts) for kind in kinds.values()])
        for index, (_, rows) in enumerate(words.by_model(spots)):
            reach = 1.08 * float(rows[["measured", *kinds]].abs().to_numpy().max()) or 1.0
            for axis, kind in zip(axes[2 * index : 2 * index + 2], kinds, strict=True):
                # Drawn from end to end, since a line given by its slope needs linear axes.
                axis.plot([-reach, reach], [-reach, reach], color=MUTED, linewidth=0.9)
                for method in SIGNS:
                    part, line = rows[rows["method"] == method], METHODS[method]
                    axis.plot(part[kind], part["measured"], line.marker, color=line.colour, label=line.label, alpha=0.7)
                axis.set_xlabel("predicted mean shift (standard deviations)")
                axis.set_ylabel("measured (standard deviations)")
                if burst(rows[column] for column in ("measured", *kinds)):
                    axis.set_xscale("symlog", linthresh=1.0)
                    axis.set_yscale("symlog", linthresh=1.0)
                axis.set_xlim(-reach, reach)
                axis.set_ylim(-reach, reach)
        legend(figure, axes)
        said = "; ".join(
            f"{model}, {label}: {rows[kind].corr(rows['measured']):.2f}"
            for model, rows in words.by_model(spots)
            for kind, label in kinds.items()
        )
        return save(
            figure,
            "predicted-against-measured",
            alt="Measured against predicted mean shift of the pre-activations, a point a layer, method and threshold, "
            f"with the line where both are equal, for {words.names(shifts)}: predicted for each layer by itself "
            f"(local), and with the shifts of the layers before carried on (cascade). Correlation of the two: {said}.",
            caption="Mean shift of each layer's pre-activations, measured against predicted from the removed weights "
            "and the mean inputs, means over seeds: of each layer by itself (local), and with the shifts of the layers "
            "before carried on (cascade). Line: measured as predicted. Axes of large shifts are logarithmic from 1 on.",
            table="predicted-shifts",
        )


def correction_curves(correction: DataFrame) -> Saved:
    """Draw word error against sparsity with and without the biases corrected for the predicted mean shift."""
    percent = correction.assign(sparsity_percent=100 * correction["sparsity"])
    with style():
        figure, axes = panels(words.titles(correction))
        for axis, (model, rows) in zip(axes, words.by_model(percent), strict=True):
            for method in SIGNS:
                for corrected in (True, False):
                    part = only(rows, model, method)
                    part = part[part["corrected"] == corrected]
                    line = _corrected(method, corrected)
                    curve(axis, part, "sparsity_percent", "error_percent", along="threshold", line=line)
            wer_axis(axis, rows)
            axis.set_xlim(left=0)
            axis.set_xlabel("weights removed (%)")
        # Column by column: each method's two curves above each other.
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
        before, after = (words.knees_in_words(correction[correction["corrected"] == is_on]) for is_on in (False, True))
        return save(
            figure,
            "correction-curves",
            alt=f"Word error against the share of weights removed in one panel each for {words.names(correction)}, for "
            "pruning both signs, positive only and negative only, each without and with corrected biases. Without: "
            f"{before} With: {after}",
            caption="Word error against sparsity with (solid) and without (dashed) biases that make up for the "
            f"predicted mean shift, nothing trained again. {_BAND} Dotted: the unpruned nets.",
            table="correction",
        )


def _corrected(method: str, corrected: bool) -> Line:
    line, label = METHODS[method], named(method)
    return Line(
        label=f"{label}, corrected" if corrected else label,
        colour=line.colour,
        marker=line.marker,
        dash="-" if corrected else _DASHED,
    )
