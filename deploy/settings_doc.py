"""`python -m deploy.settings_doc generate|check`: docs/settings.md, made from the settings classes themselves."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from shared.settings import PlatformSettings

ROOT = Path(__file__).parent.parent
DOCUMENT = ROOT / "docs" / "settings.md"
INTRODUCTION = """# Settings

Every process reads its settings once, at its start, from the environment. This file is made by
`python -m deploy.settings_doc generate` from the descriptions in the code; a test compares the two.
"""
AROUND = {
    "GWANGSAN_HOME": "folder of the embedded stack's data and logs (default: `.gwangsan` in the clone)",
    "GWANGSAN_KAFKA_JVM": "options of Java for the embedded broker in place of those that keep it small (512 MB, one compiler)",
    "GWANGSAN_CACHE": "folder of downloaded parts, shared by clones (default: `gwangsan` in the user's cache folder)",
    "GWANGSAN_GATEWAY_PORT": "port of the one address of the product (default 8080)",
    "GWANGSAN_GATEWAY_URL": "set for commands run by `./dev`: the running product; browser tests use it if given",
    "GWANGSAN_ISSUER_KEYS": "set for the development issuer: the folder of its keys",
}


def services() -> list[str]:
    """Every service that has settings of its own."""
    return sorted(path.parent.name for path in (ROOT / "services").glob("*/settings.py"))


def document() -> str:
    """The whole page."""
    parts = [INTRODUCTION, "## Every process\n", _table(PlatformSettings.model_fields)]
    for service in services():
        model: type[PlatformSettings] = importlib.import_module(f"services.{service}.settings").Settings
        own = {name: field for name, field in model.model_fields.items() if name not in PlatformSettings.model_fields}
        if own:
            parts += [f"## {service}\n", _table(own)]
    around = "\n".join(f"| `{name}` | {meaning} |" for name, meaning in AROUND.items())
    parts += ["## `./dev` and tests\n", f"| variable | meaning |\n| --- | --- |\n{around}\n"]
    return "\n".join(parts)


def _table(fields: dict[str, FieldInfo]) -> str:
    rows = [
        f"| `GWANGSAN_{name.upper()}` | {_default(field)} | {field.description} |" for name, field in fields.items()
    ]
    return "\n".join(["| variable | default | meaning |", "| --- | --- | --- |", *rows]) + "\n"


def _default(field: FieldInfo) -> str:
    if field.default is None or field.default is PydanticUndefined or field.default == "":
        return "–"
    if isinstance(field.default, tuple | list):
        return f"`{list(field.default)}`"
    return f"`{field.default}`"


def main(arguments: list[str]) -> int:
    if arguments == ["generate"]:
        DOCUMENT.write_text(document(), encoding="utf-8")
        return 0
    if arguments == ["check"]:
        same = DOCUMENT.exists() and DOCUMENT.read_text(encoding="utf-8") == document()
        sys.stdout.write(
            "docs/settings.md is up to date\n" if same else "run: python -m deploy.settings_doc generate\n"
        )
        return 0 if same else 1
    sys.stderr.write("usage: python -m deploy.settings_doc generate|check\n")
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
