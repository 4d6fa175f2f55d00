"""What figures of several studies share: nets, knees and costs of layers in words; an utterance of a corpus."""

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from pandas import DataFrame

from prunelab.data.spoken import WORDS
from prunelab.figures import INK, METHODS, Saved, drawing, listed, save
from prunelab.speech import Corpus
from prunelab.studies.common.curves import knee_table

_SHIFT = 0.01  # seconds between two frames of the features


def by_model(table: DataFrame) -> list[tuple[str, DataFrame]]:
    """Split a table by model, in the order it names them."""
    return [(model, table[table["model"] == model]) for model in dict.fromkeys(table["model"])]


def titles(table: DataFrame) -> list[str]:
    """Title each model's panel: the net and its data."""
    return [f"{rows['model'].iloc[0]} on {rows['data'].iloc[0]}" for _, rows in by_model(table)]


def names(table: DataFrame) -> str:
    """Join the titles for a sentence."""
    return listed(titles(table))


def knees_in_words(table: DataFrame) -> str:
    """Say where each curve passes its knee, for who does not see it."""
    knees = knee_table(table)
    parts = []
    for model, rows in by_model(knees):
        found = rows.dropna(subset=["knee_percent"])
        pairs = zip(found["knee_percent"], found["method"], strict=True)
        named = ", ".join(f"{knee:.0f} % ({METHODS[method].label})" for knee, method in pairs)
        parts.append(f"{model}: {named or 'never'}")
    return f"The error exceeds the unpruned one by 20 points at these sparsities: {'; '.join(parts)}."


def ends_in_words(table: DataFrame) -> str:
    """Say what each layer costs at its model's largest threshold."""
    parts = []
    for model, rows in by_model(table):
        last = rows[rows["threshold"] == rows["threshold"].max()].groupby("layer", sort=False)
        means = last[["sparsity", "error_percent"]].mean().reset_index()
        named = ", ".join(
            f"{layer} removes {100 * sparsity:.0f} % of all weights at {error:.1f} % error"
            for layer, sparsity, error in means.itertuples(index=False)
        )
        parts.append(f"{model}: {named}")
    return "; ".join(parts)


def aligned_utterance(corpus: Corpus) -> Saved:
    """Draw the first training utterance: log-mel features above, the state of each scored frame below."""
    part = corpus.train
    frames = int(part.lengths[0])
    scored = -(-frames // corpus.step)
    features = part.features[:frames].numpy()
    labels = part.labels[:scored].numpy() if part.labels is not None else np.full(scored, corpus.topology.silence)
    said = " ".join(WORDS[word] for word in part.words[0])
    with drawing():
        figure: Figure
        figure, (above, below) = plt.subplots(2, 1, figsize=(7.8, 3.8), sharex=True, layout="constrained")
        image = above.imshow(
            features.T,
            origin="lower",
            aspect="auto",
            cmap="cividis",
            extent=(0, frames * _SHIFT, 0, features.shape[1]),
            interpolation="nearest",
        )
        figure.colorbar(image, ax=above, label="log energy\n(standardised)", pad=0.01)
        above.set_ylabel("mel band")
        above.grid(visible=False)
        snr = float(part.snr_db[0])
        noise = f"SNR {snr:.1f} dB" if np.isfinite(snr) else "no noise added"
        above.set_title(f"“{said}”, {noise}", loc="left")
        times = np.arange(scored) * corpus.step * _SHIFT
        spoken = labels != corpus.topology.silence
        below.step(times, np.where(spoken, labels % corpus.topology.states_per_word, np.nan), where="post", color=INK)
        below.set_ylabel("state of the word")
        below.set_yticks(range(corpus.topology.states_per_word))
        below.set_xlabel("time [s]")
        return save(
            figure,
            "aligned-utterance",
            alt=f"Log-mel features of the digit string {said} over time, and beneath them the state of the word that "
            "each frame was aligned to: every word climbs once through its states, silence in between.",
            caption="One training utterance. Above: standardised log-mel features. Below: the state that the "
            "realignment gave each scored frame; gaps are silence.",
            table="corpus",
        )
