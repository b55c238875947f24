"""Tiers of tests, and the servers that they share."""

from __future__ import annotations

import os
import signal
from collections import Counter
from typing import TYPE_CHECKING

import hypothesis
import pytest
import redis

from agents.embedded.redis import RedisServer, redis_programs
from tests.kafka_libraries import OVERRIDE
from tests.tiers import REQUIRE, TIERS, Tier, reason, required_tiers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers import KafkaBroker

MISSING = pytest.StashKey[dict[str, list[str]]]()
TIERS_OF_TEST = pytest.StashKey[dict[str, list[str]]]()

# A time limit for one example would fail on a busy machine, and says nothing about the code.
hypothesis.settings.register_profile("feedback", deadline=None, print_blob=True)
hypothesis.settings.load_profile("feedback")


def pytest_configure(config: pytest.Config) -> None:
    """Find out which tiers can run; end here when a required one can't."""
    # kafka-python 3.0.12 reads its message schemas by functions that Python 3.11 deprecated.
    deprecated = "ignore:(read|open)_text is deprecated:DeprecationWarning"
    config.addinivalue_line("filterwarnings", deprecated)
    _forget_settings()
    _heed_signals()
    config.stash[MISSING] = {tier.name: tier.missing() for tier in TIERS}
    config.stash[TIERS_OF_TEST] = {}
    try:
        required = required_tiers()
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None
    lacking = [
        f"tier {tier.name} is required but {_reason(tier, config)}"
        for tier in TIERS
        if tier.name in required and config.stash[MISSING][tier.name]
    ]
    if lacking:
        raise pytest.UsageError(*lacking)


def _heed_signals() -> None:
    """Let children be interrupted: a run in the background may have been told to ignore it."""
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses by marker
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark tests by the fixtures they use, and skip those whose tier can't run."""
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        for tier in TIERS:
            if fixtures & tier.fixtures:
                item.add_marker(tier.name)
        tiers = [tier for tier in TIERS if item.get_closest_marker(tier.name)]
        config.stash[TIERS_OF_TEST][item.nodeid] = [tier.name for tier in tiers]
        for tier in tiers:
            if config.stash[MISSING][tier.name]:
                item.add_marker(pytest.mark.skip(reason=f"{tier.name}: {_reason(tier, config)}"))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say of each tier how many tests ran, or why none did and what would enable it."""
    ran, skipped = _counts(terminalreporter, config)
    terminalreporter.section("tiers")
    terminalreporter.write_line(f"pure: ran {ran['pure']}")
    for tier in TIERS:
        line = f"{tier.name}: ran {ran[tier.name]}"
        if skipped[tier.name] and config.stash[MISSING][tier.name]:
            line += f", skipped {skipped[tier.name]}: {_reason(tier, config)}"
        terminalreporter.write_line(line)


def _counts(
    reporter: pytest.TerminalReporter, config: pytest.Config
) -> tuple[Counter[str], Counter[str]]:
    """Count by tier what ran (passed, failed, or broke in its fixtures) and what was skipped."""
    ran: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    for outcome, reports in reporter.stats.items():
        for report in reports:
            if not isinstance(report, pytest.TestReport) or report.when == "teardown":
                continue
            tiers = config.stash[TIERS_OF_TEST].get(report.nodeid) or ["pure"]
            if outcome == "skipped":
                skipped.update(tiers)
            elif outcome in {"passed", "failed", "error", "xfailed", "xpassed"}:
                ran.update(tiers)
    return ran, skipped


def _reason(tier: Tier, config: pytest.Config) -> str:
    return reason(tier, config.stash[MISSING][tier.name])


def _forget_settings() -> None:
    """Drop FEEDBACK_… variables of the shell: the product's settings must not reach the tests."""
    for name in list(os.environ):
        if name.startswith("FEEDBACK_") and name not in {REQUIRE, OVERRIDE}:
            del os.environ[name]


@pytest.fixture(scope="session")
def _session_redis() -> Iterator[RedisServer]:
    with RedisServer(append_only=True) as server:
        yield server


@pytest.fixture(scope="session", params=list(redis_programs()) or ["none"])
def _session_any_redis(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    with RedisServer(redis_programs()[request.param], append_only=True) as server:
        yield server


@pytest.fixture
def redis_server(_session_redis: RedisServer) -> RedisServer:
    """Give an empty, running server with an append-only file; the test may kill or pause it."""
    return _emptied(_session_redis)


@pytest.fixture
def any_redis(_session_any_redis: RedisServer) -> RedisServer:
    """As `redis_server`, once for each kind of server on this machine: Redis and Valkey."""
    return _emptied(_session_any_redis)


@pytest.fixture(scope="session")
def _session_kafka() -> Iterator[KafkaBroker]:
    from tests.servers import KafkaBroker

    with KafkaBroker() as broker:
        yield broker


@pytest.fixture
def kafka_broker(_session_kafka: KafkaBroker) -> KafkaBroker:
    """Give a running broker, shared by the session: use topic names of your own."""
    _session_kafka.recover()
    return _session_kafka


def _emptied(server: RedisServer) -> RedisServer:
    server.recover()
    with redis.from_url(server.url) as client:
        client.flushall()
    return server
