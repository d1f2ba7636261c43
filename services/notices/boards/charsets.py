"""Bytes as text, whatever they are said to be: Korean boards say euc-kr and mean cp949, say utf-8 and send cp949. Pure."""

from __future__ import annotations

import codecs
import re

from shared.rules import Refused

_DECLARED = re.compile(rb"^\s*<\?xml[^>]*encoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})[\"']", re.IGNORECASE)
_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>", re.IGNORECASE)
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([A-Za-z0-9._-]{1,40})", re.IGNORECASE)
BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
# Any bytes are good Latin: whoever says so may mean anything.
MEANS = {"euc-kr": "cp949", "ks_c_5601-1987": "cp949", "ksc5601": "cp949", "iso-8859-1": "cp949", "us-ascii": "cp949", "latin-1": "cp949",
         "latin1": "cp949", "windows-1252": "cp949", "ms949": "cp949", "uhc": "cp949"}  # fmt: skip
LET_IN = {"utf-8", "cp949", "utf-16-le", "utf-16-be", "utf-16"}


def as_text(raw: bytes, content_type: str = "") -> str:
    """The text without its XML declaration. Good UTF-8 is UTF-8: hardly anything else is that by chance. Raises Refused."""
    for mark, encoding in BOMS:
        if raw.startswith(mark):
            return _without_declaration(_decoded(raw[len(mark) :], encoding))
    if b"\0" in raw[:200]:
        raise Refused("file", "charset", "text in UTF-16 begins with its mark")
    declared, told = _DECLARED.match(raw), _CHARSET.search(content_type)
    wishes = [declared[1].decode().lower()] if declared else []
    wishes += [told[1].lower()] if told else []
    candidates = dict.fromkeys(["utf-8", *(MEANS.get(wish, wish) for wish in wishes), "cp949"])
    encoding = next((one for one in candidates if one in LET_IN and _is_good(raw, one)), "utf-8")
    return _without_declaration(_decoded(raw, encoding))


def _is_good(raw: bytes, encoding: str) -> bool:
    try:
        raw.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _decoded(raw: bytes, encoding: str) -> str:
    return raw.decode(encoding, "replace")


def _without_declaration(text: str) -> str:
    return _DECLARATION.sub("", text, count=1)
