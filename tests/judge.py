"""The judge of requests, as tests have always called it."""

from adapters.testing.judge import AgainstTheDescriptionError, Judge

__all__ = ["AgainstTheDescriptionError", "Judge"]
