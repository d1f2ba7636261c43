"""Which changes of an event's schema break somebody: its consumers, or records that are already on the topic."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

# A rule that got tighter refuses records which were good; the value is whether larger is tighter.
BOUNDS = {
    "minimum": True, "exclusiveMinimum": True, "minLength": True, "minItems": True,
    "maximum": False, "exclusiveMaximum": False, "maxLength": False, "maxItems": False,
}  # fmt: skip


def breaks(old: Schema, new: Schema) -> list[str]:
    """One sentence for each change that is not safe; empty when every old record is still good and still understood."""
    return _compare(old, new, old.get("$defs", {}), new.get("$defs", {}), "")


def _compare(old: Schema, new: Schema, old_defs: Schema, new_defs: Schema, at: str) -> list[str]:
    old, new = _resolved(old, old_defs), _resolved(new, new_defs)
    where = at or "the event"
    if "anyOf" in old or "anyOf" in new:
        return _compare_choices(old, new, old_defs, new_defs, where)
    found = []
    for keyword in ("type", "format", "pattern", "const"):
        if old.get(keyword) != new.get(keyword):
            found.append(f"{where}: {keyword} {old.get(keyword)!r} became {new.get(keyword)!r}")
    found += _compare_values(old, new, where)
    found += _compare_fields(old, new, old_defs, new_defs, at)
    for keyword in ("items", "additionalProperties"):
        if isinstance(old.get(keyword), dict) and isinstance(new.get(keyword), dict):
            found += _compare(old[keyword], new[keyword], old_defs, new_defs, f"{at}[]")
    return found


def _resolved(schema: Schema, definitions: Schema) -> Schema:
    name = schema.get("$ref", "").rpartition("/")[2]
    return definitions[name] if name else schema


def _compare_values(old: Schema, new: Schema, where: str) -> list[str]:
    found = []
    if "enum" in old or "enum" in new:
        before, after = set(old.get("enum", ())), set(new.get("enum", ()))
        if gone := before - after:
            found.append(f"{where}: {sorted(gone)} may no longer be said")
        if before and (fresh := after - before):
            found.append(f"{where}: {sorted(fresh)} would not be understood by consumers of today")
    for keyword, larger_is_tighter in BOUNDS.items():
        before_bound, after_bound = old.get(keyword), new.get(keyword)
        if after_bound is None or before_bound == after_bound:
            continue
        if before_bound is None or (after_bound > before_bound) == larger_is_tighter:
            found.append(f"{where}: {keyword} {before_bound} became {after_bound}")
    return found


def _compare_fields(old: Schema, new: Schema, old_defs: Schema, new_defs: Schema, at: str) -> list[str]:
    found = []
    before, after = old.get("properties", {}), new.get("properties", {})
    for name, schema in before.items():
        path = f"{at}.{name}" if at else name
        if name not in after:
            found.append(f"{path}: removed")
        else:
            found += _compare(schema, after[name], old_defs, new_defs, path)
    for name in sorted(set(new.get("required", ())) - set(old.get("required", ()))):
        found.append(f"{f'{at}.{name}' if at else name}: newly required, which records of today may lack")
    for name in sorted(set(old.get("required", ())) & set(after) - set(new.get("required", ()))):
        found.append(f"{f'{at}.{name}' if at else name}: no longer required, but consumers of today rely on it")
    return found


def _compare_choices(old: Schema, new: Schema, old_defs: Schema, new_defs: Schema, where: str) -> list[str]:
    """Each choice needs its like on the other side: none may vanish, none may be added."""
    before, after = old.get("anyOf", [old]), new.get("anyOf", [new])
    if len(before) != len(after):
        return [f"{where}: the choice of types changed"]
    return [
        reason
        for one, other in zip(before, after, strict=True)
        for reason in _compare(one, other, old_defs, new_defs, where)
    ]
