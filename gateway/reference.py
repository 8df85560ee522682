"""The reference pages that are made from the code.

`python -m gateway.reference DIRECTORY` writes them; a test compares the committed ones.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from config.settings import PACKAGED, ConnectionSettings, Settings
from gateway.authoring import pages
from gateway.metrics import Metrics
from rules.facts import VOCABULARY

_MADE = "<!-- Made from the code by `python -m gateway.reference docs/reference`. -->"


def _page(title: str, intro: str, *parts: str) -> str:
    return "\n\n".join([f"# {title}", _MADE, intro, *parts]) + "\n"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    titles = list(head)
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def facts_page() -> str:
    """Every fact that a policy may read."""
    rows = [
        (f"`{fact.path}`", fact.kind.value, fact.description, ", ".join(f"`{c}`" for c in fact.choices))
        for fact in VOCABULARY.values()
    ]
    intro = (
        "What a condition may read; see [policies](policies.md). Every fact always has a value of its type,\n"
        "so no condition meets a null. Only `customer.attributes` is open: its keys are the shop's own, and\n"
        "each is guarded with `has()`, as in `has(customer.attributes.tier)`."
    )
    return _page("Facts", intro, _table(("fact", "type", "meaning", "values"), rows))


def settings_page() -> str:
    """Every setting, with its environment variable, default and meaning."""
    intro = (
        "The settings file is the one that `--config` or `DESKBRIDGE_CONFIG` names, else\n"
        "`./deskbridge.yaml`, else the packaged one. An environment variable wins over the file, the file\n"
        "over the default. `${NAME}` in the file is replaced by the environment variable `NAME`. Durations\n"
        "are seconds, or ISO 8601 such as `PT5M`. An unknown name or a wrong value stops the start and\n"
        "names the place."
    )
    own = _table(("setting", "environment variable", "default", "meaning"), _settings(Settings))
    connection = _table(
        ("setting", "default", "meaning"),
        ((name, default, meaning) for name, _, default, meaning in _settings(ConnectionSettings)),
    )
    about = (
        "## Each of `connections`\n\n"
        "In the environment: one by one, as in `DESKBRIDGE_CONNECTIONS__SHOP__ADAPTER`, or all as one JSON\n"
        "object in `DESKBRIDGE_CONNECTIONS`."
    )
    return _page("Settings", intro, own, about, connection)


def _settings(model: type[BaseModel], path: str = "") -> Iterator[tuple[str, str, str, str]]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _settings(kind, f"{path}{name}.")
            continue
        variable = f"DESKBRIDGE_{f'{path}{name}'.replace('.', '__').upper()}"
        meaning = " ".join((field.description or "").split())
        yield f"`{path}{name}`", f"`{variable}`", _default(field), meaning


def _default(field: FieldInfo) -> str:
    value: Any = field.get_default(call_default_factory=True, validated_data={})
    if value is PydanticUndefined:
        return "required"
    if value is None:
        return "none"
    return f"`{_plain(value)}`"


def _plain(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case timedelta():
            return f"{value.total_seconds():g}"
        case Path() if value.is_relative_to(PACKAGED):
            return f"the packaged {value.relative_to(PACKAGED)}"
        case dict():
            return "{" + ", ".join(f"{key}: {_plain(item)}" for key, item in value.items()) + "}"
        case frozenset():
            return f"[{', '.join(sorted(value))}]"
        case _:
            return str(value)


def metrics_page() -> str:
    """Every series."""
    rows = []
    for family in Metrics().registry.collect():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        rows.append((f"`{name}`", family.type, _labels(family.name), family.documentation))
    intro = (
        "`GET /metrics` gives the series of one process in Prometheus form; scrape every process and sum up."
    )
    return _page("Metrics", intro, _table(("series", "type", "labels", "meaning"), rows))


def _labels(family: str) -> str:
    for series in vars(Metrics()).values():
        if getattr(series, "_name", None) == family:
            return ", ".join(f"`{label}`" for label in series._labelnames)  # noqa: SLF001 - not public anywhere
    return ""


def commands_page() -> str:
    """Every command with its arguments and options."""
    from gateway.cli import COMMANDS, load  # noqa: PLC0415 - the command line itself imports this module

    intro = (
        "Exit codes: 0 done, 1 the answer is no (a check failed, nothing found), 2 refused; the line on\n"
        "standard error says why and what to do. `--help` follows every command."
    )
    sections = [_sections(load(name), f"deskbridge {name}") for name in COMMANDS]
    return _page("Commands", intro, *chain.from_iterable(sections))


def _sections(command: Any, path: str) -> Iterator[str]:
    children: Mapping[str, Any] = getattr(command, "commands", {})
    if not children or getattr(command, "invoke_without_command", False):
        yield "\n\n".join(_section(command, path))
    for name, child in children.items():
        yield from _sections(child, f"{path} {name}")


def _section(command: Any, path: str) -> Iterator[str]:
    arguments = [item for item in command.params if item.param_type_name == "argument"]
    usage = " ".join([path, *(_argument(item) for item in arguments)])
    yield f"## `{usage}`"
    yield " ".join((command.help or "").split())
    options = [item for item in command.params if item.param_type_name == "option" and item.help]
    if options:
        rows = [(", ".join(f"`{flag}`" for flag in _flags(item)), item.help) for item in options]
        yield _table(("option", "meaning"), rows)


def _flags(option: Any) -> list[str]:
    return [*option.opts, *option.secondary_opts]


def _argument(item: Any) -> str:
    name = f"{item.name.upper()}{'…' if item.nargs < 0 else ''}"
    return name if item.required else f"[{name}]"


def adapters_page() -> str:
    """What the shipped adapters can do, and the tiers that they earn."""
    title, intro, parts = pages.adapters_page()
    return _page(title, intro, *parts)


def conformance_page() -> str:
    """What the conformance kit checks."""
    title, intro, parts = pages.conformance_page()
    return _page(title, intro, *parts)


PAGES: Mapping[str, Callable[[], str]] = MappingProxyType(
    {
        "adapters.md": adapters_page,
        "conformance.md": conformance_page,
        "facts.md": facts_page,
        "settings.md": settings_page,
        "metrics.md": metrics_page,
        "commands.md": commands_page,
    }
)


if __name__ == "__main__":
    for page, make in PAGES.items():
        (Path(sys.argv[1]) / page).write_text(make(), encoding="utf-8")
