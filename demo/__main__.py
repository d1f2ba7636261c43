"""`./dev demo`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from rich.console import Console

from demo import traces
from demo.run import Options, Run, report
from deploy.local.errors import LocalError
from deploy.local.stack import Stack, attach, running

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


def speed_of(text: str) -> float | None:
    """Times real time; None for `max`."""
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0.01 <= speed <= 10_000:
        raise typer.BadParameter("0.01부터 10000까지의 수, 또는 max / a number from 0.01 to 10000, or max")
    return speed


@app.command()
def demo(
    recording: Annotated[
        Path,
        typer.Option(
            "--traces", metavar="FILE", help="CSV, .csv.gz or Parquet with columns citizen, second, lat, lon.",
            show_default="taxi movement moved onto the district",
        ),
    ] = traces.BUILT_IN,
    postings: Annotated[int, typer.Option(min=1, max=5_000, help="How many jobs, spaces and notices to open.")] = 60,
    speed: Annotated[str, typer.Option(metavar="X|max", help="Times real time, or as fast as it goes.")] = "3",
    minutes: Annotated[
        float | None, typer.Option(min=0.1, help="Only the first minutes of the recording.", show_default="all of it")
    ] = None,
    json_out: Annotated[
        Path | None, typer.Option("--json", metavar="OUT", help="Write the figures to this file too.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same postings and citizens.")] = 1,
    plain: Annotated[bool, typer.Option("--plain", help="Lines instead of a drawn view.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Leave postings open and consents given.")] = False,
) -> None:  # fmt: skip
    """실제 이동을 재생하며 알림이 오는 것을 봅니다. Replay real movement and watch alerts arrive.

    Every alert is compared with a truth computed independently; exit 1 if one is missing or came twice.
    """
    options = Options(recording, postings, speed_of(speed), minutes, json_out, seed, plain, keep)
    if json_out is not None and not json_out.absolute().parent.is_dir():
        raise LocalError(f"{json_out.parent} 폴더가 없습니다.", f"{json_out.parent} is no folder.")
    console = Console()
    run = Run(options)
    with product(console) as stack:
        verdict = uvloop.run(run.play(stack, console))
    raise typer.Exit(report(run, verdict, console))


@contextmanager
def product(console: Console) -> Iterator[Stack]:
    """The running product, or one of the demo's own that ends with it."""
    stack = attach()
    if stack is not None:
        console.print(f"돌고 있는 제품에 붙습니다. Using the running product: {stack.gateway_url}", highlight=False)
        yield stack
        return
    console.print("돌고 있는 제품이 없어 하나를 켭니다. Nothing runs, so one is started for the demo:", highlight=False)
    with running(quiet=False) as own:
        yield own
        console.print("켰던 제품을 끕니다. Stopping it again.", highlight=False)


def first_cause(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """What began it all, out of tasks that failed together: a foreseen failure before any other."""
    foreseen = group.subgroup(LocalError)
    found: BaseException = foreseen if foreseen is not None else group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found


def main() -> int:
    """Every failure that was foreseen is one sentence; anything else is a bug and shows its trace."""
    try:
        app(prog_name="./dev demo")
    except LocalError as error:
        sys.stderr.write("\n".join(error.lines()) + "\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("멈췄습니다. Stopped.\n")
        return 130
    except BaseExceptionGroup as group:
        cause = first_cause(group)
        if not isinstance(cause, LocalError):
            raise
        sys.stderr.write("\n".join(cause.lines()) + "\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
