"""Prints the JSON Schema of an event: `python -m streams.events.schema`."""

from __future__ import annotations

import json
import sys

from streams.events.event import event_schema


def schema_text() -> str:
    """The content of `docs/event.schema.json`."""
    return json.dumps(event_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema_text())
