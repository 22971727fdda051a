"""The command line: one module per command; the folder is the list of commands."""

from __future__ import annotations

import signal
import sys

import click

from imgsvc import __version__, plugins

_EXAMPLES = """
\b
Examples:
  imgsvc serve
  imgsvc process photo.jpg -p resize:800x/webp:82 -o photo.webp
  imgsvc config show
"""


#: They write for a reader who may leave early; then they end quietly, as every filter does. (A server
#: must live through it.)
_FILTERS = frozenset({"config", "info", "process"})


class _Commands(click.Group):
    """Imports a command when it is asked for, so that `--version` is quick."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(plugins.names(__name__))

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        if name not in plugins.names(__name__):
            return None
        command: click.Command = plugins.load(__name__, name).command
        return command


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    invoke_without_command=True,
    epilog=_EXAMPLES,
)
@click.version_option(__version__, message="imgsvc %(version)s")
@click.pass_context
def group(context: click.Context) -> None:
    """A self-hosted image-processing service."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
    if context.invoked_subcommand in _FILTERS:
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)


def main() -> None:
    """Run the command line; exit codes: 0 done, 1 something failed, 2 misused, 130 interrupted."""
    try:
        code = group(prog_name="imgsvc", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        code = 128 + signal.SIGINT
    sys.exit(code if isinstance(code, int) else 0)
