"""Timbres: what each instrument sounds like; parameters are drawn anew for each piece."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from workbench_corpora.draws import Draws


@dataclass(frozen=True)
class Timbre:
    """Parameters of a pitched instrument: a wavetable or FM voice with an envelope.

    The voice starts with the spectrum ``n ** -bright`` over harmonics ``n`` and moves to
    ``n ** -dark`` with the time constant ``morph``.
    """

    attack: float = 0.005
    """Seconds to full level."""
    decay: float = 0.5
    """Time constant in seconds of the fall to ``sustain``."""
    sustain: float = 0.0
    """Level that a held note keeps, relative to its peak."""
    release: float = 0.06
    """Seconds from the note's end to silence."""
    bright: float = 1.0
    """Exponent of the harmonics' fall at the onset."""
    dark: float = 2.0
    """Exponent of the harmonics' fall later on."""
    morph: float = 0.2
    """Time constant in seconds from bright to dark."""
    even: float = 1.0
    """Level of the even harmonics: 1 saw-like, 0 square- or clarinet-like."""
    detune: float = 0.0
    """Cents between two voices; 0 for a single one."""
    vibrato: float = 0.0
    """Depth of the vibrato in cents."""
    fm_ratio: float = 0.0
    """Frequency of an FM modulator relative to the note's; 0 for none."""
    fm_index: float = 0.0
    """Modulation index at the onset, in radians; it falls with ``morph``."""
    colour: tuple[float, ...] = (1.0,) * 8
    """Factors on the first eight harmonics: the body of this one instrument."""


# Each parameter's range; those left out keep Timbre's default.
_RANGES: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "pluck": {
        "attack": (0.002, 0.004),
        "decay": (0.25, 0.8),
        "bright": (0.6, 1.1),
        "dark": (2.0, 3.0),
        "morph": (0.05, 0.2),
        "release": (0.05, 0.12),
    },
    "bell": {
        "attack": (0.002, 0.004),
        "decay": (0.4, 1.0),
        "bright": (3.0, 4.0),
        "dark": (4.0, 5.0),
        "morph": (0.15, 0.4),
        "fm_ratio": (2.99, 3.01),
        "fm_index": (0.8, 2.2),
        "release": (0.1, 0.3),
    },
    "e-piano": {
        "attack": (0.003, 0.006),
        "decay": (0.5, 1.2),
        "sustain": (0.1, 0.3),
        "bright": (2.5, 3.5),
        "dark": (3.0, 4.0),
        "morph": (0.1, 0.3),
        "fm_ratio": (1.0, 1.0),
        "fm_index": (0.8, 2.0),
        "release": (0.08, 0.2),
    },
    "saw lead": {
        "attack": (0.005, 0.02),
        "decay": (0.1, 0.4),
        "sustain": (0.6, 0.9),
        "bright": (0.8, 1.1),
        "dark": (1.2, 1.8),
        "morph": (0.08, 0.3),
        "detune": (4.0, 12.0),
        "vibrato": (0.0, 12.0),
    },
    "square lead": {
        "attack": (0.004, 0.015),
        "decay": (0.1, 0.4),
        "sustain": (0.5, 0.9),
        "bright": (0.9, 1.2),
        "dark": (1.3, 2.0),
        "morph": (0.08, 0.3),
        "even": (0.0, 0.1),
        "vibrato": (0.0, 10.0),
    },
    "flute": {
        "attack": (0.03, 0.06),
        "decay": (0.2, 0.4),
        "sustain": (0.8, 1.0),
        "bright": (2.2, 3.0),
        "dark": (2.6, 3.4),
        "vibrato": (5.0, 18.0),
        "release": (0.05, 0.1),
    },
    "reed": {
        "attack": (0.02, 0.04),
        "decay": (0.2, 0.4),
        "sustain": (0.7, 0.95),
        "bright": (1.0, 1.5),
        "dark": (1.4, 1.9),
        "even": (0.1, 0.4),
        "vibrato": (0.0, 10.0),
    },
    "organ": {
        "attack": (0.008, 0.015),
        "decay": (0.2, 0.4),
        "sustain": (0.9, 1.0),
        "bright": (1.0, 1.7),
        "dark": (1.2, 1.9),
        "even": (0.6, 1.0),
        "vibrato": (2.0, 6.0),
    },
    "strings": {
        "attack": (0.06, 0.14),
        "decay": (0.3, 0.6),
        "sustain": (0.8, 1.0),
        "bright": (1.1, 1.5),
        "dark": (1.3, 1.7),
        "detune": (8.0, 16.0),
        "vibrato": (3.0, 8.0),
        "release": (0.12, 0.25),
    },
    "soft saw": {
        "attack": (0.02, 0.06),
        "decay": (0.3, 0.8),
        "sustain": (0.5, 0.8),
        "bright": (1.2, 1.7),
        "dark": (1.8, 2.4),
        "detune": (5.0, 14.0),
        "release": (0.1, 0.2),
    },
    "choir": {
        "attack": (0.05, 0.1),
        "decay": (0.3, 0.6),
        "sustain": (0.8, 1.0),
        "bright": (1.5, 2.0),
        "dark": (1.7, 2.2),
        "detune": (6.0, 12.0),
        "vibrato": (6.0, 14.0),
        "release": (0.1, 0.2),
    },
    "finger bass": {
        "attack": (0.004, 0.008),
        "decay": (0.3, 0.9),
        "sustain": (0.1, 0.3),
        "bright": (1.2, 1.6),
        "dark": (2.0, 2.8),
        "morph": (0.05, 0.15),
    },
    "synth bass": {
        "attack": (0.003, 0.008),
        "decay": (0.15, 0.4),
        "sustain": (0.4, 0.7),
        "bright": (0.8, 1.1),
        "dark": (1.4, 2.0),
        "morph": (0.06, 0.2),
        "detune": (0.0, 6.0),
    },
    "sub bass": {
        "attack": (0.006, 0.012),
        "decay": (0.3, 0.6),
        "sustain": (0.7, 0.9),
        "bright": (1.8, 2.2),
        "dark": (2.2, 2.8),
    },
    "fm bass": {
        "attack": (0.003, 0.006),
        "decay": (0.2, 0.6),
        "sustain": (0.2, 0.5),
        "bright": (2.0, 3.0),
        "dark": (2.5, 3.5),
        "morph": (0.06, 0.2),
        "fm_ratio": (1.0, 1.0),
        "fm_index": (1.5, 3.0),
    },
}


def draw_timbre(draws: Draws, name: str) -> Timbre:
    """A timbre of the named family."""
    values = {key: draws.uniform(*limits) for key, limits in _RANGES[name].items()}
    colour = tuple(1.0 if n == 0 else draws.uniform(0.4, 1.6) for n in range(8))
    return Timbre(**values, colour=colour)


@dataclass(frozen=True)
class Kit:
    """Parameters of a drum kit; times in seconds, frequencies in Hz."""

    kick_pitch: float
    kick_decay: float
    kick_sweep: float
    snare_pitch: float
    snare_decay: float
    snare_noise: float
    hat_decay: float
    hat_low: float
    """Lower limit of the hats' noise."""


_KITS: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "acoustic kit": {
        "kick_pitch": (50.0, 65.0),
        "kick_decay": (0.08, 0.14),
        "kick_sweep": (1.0, 2.0),
        "snare_pitch": (170.0, 220.0),
        "snare_decay": (0.06, 0.11),
        "snare_noise": (0.6, 0.8),
        "hat_decay": (0.02, 0.045),
        "hat_low": (4500.0, 5500.0),
    },
    "electronic kit": {
        "kick_pitch": (42.0, 52.0),
        "kick_decay": (0.12, 0.22),
        "kick_sweep": (2.5, 5.0),
        "snare_pitch": (180.0, 260.0),
        "snare_decay": (0.05, 0.13),
        "snare_noise": (0.7, 0.95),
        "hat_decay": (0.015, 0.03),
        "hat_low": (5000.0, 6500.0),
    },
    "brush kit": {
        "kick_pitch": (52.0, 70.0),
        "kick_decay": (0.06, 0.1),
        "kick_sweep": (0.5, 1.2),
        "snare_pitch": (190.0, 240.0),
        "snare_decay": (0.08, 0.16),
        "snare_noise": (0.9, 1.0),
        "hat_decay": (0.03, 0.06),
        "hat_low": (3500.0, 4500.0),
    },
}


def draw_kit(draws: Draws, name: str) -> Kit:
    """A drum kit of the named family."""
    return Kit(**{key: draws.uniform(*limits) for key, limits in _KITS[name].items()})
