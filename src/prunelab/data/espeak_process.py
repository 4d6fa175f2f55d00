"""The process that speaks: a script that loads eSpeak NG, so that no other process has to.

It imports the standard library alone, and nothing imports it.
"""

import array
import ctypes
import json
import sys
from pathlib import Path

_SYNCHRONOUS = 2  # AUDIO_OUTPUT_SYNCHRONOUS: samples are handed over before espeak_Synth returns
_DO_NOT_EXIT = 0x8000  # espeakINITIALIZE_DONT_EXIT: report missing data instead of ending the process
_RATE, _PITCH, _RANGE = 1, 3, 4  # espeak_PARAMETER
_CHARACTERS = 1  # POS_CHARACTER, the unit of a start position that is 0
_UTF8 = 1  # espeakCHARS_UTF8
_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


def main(folder: Path) -> None:
    """Speak what `order.json` in the folder asks for."""
    order = json.loads((folder / "order.json").read_text(encoding="utf-8"))
    library = ctypes.CDLL(order["library"])
    samples = array.array("h")

    def keep(wave: "ctypes._Pointer[ctypes.c_short]", count: int, _events: int) -> int:
        if wave and count > 0:
            samples.frombytes(ctypes.string_at(wave, count * samples.itemsize))
        return 0  # go on

    rate = library.espeak_Initialize(_SYNCHRONOUS, 0, order["data"].encode(), _DO_NOT_EXIT)
    if rate <= 0:
        sys.exit(f"espeak_Initialize failed ({rate}) with the data in {order['data']}")
    callback = _Callback(keep)  # named, because the library holds no reference that would keep it alive
    library.espeak_SetSynthCallback(callback)
    lengths = []
    voice = None
    for asked in order["utterances"]:
        if asked["voice"] != voice:
            voice = asked["voice"]
            _expect(library.espeak_SetVoiceByName(voice.encode()), f"no voice {voice}")
        for parameter, name in ((_RATE, "rate"), (_PITCH, "pitch"), (_RANGE, "range")):
            _expect(library.espeak_SetParameter(parameter, asked[name], 0), f"no {name} {asked[name]}")
        before = len(samples)
        text = asked["text"].encode()
        code = library.espeak_Synth(text, ctypes.c_size_t(len(text) + 1), 0, _CHARACTERS, 0, _UTF8, None, None)
        _expect(code, f"cannot speak {asked['text']!r}")
        lengths.append(len(samples) - before)
    (folder / "spoken.s16").write_bytes(samples.tobytes())
    (folder / "spoken.json").write_text(json.dumps({"rate": rate, "lengths": lengths}), encoding="utf-8")


def _expect(code: int, otherwise: str) -> None:
    if code != 0:
        sys.exit(f"{otherwise} (espeak-ng's code {code})")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
