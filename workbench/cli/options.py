"""Options that several commands take."""

from __future__ import annotations

from enum import StrEnum


class CodecPrecision(StrEnum):
    """What ``--precision`` takes where a codec is meant."""

    fp32 = "fp32"
    bf16 = "bf16"
    int8 = "int8"
