"""What the net sees: log-mel energies every 10 ms, normalised per utterance, with their neighbours in time."""

from collections.abc import Sequence

import kaldi_native_fbank
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from prunelab.data.spoken import RATE
from prunelab.speech.strings import Utterance

SHIFT = RATE // 100  # samples from frame to frame: 10 ms
WINDOW = RATE // 40  # samples in a frame: 25 ms

_FULL_SCALE = 32768  # Kaldi reads samples as 16-bit integers; its energy floor is meant for that range
_LEAST_DEVIATION = 1e-3  # a channel that does not move (digital silence) becomes 0 and not rounding noise blown up


def log_mel(utterances: Sequence[Utterance], *, bins: int = 24) -> tuple[Tensor, Tensor]:
    """Compute the logarithms of mel-filtered energies as Kaldi does, each utterance's to mean 0 and variance 1.

    25-ms windows every 10 ms that lie wholly inside the utterance, filters from 20 Hz to half the rate, no dither;
    samples are scaled from [-1, 1] to the 16-bit range.

    Args:
        utterances: at 8 kHz, of one window at least.
        bins: mel filters, at least 1.

    Returns:
        (F, bins) float32, all utterances one after another, and (U,) int64, frames of each.

    Raises:
        ValueError: an utterance shorter than one window, or `bins` below 1.
    """
    if bins < 1:
        raise ValueError(f"bins is the number of mel filters, at least 1; got {bins!r}")
    options = kaldi_native_fbank.FbankOptions()
    options.frame_opts.samp_freq = RATE
    options.frame_opts.dither = 0
    options.mel_opts.num_bins = bins
    parts = []
    for utterance in utterances:
        if len(utterance.samples) < WINDOW:
            raise ValueError(
                f"an utterance is at least one window of {WINDOW} samples long; {utterance.name} has "
                f"{len(utterance.samples)}: leave it out"
            )
        parts.append(_normalised(_filtered(utterance.samples, options)))
    lengths = torch.tensor([len(part) for part in parts], dtype=torch.int64)
    return torch.from_numpy(np.concatenate(parts) if parts else np.zeros((0, bins), np.float32)), lengths


def splice(features: Tensor, lengths: Tensor, *, context: int, step: int = 1) -> tuple[Tensor, Tensor]:
    """Put every step-th frame together with its neighbours; past an utterance's ends its edge frames are repeated.

    Args:
        features: (F, M), utterances one after another.
        lengths: (U,) int64, frames of each; their sum is F.
        context: neighbours on either side, in 10-ms frames, at least 0.
        step: distance between scored frames in 10-ms frames, at least 1; the first of an utterance is always scored.

    Returns:
        (G, (2 · context + 1) · M), earliest neighbour first, and (U,) int64, scored frames of each utterance.

    Raises:
        ValueError: lengths that do not add up, or `context` or `step` out of range.
    """
    if context < 0 or step < 1:
        raise ValueError(f"context is at least 0 frames and step at least 1; got context={context!r}, step={step!r}")
    if features.ndim != 2 or int(lengths.sum()) != len(features):
        raise ValueError(
            f"features are (F, M) and lengths add up to F; got {tuple(features.shape)} and {int(lengths.sum())}"
        )
    lengths = lengths.to(features.device)
    scored = (lengths + step - 1) // step
    ends = lengths.cumsum(0)
    first = (ends - lengths).repeat_interleave(scored)  # (G,) first frame of the own utterance
    within = torch.arange(int(scored.sum()), device=features.device)
    within = within - (scored.cumsum(0) - scored).repeat_interleave(scored)
    offsets = torch.arange(-context, context + 1, device=features.device)
    rows = (first + within * step)[:, None] + offsets  # (G, 2 · context + 1)
    rows = rows.clamp(min=first[:, None], max=(ends - 1).repeat_interleave(scored)[:, None])
    return features[rows].flatten(1), scored


def frame_times(samples: int, *, step: int = 1) -> Tensor:
    """Give the middle of each scored frame of an utterance, (g,) int64 in samples.

    Args:
        samples: length of the utterance.
        step: distance between scored frames in 10-ms frames, at least 1.
    """
    frames = max(0, 1 + (samples - WINDOW) // SHIFT)
    return torch.arange(0, frames, step) * SHIFT + WINDOW // 2


def _filtered(samples: NDArray[np.float32], options: kaldi_native_fbank.FbankOptions) -> NDArray[np.float32]:
    computer = kaldi_native_fbank.OnlineFbank(options)
    computer.accept_waveform(RATE, (samples * np.float32(_FULL_SCALE)).tolist())
    computer.input_finished()
    return np.stack([computer.get_frame(frame) for frame in range(computer.num_frames_ready)])


def _normalised(energies: NDArray[np.float32]) -> NDArray[np.float32]:
    wide = energies.astype(np.float64)
    deviation = np.maximum(wide.std(axis=0), _LEAST_DEVIATION)
    normal: NDArray[np.float32] = ((wide - wide.mean(axis=0)) / deviation).astype(np.float32)
    return normal
