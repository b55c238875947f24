"""`feedback dead-letters list|show|replay`: events that were refused, and what to do with them."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from agents.commands.kafka_options import (
    brokers_option,
    dead_letter_topic_option,
    format_option,
)
from agents.kafka.clients import consumer, producer
from agents.kafka.dead_letter_views import (
    content_json,
    flat,
    letter_json,
    listing_json,
    print_listing,
    printable,
)
from agents.kafka.dead_letters import Letters, Replay, find, listing
from agents.kafka.errors import kafka_errors
from agents.kafka.topic_log import read_to_now
from agents.publish.delivery import Delivery
from agents.settings import load_settings
from agents.standard_error import StandardError
from streams.events.dead_letter import Source

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator, Sequence

    from agents.settings import Settings

reason_option = click.option(
    "--reason",
    "reasons",
    multiple=True,
    metavar="CODE",
    help="Only letters of this reason, such as off_scale; may be given again.",
)


@click.group()
def command() -> None:
    """List, show and replay refused events.

    The worker keeps each refused event, with the reason, on the dead-letter topic.
    """


@command.command(
    "list",
    epilog="\b\nExamples:\n  feedback dead-letters list\n"
    "  feedback dead-letters list --reason off_scale --limit 100 --format json",
)
@reason_option
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="How many letters to name, the newest first; all are counted.",
)
@format_option
@dead_letter_topic_option
@brokers_option
def list_letters(
    reasons: tuple[str, ...],
    limit: int,
    form: str,
    dead_letter_topic: str | None,
    brokers: str | None,
) -> None:
    """Count refused events by reason, and name the newest. Shows nothing that customers wrote."""
    settings = load_settings(kafka_brokers=brokers, dead_letter_topic=dead_letter_topic)
    with _letters(settings, reasons) as letters:
        found = listing(letters, limit)
    if form == "json":
        click.echo(json.dumps(listing_json(found, letters), indent=2))
    else:
        print_listing(found)
    _mention_strangers(letters)


@command.command(
    epilog="\b\nExample:\n  feedback dead-letters show feedback.events:3:1871 --with-body"
)
@click.argument("source", metavar="TOPIC:PARTITION:OFFSET")
@click.option("--with-body", is_flag=True, help="Also the event itself: it has customers' words.")
@format_option
@dead_letter_topic_option
@brokers_option
def show(
    source: str, with_body: bool, form: str, dead_letter_topic: str | None, brokers: str | None
) -> None:
    """Show one refused event: why, its key and headers; with --with-body also its content.

    Exit status: 1 when there is no such letter, 2 for wrong use.
    """
    try:
        wanted = Source.parse(source)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="TOPIC:PARTITION:OFFSET") from None
    settings = load_settings(kafka_brokers=brokers, dead_letter_topic=dead_letter_topic)
    with _letters(settings) as letters:
        letter = find(letters, wanted)
    if letter is None:
        click.echo(f"{settings.dead_letter_topic} has no letter of {wanted}", err=True)
        sys.exit(1)
    described = letter_json(letter) | content_json(letter, with_body)
    if form == "json":
        click.echo(json.dumps(described, indent=2))
    else:
        for name, value in flat(described):
            click.echo(f"{printable(name)}: {printable(value)}")


@command.command(
    epilog="\b\nExamples:\n  feedback dead-letters replay --reason unknown_measure --dry-run\n"
    "  feedback dead-letters replay --reason unknown_measure"
)
@reason_option
@click.option("--dry-run", is_flag=True, help="Say what would be replayed, and send nothing.")
@format_option
@dead_letter_topic_option
@brokers_option
def replay(
    reasons: tuple[str, ...],
    dry_run: bool,
    form: str,
    dead_letter_topic: str | None,
    brokers: str | None,
) -> None:
    """Send refused events back to their topic, as they were: after the KPI file was corrected.

    An event that counts already counts once all the same, and one that is refused again leaves
    a new letter. Events larger than a letter can be were cut off and cannot be replayed.

    Exit status: 1 when any could not be replayed, 2 for wrong use.
    """
    settings = load_settings(kafka_brokers=brokers, dead_letter_topic=dead_letter_topic)
    stderr = StandardError()
    with _letters(settings, reasons) as letters, _delivery(settings, dry_run, stderr) as delivery:
        run = Replay(delivery, stderr.say)
        try:
            run.run(stderr.track(letters, "replaying", None))
        finally:
            click.echo(_replayed(run, delivery, letters, form))
    _mention_strangers(letters)
    if run.impossible or (delivery and delivery.undelivered):
        sys.exit(1)


@contextmanager
def _letters(settings: Settings, reasons: Sequence[str] = ()) -> Iterator[Letters]:
    with kafka_errors(settings), consumer(settings) as client:
        yield Letters(read_to_now(client, settings.dead_letter_topic), reasons)


@contextmanager
def _delivery(
    settings: Settings, dry_run: bool, stderr: StandardError
) -> Iterator[Delivery | None]:
    if dry_run:
        yield None
        return
    with producer(settings) as client:
        yield Delivery(client, lambda at, why: stderr.say(f"{at}: not delivered: {why}"))


def _replayed(run: Replay, delivery: Delivery | None, letters: Letters, form: str) -> str:
    """What was replayed, or with no `delivery` would be, in the form asked for."""
    undelivered = delivery.undelivered if delivery else 0
    total = run.replayed.total() - undelivered
    repeats = run.repeats + letters.repeats
    if form == "json":
        counts = {"replayed": total, "repeats": repeats, "impossible": run.impossible}
        counts |= {"undelivered": undelivered}
        return json.dumps({"dry_run": delivery is None, **counts, "reasons": run.replayed})
    each = f" ({_each(run.replayed)})" if total and not undelivered else ""
    parts = [
        f"{'replayed' if delivery else 'would replay'} {total:,} events{each}",
        f"{repeats:,} repeats dropped" if repeats else "",
        f"{run.impossible:,} cannot be replayed" if run.impossible else "",
        f"{undelivered:,} not delivered" if undelivered else "",
    ]
    return "; ".join(part for part in parts if part)


def _each(reasons: Counter[str]) -> str:
    return ", ".join(f"{printable(reason)} {count:,}" for reason, count in reasons.most_common())


def _mention_strangers(letters: Letters) -> None:
    if letters.strangers:
        click.echo(f"left out {letters.strangers:,} records that are no dead letters", err=True)
