"""One wav file: its bytes as samples at the rate that all recordings have."""

import io
import math
import struct
import warnings

import numpy as np
from numpy.typing import NDArray
from scipy.io import wavfile

from prunelab.data.spoken import RATE, from_int16, to_int16

SIZE_LIMIT = 64 * 2**20  # bytes of a wav file; an hour of 8 kHz, 16 bit takes 58 MB
_RATE_LIMIT = 768_000  # Hz; more is a damaged header, and resampling from it could take all memory
_UNREADABLE = (  # what scipy raises on damaged headers
    ValueError,
    EOFError,
    struct.error,
    TypeError,
    ArithmeticError,
    LookupError,
    NameError,  # a variable that it set in no chunk
    MemoryError,  # a length that the header claims
    OSError,
)


def decode(content: bytes) -> tuple[int, NDArray[np.float64]]:
    """Read a wav file of PCM (8, 16, 24 or 32 bit) or floating-point samples, mono or stereo.

    Args:
        content: the whole file.

    Returns:
        Its sampling rate in Hz, and (n,) samples, full scale = 1.0; the mean of two channels. Floating-point
        samples are as they are in the file: NaN and values beyond 1 among them.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", wavfile.WavFileWarning)
            # Chunks that name the program that wrote the file, or the song, say nothing about its samples.
            warnings.filterwarnings("ignore", r"Chunk \(non-data\) not understood", wavfile.WavFileWarning)
            rate, stored = wavfile.read(io.BytesIO(content))
    except (*_UNREADABLE, wavfile.WavFileWarning) as error:
        # Python's own words for what scipy did not foresee would tell a reader nothing.
        foreseen = isinstance(error, (ValueError, EOFError, wavfile.WavFileWarning))
        why = " ".join(str(error).split()).rstrip(".") if foreseen else "its header is damaged"
        raise ValueError(f"not a readable wav file of PCM or floating-point samples ({why})") from None
    # A lower rate lacks frequencies that all other recordings have.
    if not RATE <= rate <= _RATE_LIMIT:
        raise ValueError(
            f"a sampling rate from {RATE} to {_RATE_LIMIT} Hz is needed; got {rate}: record or export at such a rate"
        )
    if stored.ndim == 2 and stored.shape[1] > 2:
        raise ValueError(f"{stored.shape[1]} channels; mono or stereo is needed")
    # NaN and infinite samples are the caller's to refuse: numpy need not warn of them.
    with np.errstate(invalid="ignore", over="ignore"):
        return int(rate), _mono(stored)


def _mono(stored: NDArray[np.generic]) -> NDArray[np.float64]:
    """Scale samples as stored, (n,) or (n, channels), to (n,) with full scale 1.0."""
    samples = stored.astype(np.float64)
    if stored.dtype == np.uint8:  # the one format without a sign: silence is 128
        samples = (samples - 128) / 128
    elif stored.dtype.kind == "i":  # 24 bit arrive as 32, shifted to the top
        samples /= 2.0 ** (8 * stored.dtype.itemsize - 1)
    return samples.mean(axis=1) if samples.ndim == 2 else samples


def at_rate(samples: NDArray[np.float64], rate: int) -> NDArray[np.float32]:
    """Resample to RATE, on the grid of 16-bit numbers, so that the last bits of a filter's sums do not matter.

    Args:
        samples: (n,), [-1, 1].
        rate: Hz, at least RATE.

    Returns:
        (ceil(n · RATE / rate),), [-1, 1); a filter's overshoot is clipped.
    """
    if rate != RATE:
        from scipy.signal import resample_poly  # half a second to import, which reading 8 kHz should not cost

        shared = math.gcd(RATE, rate)
        samples = resample_poly(samples, RATE // shared, rate // shared)
    return from_int16(to_int16(samples))
