"""Apache Kafka's own jars, from Maven Central, kept in a folder of the repository.

`python -m tests.kafka_libraries` fetches them and prints where they are.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
POM = REPOSITORY / "tests" / "integration" / "kafka" / "pom.xml"
OVERRIDE = "FEEDBACK_TEST_KAFKA_LIBS"  # a folder that holds the jars already
FETCH_SECONDS = 600  # some 43 MB; a slow line is no reason to fail


def kafka_version() -> str:
    """Read the version that the pom names."""
    version = re.search(r"<kafka.version>(.+?)</kafka.version>", POM.read_text())
    assert version, f"{POM} names no kafka.version"
    return version[1]


def kafka_libraries() -> Path:
    """Return the folder of jars, fetched by Maven if need be (15 to 20 seconds)."""
    if given := os.environ.get(OVERRIDE):
        return Path(given)
    libraries = _cached_libraries()
    if not libraries.is_dir():
        libraries.parent.mkdir(exist_ok=True)
        _fetch(libraries)
    return libraries


def _fetch(libraries: Path) -> None:
    """Copy to a folder aside, then rename: an interrupted fetch never looks complete."""
    with tempfile.TemporaryDirectory(dir=libraries.parent) as aside:
        command = ["mvn", "-B", "-q", "-f", str(POM), "dependency:copy-dependencies"]
        options = [f"-DoutputDirectory={aside}/jars", "-DincludeScope=runtime"]
        subprocess.run([*command, *options], check=True, timeout=FETCH_SECONDS)
        try:
            Path(aside, "jars").rename(libraries)
        except OSError:
            if not libraries.is_dir():  # else another run was faster
                raise


def libraries_obtainable() -> bool:
    """Whether the jars are here, or Maven is."""
    return OVERRIDE in os.environ or _cached_libraries().is_dir() or shutil.which("mvn") is not None


def _cached_libraries() -> Path:
    return REPOSITORY / ".cache" / f"kafka-{kafka_version()}"


if __name__ == "__main__":
    print(kafka_libraries())  # noqa: T201 - the result of the command
