"""The command line: `feedback COMMAND`. A command's module is imported only when it is called."""

from __future__ import annotations

import importlib
import sys
from typing import Final

import click

from streams.errors import ConfigurationError, FeedbackError

# Shown in this order: first what a newcomer runs, then the processes, then the tools.
COMMANDS: Final = {
    "demo": "Watch it work: everything embedded, real feedback, a live board.",
    "score": "Score a file of events, with no server.",
    "check": "Check a KPI file and show what it costs.",
    "worker": "Count events from Kafka into Redis.",
    "exporter": "Serve the scores in Redis to Prometheus.",
    "top": "A live board of a running system, in the terminal.",
    "publish": "Publish a file of events to Kafka.",
    "topics": "Create the Kafka topics.",
    "dead-letters": "List, show and replay refused events.",
    "audit": "Recompute the counts from the log and compare every cell.",
    "render": "Write Prometheus rules, Alertmanager configuration and Grafana boards.",
}


class LazyGroup(click.Group):
    """Imports `agents.commands.<name>` when the command is needed, so that help stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command, in the order of `COMMANDS`."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, imported now."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"agents.commands.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing any."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="feedback-streams", prog_name="feedback")
def feedback() -> None:
    """Live customer-feedback scores that ops can trust.

    Exit status: 0 for yes, 1 when the answer is no, 2 for wrong use, settings or KPI file.
    Settings come from variables FEEDBACK_…; `feedback worker --help` lists them.
    """


def main() -> None:
    """Run the command line; errors raised on purpose become one message and an exit status."""
    try:
        feedback()
    except ConfigurationError as error:
        click.echo(f"feedback: {error}", err=True)
        sys.exit(2)
    except FeedbackError as error:
        click.echo(f"feedback: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
