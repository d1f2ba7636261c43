"""Why an alert was made, in words (M8). Pure.

Said are the rule, the cause, the citizen's own settings as they were, and the posting's version: nothing about others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from shared.clock import SEOUL
from shared.contracts.alert import Why

Language = Literal["ko", "en"]

CAUSES: Mapping[str, tuple[str, str]] = {
    "citizen_moved": ("회원님이 그 범위 안으로 이동하셨기 때문입니다.", "You moved into its reach."),
    "posting_changed": (
        "회원님이 계신 곳에 이 소식이 새로 열리거나 바뀌었기 때문입니다.",
        "It opened or changed where you were.",
    ),
    "watch_changed": ("회원님이 알림 설정을 바꾸셨기 때문입니다.", "You changed your settings."),
    "window_began": (
        "회원님의 가능 시간이 시작되었거나 그 소식이 닿는 거리가 넓어졌기 때문입니다.",
        "The time when you are free began, or its reach grew.",
    ),
    "caught_up": (
        "매칭이 다시 시작되면서 그사이 놓친 것을 확인했기 때문입니다.",
        "Matching had been restarted and looked at what it missed meanwhile.",
    ),
}
# Where no position has a part in it, nothing may be said of where one was.
CAUSES_AT_HOME: Mapping[str, tuple[str, str]] = {
    **CAUSES,
    "posting_changed": ("이 소식이 새로 열리거나 바뀌었기 때문입니다.", "It opened or changed."),
}
KINDS = {"job": ("일자리", "jobs"), "space": ("공간", "spaces"), "notice": ("소식", "notices")}
DAYS = (("월", "Mon"), ("화", "Tue"), ("수", "Wed"), ("목", "Thu"), ("금", "Fri"), ("토", "Sat"), ("일", "Sun"))


@dataclass(frozen=True)
class Made:
    """What is known of how one alert was made. `settings` is None when that version is no longer kept."""

    why: Why
    distance_m: int | None
    dong: str | None
    made_of_version: int
    posting_version: int
    settings: Mapping[str, Any] | None
    reminder: bool = False
    emergency: bool = False


def preferred(accept_language: str) -> Language:
    """Of Korean and English the one that is weighed more (RFC 9110 §12.5.4); Korean where neither is, or both alike."""
    weights = {"ko": 0.0, "en": 0.0}
    for part in accept_language.split(","):
        name, _, weight = part.strip().partition(";q=")
        tag = name.strip().lower().partition("-")[0]
        weights[tag] = max(weights.get(tag, 0.0), _weight(weight or "1"))
    return "en" if weights["en"] > weights["ko"] else "ko"


def _weight(told: str) -> float:
    try:
        return float(told)
    except ValueError:
        return 0.0


def explain(made: Made, language: Language) -> list[str]:
    """Sentences, in the order in which one would tell them."""
    ko = 0 if language == "ko" else 1
    causes = CAUSES_AT_HOME if made.why.rule in ("home_dong", "following") else CAUSES
    said = [_rule(made), causes[made.why.cause], *_kind_of_alert(made), *_met(made.why)]
    return [*(pair[ko] for pair in said), _settings(made, ko), _posting(made)[ko]]


def _rule(made: Made) -> tuple[str, str]:
    if made.why.asked:
        return "이 기관에 쓰신 의견에 답변이 달렸습니다.", "You asked the institution, and it has answered."
    if made.why.rule == "following":
        return "회원님이 팔로우하시는 기관의 소식입니다.", "It is from an institution that you follow."
    if made.why.rule == "home_dong":
        return (
            "회원님이 사는 동으로 고르신 곳에 알리는 소식입니다.",
            "It is meant for the 행정동 that you named as your home.",
        )
    if made.distance_m is None:
        name, where = (f"{made.dong} ", f" ({made.dong})") if made.dong else ("", "")
        return f"이 소식이 알리는 {name}안에 계셨습니다.", f"You were in the 행정동 it is meant for{where}."
    reach_m = made.why.reach_m
    within = (f"{reach_m:,}m 안에 계셨습니다", f"within {reach_m:,} m of") if reach_m else ("가까이 계셨습니다", "near")
    return (
        f"이 소식의 장소에서 {within[0]} (직선거리 약 {made.distance_m:,}m, 100m 단위).",
        f"You were {within[1]} its place (about {made.distance_m:,} m in a straight line, in steps of 100 m).",
    )


def _kind_of_alert(made: Made) -> list[tuple[str, str]]:
    found = []
    if made.reminder:
        found.append(
            (
                "아직 열지 않으셔서 마감 전에 다시 알려 드립니다.",
                "You had not opened it, so you are reminded before its deadline.",
            )
        )
    if made.emergency:
        found.append(
            (
                "긴급 소식이라 방해 금지 시간과 하루 알림 수에 관계없이 알려 드립니다.",
                "It is an emergency: quiet hours and the number of alerts a day do not hold it back.",
            )
        )
    return found


def _met(why: Why) -> list[tuple[str, str]]:
    found = []
    if why.matched_interests:
        named = ", ".join(why.matched_interests)
        found.append((f"관심사가 맞았습니다: {named}.", f"Your interests matched: {named}."))
    if why.window_starts_at and why.window_ends_at:
        span = f"{_moment(why.window_starts_at)} – {_moment(why.window_ends_at)}"
        found.append((f"가능하다고 하신 시간입니다: {span}.", f"You said that you are free then: {span} (Asia/Seoul)."))
    return found


def _moment(at: datetime) -> str:
    return at.astimezone(SEOUL).strftime("%Y-%m-%d %H:%M")


def _settings(made: Made, ko: int) -> str:
    version = made.why.watch_version
    if made.settings is None:
        return (
            f"그때의 알림 설정(버전 {version})은 보관 기간이 지나 지워졌습니다.",
            f"Your settings of then (version {version}) are no longer kept.",
        )[ko]
    told = "; ".join(_each_setting(made.settings, ko))
    return (f"그때 회원님의 알림 설정(버전 {version}): {told}.", f"Your settings then (version {version}): {told}.")[ko]


def _each_setting(settings: Mapping[str, Any], ko: int) -> list[str]:
    def listed(names: Sequence[str]) -> str:
        return ", ".join(names)

    kinds = listed([KINDS[kind][ko] for kind in settings["kinds"]])
    radius_m, interests, quiet = settings["radius_m"], settings["interests"], settings["quiet"]
    said = [(f"종류 {kinds}", f"kinds {kinds}")[ko]]
    if radius_m:
        said.append((f"거리 {radius_m:,}m까지", f"at most {radius_m:,} m away")[ko])
    else:
        said.append(("거리는 소식이 닿는 데까지", "as far as each posting reaches")[ko])
    said.append((f"관심사 {listed(interests) or '모두'}", f"interests {listed(interests) or 'all'}")[ko])
    said.append((f"가능 시간 {_times(settings, ko) or '언제나'}", f"free {_times(settings, ko) or 'always'}")[ko])
    if quiet:
        hours = f"{quiet['starts'][:5]}–{quiet['ends'][:5]}"
        said.append((f"방해 금지 {hours}", f"quiet hours {hours}")[ko])
    return said


def _times(settings: Mapping[str, Any], ko: int) -> str:
    weekly = [f"{DAYS[w['weekday']][ko]} {w['starts'][:5]}–{w['ends'][:5]}" for w in settings["weekly"]]
    dated = [
        f"{_moment(datetime.fromisoformat(w['starts_at']))} – {_moment(datetime.fromisoformat(w['ends_at']))}"
        for w in settings["windows"]
    ]
    return ", ".join([*weekly, *dated])


def _posting(made: Made) -> tuple[str, str]:
    now = made.posting_version
    later = (f" 지금은 버전 {now}입니다.", f" It is version {now} now.") if now > made.made_of_version else ("", "")
    made_of = made.made_of_version
    return (
        f"소식의 버전 {made_of}으로 만든 알림입니다.{later[0]}",
        f"It was made of version {made_of} of the posting.{later[1]}",
    )
