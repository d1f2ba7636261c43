"""The first page's colours are readable in light and dark: WCAG 2.2 contrast of every pair that is used."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

STYLES = Path(__file__).parents[2] / "web" / "styles"
TOKEN = re.compile(r"--([a-z-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);")

TEXT_ON = [
    ("ink", "paper"), ("ink", "surface"), ("ink", "raised"), ("ink", "soft"), ("muted", "paper"), ("muted", "surface"),
    ("muted", "raised"), ("muted", "soft"), ("muted", "land"), ("muted", "land-here"), ("on-accent", "accent"),
    ("on-accent-soft", "accent-soft"), ("accent", "soft"), ("accent", "surface"), ("danger", "danger-soft"), ("danger", "surface"),
    ("good", "good-soft"), ("good", "surface"), ("ink", "good-soft"), ("muted", "good-soft"), ("surface", "ink"),
    ("on-mark", "job"), ("on-mark", "space"), ("on-mark", "notice"),
]  # fmt: skip
SHAPE_ON = [
    ("job", "land"), ("space", "land"), ("notice", "land"), ("job", "land-here"), ("space", "land-here"), ("notice", "land-here"),
    ("job", "water"), ("person", "land"), ("person", "land-here"), ("ink", "land"), ("edge", "surface"), ("edge", "paper"),
    ("focus", "paper"), ("focus", "surface"), ("focus", "water"), ("focus", "land"), ("accent", "land"),
]  # fmt: skip


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def palette(theme: str) -> dict[str, str]:
    found = TOKEN.findall((STYLES / "tokens.css").read_text(encoding="utf-8"))
    return {name: light if theme == "light" else dark for name, light, dark in found}


def test_contrast_is_computed_as_wcag_says() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_is_readable(theme: str) -> None:
    colours = palette(theme)
    poor = {pair: round(contrast(colours[pair[0]], colours[pair[1]]), 2) for pair in TEXT_ON}
    assert {pair: ratio for pair, ratio in poor.items() if ratio < 4.5} == {}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_shapes_and_edges_are_visible(theme: str) -> None:
    colours = palette(theme)
    poor = {pair: round(contrast(colours[pair[0]], colours[pair[1]]), 2) for pair in SHAPE_ON}
    assert {pair: ratio for pair, ratio in poor.items() if ratio < 3} == {}


def test_no_colour_is_written_outside_the_palette() -> None:
    sheets = [path for path in STYLES.glob("*.css") if path.name != "tokens.css"]
    assert sheets
    written = {
        path.name: re.findall(r"#[0-9a-f]{3,8}\b(?=[;,) ])", path.read_text(encoding="utf-8")) for path in sheets
    }
    assert {name: colours for name, colours in written.items() if colours} == {}
