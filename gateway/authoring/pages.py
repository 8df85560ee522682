"""The reference pages about adapters: what the shipped ones can do, and what the conformance kit checks."""

from collections.abc import Iterable
from pathlib import Path

from adapters.manifest import Tier
from adapters.testing.checking import CHECKS, TIERS
from gateway.authoring import matrix

_INTRO = (
    "What the adapters that come with Deskbridge can do: their manifests say it, and the tiers are earned\n"
    "by running the [conformance kit](conformance.md) on them. `deskbridge adapters matrix` shows the same\n"
    "of all that are installed with you. Each adapter's README says what it was checked against."
)
_CHANNELS = (
    "Where a conversation takes place decides [how one may speak there](../how-to/channels.md). ● the\n"
    "vendor tells of it; ○ it doesn't, but the setting says what conversations are of which the vendor\n"
    "can't tell. The conformance kit has seen each. Why an adapter lacks one stands in its README."
)
_KIT = Path(__file__).with_name("conformance.md")
_GROUPS = {
    "speaks": ("reply", "note", "relay", "attachments", "send_attachments"),
    "handles": (
        "assign",
        "set_status",
        "change_tags",
        "update_conversation",
        "set_subject",
        "open_conversation",
    ),
    "hands over": ("hand_over", "take_control", "release_control"),
    "customers": ("find_customer", "update_customer"),
    "finds": ("find_message", "get_message", "find_conversation", "find_opened"),
    "lists": ("pull_customers", "pull_conversations", "pull_messages"),
    "writes unless outdated": ("conditional_update", "conditional_conversation"),
}
"""All capabilities, in the columns of the page."""


def adapters_page() -> tuple[str, str, list[str]]:
    """Title, introduction and parts of the page on the shipped adapters."""
    every = matrix.entries(shipped=True)
    tiers, abilities = [], []
    for each in every:
        assert each.manifest is not None
        if each.made:
            continue
        report = matrix.examine(each.name)
        readme = f"[{each.title}](../../adapters/vendors/{each.name}/README.md)"
        exempt = "; ".join(f"`{name}`: {why}" for name, why in sorted(each.manifest.exemptions.items()))
        roles = ", ".join(role.value for role in each.manifest.roles)
        tiers.append([f"`{each.name}`", readme, roles, matrix.tier_of(report), exempt])
        can = [[f"`{name}`" for name in group if each.manifest.can(name)] for group in _GROUPS.values()]
        abilities.append([f"`{each.name}`", *map(", ".join, can)])
    parts = [
        table(["adapter", "vendor", "can be", "tier", "exempt from"], tiers),
        "## Capabilities",
        table(["adapter", *_GROUPS], abilities),
        "## Channels",
        _CHANNELS,
        table(*_channels(every)),
    ]
    return "Adapters", _INTRO, parts


def _channels(every: list[matrix.Entry]) -> tuple[list[str], list[list[str]]]:
    """Adapters down, channels across, and the settings that can say one."""
    head, rows = matrix.channels(every)
    found = []
    for name, *told in zip(head[1:], *(row[1:] for row in rows), strict=True):
        manifest = next(each.manifest for each in every if each.name == name)
        fields = manifest.channel_fields if manifest else ()
        found.append([f"`{name}`", *told, ", ".join(f"`{field.name}`" for field in fields)])
    return ["adapter", *(f"`{row[0]}`" for row in rows), "setting"], found


def conformance_page() -> tuple[str, str, list[str]]:
    """Title, introduction and parts of the page on the kit."""
    parts = []
    for tier in TIERS:
        rows = [[f"`{each.name}`", each.promise] for each in CHECKS.values() if each.tier is tier]
        promises = table(["check", "what it promises"], rows)
        parts += [f"## {tier.value.capitalize()}", _NEEDS[tier], promises]
    return "The conformance kit", _KIT.read_text(encoding="utf-8").strip(), parts


_NEEDS = {
    Tier.BRONZE: "It runs, and it is safe: webhooks are verified and read, nothing leaks.",
    Tier.SILVER: "It can be relied on: holes, failures, pages, both directions. Needs bronze.",
    Tier.GOLD: "It does all a helpdesk is used for, as the vendor's own description allows. Needs silver.",
}


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    titles = list(head)
    lines = [titles, ["---"] * len(titles), *rows]
    cells = [[cell.replace("|", "\\|") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)
