"""Reads a KPI file, or says everything that is wrong in it.

After its first line, which counts them, the error has a line for each thing that is wrong:
`kpis.yaml:14: kpis.csat.floor: what is wrong; what to do`.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from streams.errors import ConfigurationError
from streams.kpis.declarations import Declared
from streams.kpis.explain import explain
from streams.kpis.file import DEFAULT_WINDOWS, KpiFile
from streams.kpis.problems import Problem
from streams.kpis.references import reference_problems
from streams.kpis.yaml_lines import Document


def load_kpis(path: Path | str) -> KpiFile:
    """Read the KPI file at `path`.

    Raises ConfigurationError with one line for each error: file and line, place, what is wrong
    and what to do.
    """
    try:
        text = Path(path).read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigurationError(f"{path}: can't be read: {reason}; name a KPI file") from error
    return parse_kpis(text, str(path))


def parse_kpis(text: bytes | str, name: str = "kpis.yaml") -> KpiFile:
    """Read a KPI file's text; `name` is how errors call the file. Raises as `load_kpis` does."""
    document = Document(text.encode() if isinstance(text, str) else text)
    file, problems = _validate(document)
    if file is None or problems:
        lines = sorted({(document.line(problem.at), _line(problem)) for problem in problems})
        count = "an error" if len(lines) == 1 else f"{len(lines)} errors"
        listed = "\n".join(f"{name}:{line}: {text}" for line, text in lines)
        raise ConfigurationError(f"{name} has {count}:\n{listed}")
    return file


def _validate(document: Document) -> tuple[KpiFile | None, list[Problem]]:
    content, problems = document.content, document.problems
    if not isinstance(content, dict):
        empty = Problem("holds no keys; begin with `kpis:` and a KPI under it")
        return None, problems or [empty]
    problems = [*problems, *reference_problems(content)]
    try:
        file = KpiFile.model_validate(content, context=Declared.read(content, DEFAULT_WINDOWS))
    except ValidationError as error:
        unread = {problem.at for problem in problems}
        found = (p for each in error.errors() for p in explain(each, content))
        return None, problems + [problem for problem in found if problem.at not in unread]
    return file, problems


def _line(problem: Problem) -> str:
    parts = [str(part) for part in problem.at]
    place = ".".join(part if part.isprintable() else ascii(part) for part in parts)
    return f"{place}: {problem.sentence}" if place else problem.sentence
