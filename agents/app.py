"""`faust -A agents.app worker`: the worker's app, made from the environment on first access."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agents.worker.process import app_from_environment

if TYPE_CHECKING:
    from agents.worker.app import App


def __getattr__(name: str) -> App:
    """`app`, which Faust looks for; importing this module alone connects to nothing."""
    if name != "app":
        raise AttributeError(name)
    app = app_from_environment()
    globals()["app"] = app
    return app
