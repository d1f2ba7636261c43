"""What a person sees while it runs, and the summary at the end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from itertools import islice

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from demo.canvas import Canvas
from demo.judge import percentiles
from demo.offers import SAMPLE, dong_names
from demo.tally import Arrival, Tally

PROVENANCE = (
    "실제 택시 이동(포르투, CC BY 4.0)을 광산구로 옮김 · 실제 장소 아님 · 시민은 표본",
    "Real taxi traces (Porto, CC BY 4.0) moved here: place not real, citizens samples",
)
OWN_TRACES = ("움직임: {name}. 시민은 표본입니다. Movement from that file; citizens are samples.",)
KINDS = {"job": ("▲ 일자리", "dark_orange"), "space": ("■ 공간", "green3"), "notice": ("● 소식", "deep_sky_blue1")}
GROUPS = {"matching-engine": "엔진 engine", "matching-inbox": "알림함 inbox"}
JUST_NOW_S = 1.5
FRAME_S = 0.5
PLAIN_EVERY_S = 5.0


class View:
    """Drawn on a terminal; a line every five seconds in a log or with --plain."""

    def __init__(self, console: Console, tally: Tally, provenance: tuple[str, ...], url: str, *, drawn: bool) -> None:
        self._console, self._tally, self._provenance, self._url, self._drawn = console, tally, provenance, url, drawn
        self._canvas: Canvas | None = None

    async def watch(self) -> None:
        """Until cancelled."""
        if not self._drawn:
            return await self._tell()
        with Live(self.render(), console=self._console, auto_refresh=False, screen=True) as live:
            while True:
                live.update(self.render(), refresh=True)
                await asyncio.sleep(FRAME_S)

    async def _tell(self) -> None:
        told, last = "", 0.0
        while True:
            tally = self._tally
            if tally.phase != told or time.monotonic() - last > PLAIN_EVERY_S:
                told, last = tally.phase, time.monotonic()
                self._console.print(self._line(), highlight=False, soft_wrap=True)
            await asyncio.sleep(0.1)

    def _line(self) -> str:
        tally = self._tally
        if not tally.began_at or tally.ended_at:
            done, of = tally.step
            return f"· {tally.phase}" + (f" {done:,}/{of:,}" if of else "")
        p = percentiles(tally.delays_ms)
        lag = " ".join(f"{GROUPS[g].split()[1]} {n}" for g, n in sorted(tally.lag.items()) if g in GROUPS)
        return (
            f"· {tally.sent:,}/{tally.total:,} fixes  {tally.rate():.0f}/s  alerts {tally.made or 0:,}  "
            f"lag {lag or '-'}  p50/p95/p99 {_ms(p['p50'])}/{_ms(p['p95'])}/{_ms(p['p99'])} ms"
        )

    def render(self) -> RenderableType:
        """One frame, filling the terminal."""
        width, height = self._console.size
        below = max(5, (height - 5) // 3)
        middle = max(8, height - 5 - below)
        map_width = max(24, min(width - 42, middle * 3))
        body = Table.grid(padding=(0, 1))
        body.add_column(width=map_width)
        body.add_column(width=width - map_width - 2)
        body.add_row(self._map(map_width, middle), self._figures())
        return Group(self._head(width), body, self._alerts(below, width), *self._footer(width))

    def _head(self, width: int) -> RenderableType:
        tally = self._tally
        done, of = (tally.sent, tally.total) if tally.began_at and not tally.ended_at else tally.step
        speed = "최대 속도 max" if tally.speed is None else f"{tally.speed:g}배속 ×{tally.speed:g}"
        title = Text.assemble(("🥕 당근 광산 재생 ", "bold dark_orange"), (f"{speed}  ", "bold"), (tally.phase, ""))
        title.truncate(width - 1, overflow="ellipsis")
        count = f" {done:,}/{of:,}" if of else ""
        row = Table.grid()
        row.add_row(ProgressBar(total=max(1, of), completed=done, width=max(10, width - 2 - len(count))), count)
        return Group(title, row)

    def _map(self, columns: int, rows: int) -> Text:
        if self._canvas is None or (self._canvas.columns, self._canvas.rows) != (columns, rows):
            self._canvas = Canvas(columns, rows)
            self._canvas.draw_borders(dong_names())
        tally, now = self._tally, time.time()
        circles = [(o.offer.wanted.kind, *o.offer.at) for o in tally.opened if o.offer.wanted.circles]
        told = {a.person for a in tally.arrivals[-200:] if now - a.at < JUST_NOW_S}
        return self._canvas.frame(
            list(tally.places.values()), circles, [tally.places[p] for p in told if p in tally.places]
        )

    def _figures(self) -> Table:
        tally, p = self._tally, percentiles(self._tally.delays_ms)
        table = Table.grid(padding=(0, 1))
        table.add_column(style="grey62", no_wrap=True)
        table.add_column(justify="right", no_wrap=True)
        seconds = (tally.ended_at or time.time()) - tally.began_at if tally.began_at else 0
        table.add_row("시민 citizens", f"{len(tally.people):,}")
        table.add_row("이동 중 moving", f"{tally.walking:,}")
        table.add_row("위치 fixes", f"{tally.sent:,}")
        table.add_row("초당 fixes/s", f"[bold]{tally.rate() if not tally.ended_at else tally.sent / seconds:,.0f}[/]")
        table.add_row("게시물 postings", f"{len(tally.opened)} [grey62]/ {tally.offers}[/]")
        table.add_row("만든 알림 alerts made", "-" if tally.made is None else f"[bold]{tally.made:,}[/]")
        for group, label in GROUPS.items():
            table.add_row(f"밀림 lag {label}", f"{tally.lag[group]:,}" if group in tally.lag else "-")
        table.add_row("열린 스트림 streams", f"{tally.listening} [grey62]표본 sample[/]")
        table.add_row("스트림 알림 on streams", f"{len(tally.arrivals):,}")
        for name in ("p50", "p95", "p99"):
            table.add_row(f"지연 latency {name}", f"[bold]{_ms(p[name])}[/] ms")
        table.add_row("걸린 시간 elapsed", f"{seconds:.0f} s")
        return table

    def _alerts(self, rows: int, width: int) -> RenderableType:
        ours = (a for a in reversed(self._tally.arrivals) if self._tally.number_of(a.item["posting_id"]) is not None)
        latest = list(islice(ours, rows - 2))
        table = Table.grid(padding=(0, 1), expand=True)
        for wide in (8, 8, 9, 13, None, 5, 7):
            table.add_column(width=wide, no_wrap=True, overflow="ellipsis", ratio=None if wide else 1)
        for arrival in latest:
            table.add_row(*self._cells(arrival))
        while table.row_count < rows - 2:
            table.add_row("")
        hint = "받은 알림 alerts arriving · ms = 위치 수락→스트림 fix accepted→stream"
        return Panel(table, title=hint, title_align="left", border_style="grey37", padding=(0, 1), width=width)

    def _cells(self, arrival: Arrival) -> tuple[RenderableType, ...]:
        item = arrival.item
        label, style = KINDS[item["kind"]]
        distance = "동 전체" if item["distance_m"] is None else f"약 {item['distance_m']:,}m"
        what = " · ".join(filter(None, (item["headline"].removeprefix(SAMPLE), item["dong"])))
        delay = "" if arrival.delay_ms is None else f"{arrival.delay_ms:,.0f} ms"
        clock = time.strftime("%H:%M:%S", time.localtime(arrival.at))
        number = self._tally.people[arrival.person].label.split()[1]
        grey = "grey62"
        return (
            Text(clock, grey), Text(label, style), Text(distance, "bold"), Text(reason(item)), Text(what),
            Text(number, grey), Text(delay, grey, justify="right"),
        )  # fmt: skip

    def _footer(self, width: int) -> Iterator[Text]:
        for line in self._provenance:
            text = Text(line, "grey50")
            text.truncate(width, overflow="ellipsis")
            yield text


def reason(item: dict[str, object]) -> str:
    """Why it was told, in few words."""
    why = item["why"]
    assert isinstance(why, dict)
    moved = {"citizen_moved": "다가감", "posting_changed": "새로 열림"}.get(why["cause"], "설정 바뀜")
    return moved + ("·관심사" if why["matched_interests"] else "")


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"
