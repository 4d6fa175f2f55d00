"""Features: the energies Kaldi defines, normalised, and spliced within their utterance."""

import math

import numpy as np
import pytest
import torch

from prunelab.speech.features import frame_times, log_mel, splice
from prunelab.speech.strings import Utterance, pink


def utterance(samples: np.ndarray, name: str = "u") -> Utterance:
    return Utterance(
        name=name, samples=samples.astype(np.float32), words=(1,), spans=None, speaker="s", snr_db=math.inf
    )


def noise(count: int, seed: int) -> np.ndarray:
    return 0.05 * pink(count, np.random.default_rng(seed))


def kaldi_log_mel(samples: np.ndarray, bins: int) -> np.ndarray:
    """The definition of Kaldi's fbank features, written out: feature-window.cc, mel-computations.cc."""
    frames = np.stack([samples[at : at + 200] for at in range(0, len(samples) - 199, 80)]) * 32768
    frames = frames - frames.mean(1, keepdims=True)
    frames = frames - 0.97 * np.concatenate([frames[:, :1], frames[:, :-1]], 1)
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(200) / 199)) ** 0.85  # "povey"
    power = np.abs(np.fft.rfft(frames * window, 256)) ** 2

    def mel(hertz: np.ndarray | float) -> np.ndarray:
        return 1127 * np.log(1 + np.asarray(hertz) / 700)

    edges = np.linspace(mel(20), mel(4000), bins + 2)
    position = mel(np.arange(129) * 8000 / 256)[:, None]
    rising = (position - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - position) / (edges[2:] - edges[1:-1])
    return np.log(power @ np.maximum(0, np.minimum(rising, falling)))


def test_the_energies_are_those_of_kaldis_definition() -> None:
    samples = noise(4000, seed=0) + 0.1 * np.sin(np.arange(4000) * 0.3)
    expected = kaldi_log_mel(samples.astype(np.float32).astype(np.float64), bins=24)

    features, lengths = log_mel([utterance(samples)])

    assert lengths.tolist() == [len(expected)] == [48]
    normal = (expected - expected.mean(0)) / expected.std(0)
    assert np.allclose(features.numpy(), normal, atol=2e-3)


def test_each_utterance_has_mean_zero_and_variance_one_in_every_channel() -> None:
    features, lengths = log_mel([utterance(noise(8000, 1)), utterance(7 * noise(5000, 2))], bins=20)

    assert features.shape == (int(lengths.sum()), 20)
    assert features.dtype == torch.float32
    for part in features.double().split(lengths.tolist()):
        assert torch.allclose(part.mean(0), torch.zeros(20).double(), atol=1e-5)
        assert torch.allclose(part.std(0, correction=0), torch.ones(20).double(), atol=1e-5)


def test_an_utterance_does_not_depend_on_its_neighbours_or_its_level() -> None:
    quiet, other = noise(6000, 3), noise(3000, 4)
    alone, _ = log_mel([utterance(quiet)])
    beside, lengths = log_mel([utterance(other), utterance(4 * quiet)])

    assert torch.allclose(beside[lengths[0] :], alone, atol=1e-3)


def test_speech_far_below_full_scale_keeps_its_features() -> None:
    quiet = noise(6000, 3)

    faint, _ = log_mel([utterance(1e-4 * quiet)])  # on a scale of 1 its energies would be below Kaldi's floor

    assert torch.allclose(faint, log_mel([utterance(quiet)])[0], atol=1e-3)


def test_a_channel_that_does_not_move_is_not_blown_up() -> None:
    steady = np.tile(noise(80, 7), 50) + 1e-8 * noise(4000, 8)  # every 10 ms the same but for rounding

    features, _ = log_mel([utterance(steady)])

    assert features.abs().max() < 0.05


def test_digital_silence_has_features_of_zero() -> None:
    features, _ = log_mel([utterance(np.zeros(1000))])

    assert features.shape == (11, 24)
    assert not features.any()


def test_an_utterance_shorter_than_a_window_is_refused_by_name() -> None:
    assert len(log_mel([utterance(noise(200, 5))])[0]) == 1
    with pytest.raises(ValueError, match="at least one window of 200 samples long; short has 199"):
        log_mel([utterance(noise(200, 5)), utterance(noise(199, 5), "short")])
    with pytest.raises(ValueError, match="bins is the number of mel filters, at least 1; got 0"):
        log_mel([utterance(noise(200, 5))], bins=0)


def test_splicing_repeats_edges_and_never_looks_into_the_next_utterance() -> None:
    features = torch.tensor([[1.0], [2.0], [3.0], [10.0], [20.0]])

    spliced, scored = splice(features, torch.tensor([3, 2]), context=2)

    assert scored.tolist() == [3, 2]
    assert spliced.tolist() == [
        [1, 1, 1, 2, 3],
        [1, 1, 2, 3, 3],
        [1, 2, 3, 3, 3],
        [10, 10, 10, 20, 20],
        [10, 10, 20, 20, 20],
    ]


@pytest.mark.parametrize("step", [1, 2, 3, 7])
def test_every_step_th_frame_is_scored_with_neighbours_ten_milliseconds_apart(step: int) -> None:
    lengths = torch.tensor([9, 1, 0, 14])
    features = torch.randn(24, 3, generator=torch.Generator().manual_seed(0))
    every, _ = splice(features, lengths, context=2)

    some, scored = splice(features, lengths, context=2, step=step)

    expected = [part[::step] for part in every.split(lengths.tolist())]
    assert scored.tolist() == [len(part) for part in expected]
    assert torch.equal(some, torch.cat(expected))


def test_scored_frames_lie_where_their_windows_middles_are() -> None:
    # 520 samples hold windows that start at 0, 80, 160, 240 and 320 and are 200 long.
    assert frame_times(520).tolist() == [100, 180, 260, 340, 420]
    assert frame_times(520, step=2).tolist() == [100, 260, 420]
    assert frame_times(199).tolist() == []
    _, lengths = log_mel([utterance(noise(520, 6))])
    assert lengths.tolist() == [5]


def test_a_context_or_lengths_that_make_no_sense_are_refused() -> None:
    features = torch.zeros(4, 2)

    with pytest.raises(ValueError, match="context=-1, step=1"):
        splice(features, torch.tensor([4]), context=-1)
    with pytest.raises(ValueError, match="context=0, step=0"):
        splice(features, torch.tensor([4]), context=0, step=0)
    with pytest.raises(ValueError, match=r"lengths add up to F; got \(4, 2\) and 5"):
        splice(features, torch.tensor([5]), context=1)
