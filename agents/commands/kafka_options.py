"""Options that the commands which talk to Kafka share."""

from __future__ import annotations

from pathlib import Path

import click

brokers_option = click.option(
    "--brokers", metavar="HOST:PORT,…", help="Kafka brokers; default FEEDBACK_KAFKA_BROKERS."
)
topic_option = click.option("--topic", help="Topic of the events; default FEEDBACK_TOPIC.")
dead_letter_topic_option = click.option(
    "--dead-letter-topic", help="Topic of refused events; default FEEDBACK_DEAD_LETTER_TOPIC."
)
format_option = click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="For people or for programs.",
)
kpis_option = click.option(
    "--kpis",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The KPI file; default FEEDBACK_KPI_FILE, else kpis.yaml.",
)
