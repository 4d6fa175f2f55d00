"""The outputs of the last activation under a threshold that the reader moves."""

import math
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from pandas import DataFrame

from prunelab.figures import INK, METHODS, MUTED, interactive
from prunelab.studies.common import figures as captions
from prunelab.studies.common.figures import by_model
from prunelab.studies.outputs.figures import LAST_BIN, NAMES, SIGNS
from prunelab.summaries import only

_SHAPES = {"abs": "circle", "positive": "triangle-up", "negative": "triangle-down"}
_KEY = ["data", "model", "method", "threshold"]
_SHOWN = ["net", "method", "from", "to", "threshold", "share", "removed", "wer", "unpruned"]
# All left axes are equally wide, so that the plots beneath each other align and the page knows what to leave for them.
_AXIS_PIXELS = 48
_CURRENT = "datum.net === net && datum.from <= threshold && threshold < datum.to"


def output_explorer(histograms: DataFrame, posteriors: DataFrame, *, start: float = 1.0) -> interactive.SavedChart:
    """Draw the last activation's outputs under each method at a threshold that the reader moves.

    Sparsity and word error at that threshold stand above each distribution and as a point on the curves beneath.

    Args:
        histograms: shares of the outputs by bin; method "baseline" is the unpruned nets.
        posteriors: sparsity and word error, one row a net, method and threshold.
        start: the threshold shown first, in root mean square weights.

    Raises:
        ValueError: a threshold of the histograms is not in `posteriors`; a net without baseline rows; bins that
            differ between the thresholds of one net.
    """
    settings, (edges, shares) = _settings(histograms, posteriors), _bins(histograms)
    nets = captions.titles(settings)
    short = [model.rsplit("-", 1)[-1] for model, _ in by_model(settings)]  # the activation, where that tells them apart
    short = short if len(set(short)) == len(nets) else nets
    # The largest share of each net over all thresholds (%), so that its axes stand still while bars move.
    tops = {net: max(*map(max, only(settings, net=net)["share"]), *shares[net]) for net in nets}
    largest, step = float(f"{settings['scale'].max():.3g}"), _step(settings["scale"])
    start = min(start, largest)
    slider = alt.binding_range(min=0, max=largest, step=step, name="Threshold (RMS weights)")
    parameters = [
        alt.param(name="threshold", value=start, bind=slider),
        alt.param(name="edges", value=edges),
        alt.param(name="baseline", value=shares),
        alt.param(name="tops", value=tops),
        alt.param(name="net", value=nets[0], bind=alt.binding_radio(options=nets, labels=short, name="Network")),
    ]
    strips = [_strip(method, last=method == SIGNS[-1]) for method in SIGNS]
    rows = [{str(column): value for column, value in row.items()} for row in settings[_SHOWN].to_dict("records")]
    chart = alt.vconcat(*strips, _curves(), data=alt.InlineData(values=rows), spacing=34).add_params(*parameters)
    words = []
    for model, own in by_model(settings[(settings["from"] <= start) & (start < settings["to"])]):
        each = own[["method", "removed", "wer"]].itertuples(index=False)
        told = (f"{NAMES[method]} {removed:.0f} % removed at {wer:.0f} % error" for method, removed, wer in each)
        words.append(f"{model} on {own['data'].iloc[0]}: {', '.join(told)}")
    return interactive.save(
        chart,
        "output-explorer",
        alt="Three histograms of the last activation's outputs, after removing the weights of both signs, the positive "
        "and the negative ones below a threshold, each against the unpruned outputs, and beneath them word error "
        f"against the share of weights removed, for {captions.names(settings)}. A slider sets the threshold from 0 to "
        f"{largest:g} root mean square weights. At {start:g}: {'; '.join(words)}.",
        caption="The outputs of the last activation at the threshold of the slider (bars) and unpruned (line), means "
        "over seeds, on a square-root scale; the points on the curves are the same threshold. Dotted: unpruned. "
        f"{LAST_BIN}",
        table="histograms",
    )


def _settings(histograms: DataFrame, posteriors: DataFrame) -> DataFrame:
    """One row a net, method and threshold: shares (%), sparsity (%), WER, and the slider values it is nearest to."""
    pruned = histograms[histograms["method"].isin(list(SIGNS))].sort_values("bin_low")
    drawn = pruned.groupby(_KEY).agg(share=("share", _percent), scale=("scale", "first")).reset_index()
    heard = posteriors.groupby(_KEY)[["sparsity", "error_percent", "baseline_error_percent"]].mean().reset_index()
    joined = drawn.merge(heard, on=_KEY, how="left")
    if joined["error_percent"].isna().any():
        row = joined[joined["error_percent"].isna()].iloc[0]
        raise ValueError(
            "every threshold of the histograms needs its word error in the table of posteriors; "
            f"{row['model']}, {row['method']} at {row['threshold']:g} has none: measure both at the same thresholds"
        )
    joined = joined.assign(
        net=joined["model"] + " on " + joined["data"],
        removed=(100 * joined["sparsity"]).round(1),
        wer=joined["error_percent"].round(1),
        unpruned=joined["baseline_error_percent"].round(1),
    )
    reached = pd.concat([_reach(rows) for _, rows in joined.groupby(["data", "model", "method"])])
    # In the order of the nets in the table, and of the methods everywhere.
    ranks = {name: rank for rank, name in enumerate((*dict.fromkeys(histograms["model"]), *SIGNS))}
    return reached.sort_values(
        ["model", "method", "scale"],
        key=lambda column: column if column.name == "scale" else column.map(ranks),
        ignore_index=True,
    )


def _percent(shares: "pd.Series[float]") -> list[float]:
    return [round(100 * share, 2) for share in shares]


def _reach(rows: DataFrame) -> DataFrame:
    """Give each threshold the slider values it is the nearest of: from halfway to the one below to halfway above."""
    rows = rows.sort_values("scale")
    scales = rows["scale"].to_numpy()
    between = ((scales[1:] + scales[:-1]) / 2).round(4).tolist()
    return rows.assign(**{"from": [-1.0, *between], "to": [*between, 1e9]})


def _bins(histograms: DataFrame) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Bin edges and unpruned shares (%) of each net."""
    edges, unpruned = {}, {}
    for _, rows in by_model(histograms):
        net = captions.titles(rows)[0]
        cut = rows[["bin_low", "bin_high"]].drop_duplicates().sort_values("bin_low")
        if not np.array_equal(cut["bin_low"].to_numpy()[1:], cut["bin_high"].to_numpy()[:-1]):
            raise ValueError(f"the histograms of one net share one row of adjoining bins; those of {net} do not")
        base = rows[rows["method"] == "baseline"].groupby("bin_low")["share"].mean()
        if len(base) != len(cut):
            raise ValueError(f"a net's histograms hold its unpruned outputs as method 'baseline'; {net} lacks some")
        edges[net] = [float(f"{edge:.4g}") for edge in [*cut["bin_low"], cut["bin_high"].iloc[-1]]]
        unpruned[net] = _percent(base)
    return edges, unpruned


def _step(scales: "pd.Series[float]") -> float:
    """The slider's step: the smallest gap between thresholds, rounded down to 1, 2 or 5 of its decade."""
    # Thresholds of four figures give nets scales that differ a little; that is no gap.
    gaps = np.diff(np.unique(scales.round(2)))
    gap = float(gaps.min()) * 1.0001 if len(gaps) else 1.0
    decade = 10.0 ** math.floor(math.log10(gap))
    return float(f"{max(digit for digit in (1, 2, 5) if digit * decade <= gap) * decade:.4g}")


def _strip(method: str, *, last: bool) -> alt.LayerChart | alt.FacetChart:
    """One histogram with its unpruned twin, and its numbers in words above it."""
    chosen = alt.Chart().transform_filter(f"datum.method === '{method}' && {_CURRENT}")
    bins = (
        chosen.transform_calculate(bin="sequence(length(datum.share))")
        .transform_flatten(["share", "bin"])
        .transform_calculate(
            low="edges[net][datum.bin]",
            high="edges[net][datum.bin + 1]",
            middle="(edges[net][datum.bin] + edges[net][datum.bin + 1]) / 2",
            unpruned_share="baseline[net][datum.bin]",
        )
    )
    title = "output of the last activation" if last else None
    wide = alt.Scale(nice=False, zero=False)
    x = alt.X("low:Q", title=title, scale=wide, axis=alt.Axis(tickCount=5, grid=False))
    tall = alt.Y(
        "share:Q",
        title="outputs (%)",
        scale=alt.Scale(type="sqrt", nice=False, domainMin=0, domainMax=alt.ExprRef("tops[net]")),
        axis=_left(values=alt.ExprRef("[0, tops[net] / 4, tops[net]]"), tickCount=9, format=".3~r"),
    )
    bars = bins.mark_rect(color=METHODS[method].colour, opacity=0.75).encode(x=x, x2="high:Q", y=tall, y2=alt.datum(0))
    line = bins.mark_line(interpolate="step", color=INK, strokeWidth=1.3).encode(x="middle:Q", y="unpruned_share:Q")
    said = f"'{NAMES[method]}: ' + format(datum.removed, '.1f') + ' % removed, word error ' + format(datum.wer, '.1f')"
    return alt.layer(bars, line, _above(chosen.transform_calculate(said=f"{said} + ' %'"))).properties(
        width="container", height=80
    )


def _curves() -> alt.LayerChart | alt.FacetChart:
    """Word error against sparsity, with a point at the slider's threshold."""
    chosen = alt.Chart().transform_filter("datum.net === net").transform_calculate(pruned=f"{NAMES}[datum.method]")
    colour = alt.Color(
        "pruned:N",
        title=None,
        scale=alt.Scale(domain=list(NAMES.values()), range=[METHODS[method].colour for method in SIGNS]),
        legend=alt.Legend(orient="bottom", columns=3),
    )
    x = alt.X("removed:Q", title="weights removed (%)", scale=alt.Scale(domain=[0, 100]), axis=alt.Axis(tickCount=5))
    y = alt.Y("wer:Q", title="word error (%)", axis=_left(tickCount=5))
    lines = chosen.mark_line(strokeWidth=2).encode(x=x, y=y, color=colour, order="threshold:Q")
    rule = chosen.transform_aggregate(unpruned="mean(unpruned)").mark_rule(strokeDash=[2, 3], color=MUTED)
    shape = alt.Shape(
        "pruned:N",
        title=None,
        scale=alt.Scale(domain=list(NAMES.values()), range=[_SHAPES[method] for method in SIGNS]),
    )
    points = (
        chosen.transform_filter(_CURRENT)
        .mark_point(size=130, filled=True, stroke=INK, strokeWidth=1.2, opacity=1)
        .encode(x="removed:Q", y="wer:Q", color=colour, shape=shape)
    )
    threshold = chosen.transform_filter(f"{_CURRENT} && datum.method === 'abs'").transform_calculate(
        said="'threshold ' + format(datum.threshold, '.3~r') + ' in units of the weights'"
    )
    return alt.layer(rule.encode(y="unpruned:Q"), lines, points, _above(threshold)).properties(
        width="container", height=190
    )


def _above(said: alt.Chart) -> alt.Chart:
    """Column `said` as a heading over the plot, the only mark that a screen reader is given."""
    text = said.mark_text(align="left", baseline="bottom", fontSize=11.5, fontWeight="bold", color=INK, aria=True)
    placed: alt.Chart = text.encode(x=alt.value(2 - _AXIS_PIXELS), y=alt.value(-9), text="said:N", description="said:N")
    return placed


def _left(**options: Any) -> alt.Axis:
    return alt.Axis(minExtent=_AXIS_PIXELS - 18, maxExtent=_AXIS_PIXELS - 18, **options)
