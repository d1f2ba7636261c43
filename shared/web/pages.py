"""The few small pages that services show themselves: Korean first, readable without script, one button at most."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from fastapi.responses import HTMLResponse

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}
_STYLE = (
    "body{font:1.125rem/1.7 system-ui,sans-serif;max-width:34rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}"
    "button{font:inherit;font-weight:700;padding:.75rem 1.5rem;border:2px solid #1a1a1a;border-radius:.5rem;color:#fff;background:#1a1a1a}"
    "button:focus-visible{outline:3px solid #0b57d0;outline-offset:3px}[lang=en]{color:#444;font-size:1rem}"
)


def page(title: str, said: Sequence[tuple[str, str]], *, button: str | None = None, status: int = 200) -> HTMLResponse:
    """`said` are paragraphs, Korean and English. The button sends the page's own address back as POST."""
    paragraphs = "".join(f'<p>{escape(ko)}</p><p lang="en">{escape(en)}</p>' for ko, en in said)
    form = f'<form method="post"><button type="submit">{escape(button)}</button></form>' if button else ""
    return HTMLResponse(
        f'<!doctype html><html lang="ko"><head><meta charset="utf-8"><title>{escape(title)} · 당근 광산</title>'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><style>{_STYLE}</style></head>'
        f"<body><main><h1>{escape(title)}</h1>{paragraphs}{form}</main></body></html>",
        status,
        headers=HEADERS,
    )
