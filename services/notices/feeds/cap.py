"""CAP 1.2 (OASIS, ITU-T X.1303): an emergency as other warning systems read it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from xml.sax.saxutils import escape

from services.notices.feeds.domain import Told, changed_at, page_of, writable
from services.notices.feeds.render import XML
from services.notices.publishing.domain import Notice, Terms
from shared.clock import SEOUL
from shared.geo import District

NAMESPACE = "urn:oasis:names:tc:emergency:cap:1.2"
SENDER = "gwangsan"
MOST_HEADLINE = 160


def _text(value: str) -> str:
    return escape(writable(value))


def _sent(at: datetime) -> str:
    """With seconds and an offset that is no Z, as the standard wants it."""
    return at.astimezone(SEOUL).replace(microsecond=0).isoformat()


def _identifier(notice: Notice, version: int) -> str:
    return f"gwangsan-{notice.id}-{version}"


def alert(notice: Notice, earlier: Sequence[Told], district: District, base: str) -> bytes:
    """Alert, Update with what it replaces, or Cancel where the notice was ended before its time."""
    words = [told for told in earlier if told.version < notice.version]
    kind = "Cancel" if notice.status == "closed" else "Update" if words else "Alert"
    references = " ".join(f"{SENDER},{_identifier(notice, told.version)},{_sent(told.at)}" for told in words[:20])
    said = f"<references>{references}</references>" if references else ""
    note = f"<note>{_text(notice.closed_because)}</note>" if notice.closed_because else ""
    at = notice.changed_at if notice.status == "closed" else changed_at(notice)
    body = "".join(_info(notice, terms, language, district, base) for terms, language in _languages(notice.terms))
    return (
        f'{XML}<alert xmlns="{NAMESPACE}"><identifier>{_identifier(notice, notice.version)}</identifier><sender>{SENDER}</sender>'
        f"<sent>{_sent(at)}</sent><status>Actual</status><msgType>{kind}</msgType><scope>Public</scope>{note}{said}{body}</alert>\n"
    ).encode()


def _languages(terms: Terms) -> list[tuple[tuple[str, str], str]]:
    """Korean, then the further languages: (headline, text) and language."""
    further = [((t.headline, t.body), t.language) for t in terms.translations]
    return [((terms.headline, terms.body), "ko-KR"), *further]


def _info(notice: Notice, words: tuple[str, str], language: str, district: District, base: str) -> str:
    terms, (headline, body) = notice.terms, words
    return (
        f"<info><language>{_text(language)}</language><category>Safety</category><event>{_text(headline)}</event>"
        f"<responseType>Monitor</responseType><urgency>Immediate</urgency><severity>Severe</severity><certainty>Observed</certainty>"
        f"<effective>{_sent(notice.created_at)}</effective><expires>{_sent(terms.expires_at)}</expires>"
        f"<senderName>{_text(notice.institution)}</senderName><headline>{_text(headline[:MOST_HEADLINE])}</headline>"
        f"<description>{_text(body)}</description><web>{_text(page_of(base, notice.id))}</web>{_areas(notice, district)}</info>"
    )


def _areas(notice: Notice, district: District) -> str:
    """행정동 by name and code, circles as the standard has them: the centre, a space, kilometres."""
    target = notice.terms.target
    areas = [
        f"<area><areaDesc>{_text(district.by_code[code].name)}</areaDesc><geocode><valueName>행정동코드</valueName>"
        f"<value>{_text(code)}</value></geocode></area>"
        for code in target.dongs
        if code in district.by_code
    ]
    areas += [
        f"<area><areaDesc>반경 {circle.radius_m}m</areaDesc>"
        f"<circle>{circle.lat:.6f},{circle.lon:.6f} {circle.radius_m / 1000:.3f}</circle></area>"
        for circle in target.circles
    ]
    return "".join(areas) or "<area><areaDesc>광산구</areaDesc></area>"
