"""The errors a person may meet. Each message says what was wrong, where, and what to do."""

from __future__ import annotations


class FeedbackError(Exception):
    """Base of every error raised on purpose."""


class ConfigurationError(FeedbackError):
    """A setting or the KPI file is wrong: nothing was started, the exit status is 2."""


class StorageMismatch(ConfigurationError):
    """The ledger was written for another topic, partition count or KPI file version."""


class Unavailable(FeedbackError):
    """A server did not answer in time; trying again later may succeed."""
