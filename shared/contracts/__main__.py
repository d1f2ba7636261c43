"""`python -m shared.contracts generate|check`: the frozen schemas and the AsyncAPI document, written or compared.

`generate` refuses a change that would break a consumer: such a change is a new version of the event, on a new topic.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from shared.contracts import EVENTS
from shared.contracts.asyncapi import document, schema_of
from shared.contracts.compatibility import breaks

ROOT = Path(__file__).parent.parent.parent
SCHEMAS = ROOT / "tests" / "contract" / "schemas"
ASYNCAPI = ROOT / "docs" / "asyncapi.json"


def expected() -> dict[Path, Any]:
    """Every generated file with what belongs into it."""
    schemas = {SCHEMAS / f"{event.TYPE}.json": schema_of(event) for event in EVENTS}
    return {**schemas, ASYNCAPI: document()}


def written(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def differing() -> list[Path]:
    return [
        path
        for path, content in expected().items()
        if not path.exists() or path.read_text(encoding="utf-8") != written(content)
    ]


def broken() -> list[str]:
    """What the events as they are now would break for consumers of the frozen ones."""
    found = []
    for event in EVENTS:
        frozen = SCHEMAS / f"{event.TYPE}.json"
        if frozen.exists():
            old = json.loads(frozen.read_text(encoding="utf-8"))
            found += [f"{event.TYPE}: {reason}" for reason in breaks(old, schema_of(event))]
    return found


def main(arguments: list[str]) -> int:
    if arguments not in (["generate"], ["check"]):
        sys.stderr.write("usage: python -m shared.contracts generate|check\n")
        return 2
    if reasons := broken():
        sys.stderr.write(
            "\n".join([*reasons, "A breaking change is a new version of the event, on a new topic."]) + "\n"
        )
        return 1
    changed = differing()
    for path in changed:
        sys.stdout.write(f"{'wrote' if arguments == ['generate'] else 'differs:'} {path.relative_to(ROOT)}\n")
        if arguments == ["generate"]:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(written(expected()[path]), encoding="utf-8")
    return 1 if changed and arguments == ["check"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
