"""From the settings on identity to the rules that link customers."""

from config.settings import IdentitySettings
from sync.identity import LinkRules


def link_rules(settings: IdentitySettings) -> LinkRules:
    """The rules as sync reads them."""
    return LinkRules(
        link_by=tuple(settings.link_by),
        trust=settings.trust,
        region=settings.default_region,
        never=tuple(pattern.casefold() for pattern in settings.never),
        shared_after=settings.shared_after,
        ids={name: tuple(places) for name, places in settings.ids.items()},
    )
