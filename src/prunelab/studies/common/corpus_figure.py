"""Figures of corpora."""

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from prunelab.data.spoken import WORDS
from prunelab.figures.style import INK, Saved, save, style
from prunelab.speech import Corpus

_SHIFT = 0.01  # seconds between two frames of the features


def aligned_utterance(corpus: Corpus) -> Saved:
    """Draw the first training utterance: log-mel features above, the state of each scored frame below."""
    part = corpus.train
    frames = int(part.lengths[0])
    scored = -(-frames // corpus.step)
    features = part.features[:frames].numpy()
    labels = part.labels[:scored].numpy() if part.labels is not None else np.full(scored, corpus.topology.silence)
    said = " ".join(WORDS[word] for word in part.words[0])
    with style():
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
