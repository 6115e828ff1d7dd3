"""The process in which espeak-ng runs: requests as JSON lines in, a JSON line and samples out.

It imports nothing of the workbench and nothing but the library's loader, so the GPL-licensed
library is never part of the workbench's own process, and a fork of it costs little.

espeak-ng keeps state between calls (the position in the table that makes pitch flutter, the last
voice's settings), and draws the breath of some voices from a generator that it seeds with the time
of its start. ``espeak_ng_SetRandSeed`` holds the second, but nothing that the library offers
resets the first, ``espeak_Terminate`` included: the same call twice in one process gives other
samples (so it did with all six voices measured). So the generator is seeded, and each request is
answered by a fork of the process as it was after the library's start. An answer is then a pure
function of the request, whatever was asked before; a fork takes about 4 ms of a processor.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from pathlib import Path
from typing import Any, BinaryIO

# Constants of espeak-ng's speak_lib.h.
_SYNCHRONOUS = 2
_PHONEME_EVENTS_IN_IPA = 0x0001 | 0x0002
_DONT_EXIT = 0x8000
_UTF8 = 1
_ENDPAUSE = 0x1000
_IPA = 2
_SEPARATED = ord("_") << 8
_WORD, _PHONEME, _LAST_EVENT = 1, 7, 0
_PARAMETERS = {"rate": 1, "pitch": 3, "range": 4}


class _Id(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    )


class _Voice(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_char_p),
        ("identifier", ctypes.c_char_p),
        ("kind", ctypes.c_ubyte * 4),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    )


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


class Synthesiser:
    """The library, started; ``answer`` is to be called once in each process."""

    def __init__(self, library: str, data: str) -> None:
        self._data = Path(data)
        self._library = _declared(ctypes.CDLL(library))
        options = _PHONEME_EVENTS_IN_IPA | _DONT_EXIT
        self.sample_rate = self._library.espeak_Initialize(_SYNCHRONOUS, 0, data.encode(), options)
        if self.sample_rate <= 0:
            raise OSError(f"espeak_Initialize returned {self.sample_rate}")
        self._library.espeak_ng_SetRandSeed(1)
        self._samples = bytearray()
        self._words: list[tuple[int, int, int]] = []
        self._phonemes: list[tuple[int, str]] = []
        self._callback = _Callback(self._collect)  # kept: the library holds only a pointer
        self._library.espeak_SetSynthCallback(self._callback)

    def answer(self, request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        """What is asked for; the first part says how many bytes of samples the second holds."""
        if request["do"] == "list":
            version = self._library.espeak_Info(None).decode().split()[0]
            names = {"voices": self._voices(), "variants": self._variants()}
            return {"version": version, **names}, b""
        if self._library.espeak_SetVoiceByName(request["voice"].encode()) != 0:
            return {"unknown_voice": request["voice"]}, b""
        if request["do"] == "phonemes":
            return {"pieces": [self._phonemise(piece) for piece in request["pieces"]]}, b""
        return self._speak(request)

    def _speak(self, request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        for name, number in _PARAMETERS.items():
            if self._library.espeak_SetParameter(number, request[name], 0) != 0:
                return {"error": f"espeak_SetParameter refused {name} = {request[name]}"}, b""
        text = request["text"].encode() + b"\0"
        flags = _UTF8 | _ENDPAUSE
        status = self._library.espeak_Synth(text, len(text), 0, 1, 0, flags, None, None)
        if status != 0 or self._library.espeak_Synchronize() != 0:
            return {"error": f"espeak_Synth returned {status}"}, b""
        told = {"rate": self.sample_rate, "words": self._words, "phonemes": self._phonemes}
        return told, bytes(self._samples)

    def _collect(self, wave: Any, count: int, events: Any) -> int:
        """Keep the samples and events that the library hands over; 0 asks it to go on."""
        if wave and count > 0:
            self._samples += ctypes.string_at(wave, 2 * count)
        index = 0
        while events[index].type != _LAST_EVENT:
            event = events[index]
            if event.type == _WORD:
                # Positions count characters from 1.
                self._words.append((event.text_position - 1, event.length, event.sample))
            elif event.type == _PHONEME:
                # Eight bytes hold it; a longer one is cut, maybe within a character.
                self._phonemes.append((event.sample, event.id.string.decode(errors="ignore")))
            index += 1
        return 0

    def _phonemise(self, piece: str) -> tuple[str, str]:
        """The piece in IPA and in espeak's own mnemonics, phonemes parted by underscores."""
        return self._transcribe(piece, _IPA | _SEPARATED), self._transcribe(piece, _SEPARATED)

    def _transcribe(self, piece: str, mode: int) -> str:
        rest = ctypes.c_char_p(piece.encode())
        clauses = []
        while rest.value is not None:  # a call takes one clause and moves on; NULL at the end
            clause = self._library.espeak_TextToPhonemes(ctypes.byref(rest), _UTF8, mode)
            clauses.append((clause or b"").decode())
        return " ".join(clause for clause in clauses if clause)

    def _voices(self) -> list[str]:
        """Names that ``espeak_SetVoiceByName`` takes: the voice files' own, in lower case."""
        listed = self._library.espeak_ListVoices(None)
        names = []
        index = 0
        while listed[index]:
            names.append(listed[index].contents.identifier.decode().rsplit("/", 1)[-1].lower())
            index += 1
        return sorted(set(names))

    def _variants(self) -> list[str]:
        return sorted(path.name for path in (self._data / "voices" / "!v").iterdir())


def _declared(library: ctypes.CDLL) -> ctypes.CDLL:
    """The library with the types of the functions that are called."""
    number, text, pointer = ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p
    library.espeak_Initialize.argtypes = (number, number, text, number)
    library.espeak_ng_SetRandSeed.argtypes = (ctypes.c_long,)
    library.espeak_SetVoiceByName.argtypes = (text,)
    library.espeak_SetParameter.argtypes = (number, number, number)
    size, unsigned = ctypes.c_size_t, ctypes.c_uint
    synth = (text, size, unsigned, number, unsigned, unsigned, pointer, pointer)
    library.espeak_Synth.argtypes = synth
    library.espeak_TextToPhonemes.argtypes = (ctypes.POINTER(text), number, number)
    library.espeak_TextToPhonemes.restype = text
    library.espeak_Info.argtypes = (pointer,)
    library.espeak_Info.restype = text
    library.espeak_ListVoices.argtypes = (pointer,)
    library.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_Voice))
    return library


def _send(output: BinaryIO, header: dict[str, Any], payload: bytes = b"") -> None:
    line = json.dumps({**header, "bytes": len(payload)}).encode() + b"\n"
    output.write(line + payload)
    output.flush()


def serve(requests: BinaryIO, output: BinaryIO) -> None:
    """Answer requests until there are no more, each in a fork of its own."""
    try:
        import espeakng_loader
    except ImportError:
        _send(output, {"missing": "espeakng-loader"})
        return
    synthesiser = Synthesiser(espeakng_loader.get_library_path(), espeakng_loader.get_data_path())
    for line in requests:
        child = os.fork()
        if child == 0:
            header, payload = synthesiser.answer(json.loads(line))
            _send(output, header, payload)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status != 0:  # it died before it could answer
            _send(output, {"error": f"espeak-ng ended with status {status}"})


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
