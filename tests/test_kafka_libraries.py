"""How Kafka's jars are fetched and kept. Maven is played by a script."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests import kafka_libraries

if TYPE_CHECKING:
    from pathlib import Path

# Does what dependency:copy-dependencies does to the folder named by -DoutputDirectory.
COPIES = """#!/bin/sh
for word; do case $word in -DoutputDirectory=*) folder=${word#*=};; esac; done
mkdir -p "$folder" && touch "$folder/kafka.jar"
"""
FAILS = f"{COPIES}\nexit 1\n"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache folder of a repository that has fetched nothing."""
    monkeypatch.setattr(kafka_libraries, "REPOSITORY", tmp_path)
    monkeypatch.delenv(kafka_libraries.OVERRIDE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    (tmp_path / "bin").mkdir()
    return tmp_path / ".cache"


def install_maven(cache: Path, script: str) -> None:
    maven = cache.parent / "bin" / "mvn"
    maven.write_text(script)
    maven.chmod(0o755)


def test_fetches_once(cache: Path) -> None:
    """The second call finds what the first has fetched, without Maven."""
    install_maven(cache, COPIES)
    first = kafka_libraries.kafka_libraries()
    install_maven(cache, FAILS)
    assert first == kafka_libraries.kafka_libraries()
    assert ["kafka.jar"] == [jar.name for jar in first.iterdir()]
    assert cache / f"kafka-{kafka_libraries.kafka_version()}" == first


def test_a_broken_fetch_leaves_nothing(cache: Path) -> None:
    """Jars that Maven copied before it failed are not taken for a whole set."""
    install_maven(cache, FAILS)
    with pytest.raises(subprocess.CalledProcessError):
        kafka_libraries.kafka_libraries()
    assert [] == list(cache.iterdir())


def test_a_folder_of_ones_own(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FEEDBACK_TEST_KAFKA_LIBS names a folder that is used as it is."""
    monkeypatch.setenv(kafka_libraries.OVERRIDE, str(tmp_path))
    assert kafka_libraries.libraries_obtainable()
    assert tmp_path == kafka_libraries.kafka_libraries()
    assert not cache.exists()
