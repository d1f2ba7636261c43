"""Text files as they are sent in Korea."""

from __future__ import annotations

from shared.rules import Refused


def decoded(raw: bytes) -> str:
    """UTF-8, with or without its mark, else cp949 as Korean spreadsheets write it. Raises Refused."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = _of_cp949(raw)
    if "\0" in text:
        raise Refused("file", "nul-character", "text may not hold the character U+0000")
    return text


def _of_cp949(raw: bytes) -> str:
    try:
        return raw.decode("cp949")
    except UnicodeDecodeError:
        raise Refused("file", "encoding", "UTF-8도 cp949도 아닙니다 / neither UTF-8 nor cp949") from None
