"""The commands of `./dev`. Each imports what it needs when it runs, so that `./dev status` answers at once."""

import errno
import sys
from pathlib import Path
from typing import Annotated

import typer

from deploy.local.errors import LocalError, unwritable

app = typer.Typer(
    help="당근 광산: 이 기계에서 제품을 켜고, 보고, 시험합니다. Run, watch and test the product on this machine.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
FORWARD = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
JsonOut = Annotated[Path | None, typer.Option("--json", metavar="OUT", help="Write the figures to this file too.")]


@app.command()
def up(
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return when it is ready; it runs on.")] = False,
) -> None:
    """전체를 켭니다 · Start everything; Ctrl-C stops it."""
    from deploy.local import supervise
    from deploy.local.home import default_home
    from deploy.local.screen import Screen

    run = supervise.detached if detach else supervise.up
    raise typer.Exit(run(default_home(), Screen()))


@app.command()
def down(
    erase: Annotated[
        bool, typer.Option("--erase", help="Delete the data too: the next start is the first one.")
    ] = False,
) -> None:
    """전체를 끕니다 · Stop everything; the data stays."""
    from deploy.local import supervise
    from deploy.local.home import default_home
    from deploy.local.screen import Screen

    raise typer.Exit(supervise.down(default_home(), Screen(), erase=erase))


@app.command()
def status(json_out: JsonOut = None) -> None:
    """무엇이 돌고 있는지 봅니다 · What runs, where, with how much memory. Exit 1 when nothing does."""
    from deploy.local.status import show

    raise typer.Exit(show(json_out))


@app.command()
def logs(
    process: Annotated[
        str | None, typer.Argument(help="A name from ./dev status; without one, they are listed.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Keep showing what is added.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="How many of the last lines.")] = 100,
) -> None:
    """한 프로세스의 로그를 봅니다 · Show one process's log."""
    from deploy.local.logs import show

    raise typer.Exit(show(process, follow=follow, lines=lines))


@app.command()
def token(
    who: Annotated[
        str, typer.Option("--as", metavar="WHO", help="citizen:NAME, officer:INSTITUTION, moderator or admin")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print the claims too, as JSON.")] = False,
) -> None:
    """개발용 토큰을 만듭니다 · Print a development token; refused in production."""
    from deploy.local.tokens import show

    show(who, as_json=as_json)


@app.command()
def lock() -> None:
    """잠금 파일을 다시 씁니다 · Resolve pyproject.toml anew into the two requirements.lock files."""
    from deploy.local.relock import relock

    raise typer.Exit(relock())


@app.command(context_settings=FORWARD, add_help_option=False)
def test(ctx: typer.Context) -> None:
    """모든 검사를 합니다 · Every check, then pytest with these arguments (--help tells more)."""
    from deploy.local.testing import main as run

    raise typer.Exit(run(ctx.args))


@app.command(context_settings=FORWARD, add_help_option=False)
def demo(ctx: typer.Context) -> None:
    """실제 이동을 재생합니다 · Replay real movement and watch alerts arrive (--help tells more)."""
    _forward("demo", ctx.args)


@app.command(context_settings=FORWARD, add_help_option=False)
def bench(ctx: typer.Context) -> None:
    """속도를 잽니다 · Measure speed (--help tells more)."""
    _forward("tests.bench", ctx.args)


@app.command(context_settings=FORWARD, add_help_option=False)
def run(
    ctx: typer.Context,
    module: Annotated[str, typer.Argument(help="For example examples.dong_digest.")],
) -> None:
    """모듈을 돌립니다 · Run a Python module with the product's addresses in its environment."""
    _forward(module, ctx.args)


@app.command("dead-letters", context_settings=FORWARD, add_help_option=False)
def dead_letters(ctx: typer.Context) -> None:
    """처리하지 못한 사건을 다룹니다 · list, show, replay or drop dead letters (--help tells more)."""
    _forward("shared.messaging.dead_letters_cli", ctx.args)


@app.command(context_settings=FORWARD, add_help_option=False)
def republish(ctx: typer.Context) -> None:
    """지금 유효한 것을 모두 다시 보냅니다 · Publish all that holds now anew, after Kafka's data was lost."""
    _forward("deploy.republish", ctx.args)


def _forward(module: str, arguments: list[str]) -> None:
    from deploy.local.forward import run

    raise typer.Exit(run(module, arguments))


def main() -> int:
    """Every failure that was foreseen is one sentence; anything else is a bug and shows its trace."""
    try:
        app(prog_name="./dev")
    except LocalError as error:
        told = error
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT):
            raise
        told = unwritable(error, error.filename or "disk")
    else:
        return 0
    sys.stderr.write("\n".join(told.lines()) + "\n")
    return 1
