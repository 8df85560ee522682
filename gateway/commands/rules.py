"""The commands under `deskbridge rules`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from gateway.commands.common import ConfigOption, settings_from
from gateway.commands.terminal import out
from gateway.reference import facts_page
from rules.engine import run_examples
from rules.facts import VOCABULARY
from rules.policy import ExampleResult, Policy, load_policies

app = typer.Typer(no_args_is_help=True, help="The policies: when does a person take over?")
Directory = Annotated[
    Path | None, typer.Argument(help="A directory of policies; the settings' own when left out.")
]


@app.callback()
def rules() -> None:
    """The policies: when does a person take over?"""


def _load(directory: Path | None, config: Path | None) -> tuple[Policy, ...]:
    settings = settings_from(config)
    return load_policies(directory or settings.policies, desks=settings.desks)


@app.command("check")
def check(directory: Directory = None, config: ConfigOption = None) -> None:
    """Read the policies; every mistake is named with file, line and cure (exit code 2)."""
    for policy in _load(directory, config):
        counts = (
            f"{len(policy.rules)} rules, {len(policy.messages)} messages, {len(policy.examples)} examples"
        )
        out.print(f"{policy.name} {policy.revision}: {counts}", highlight=False, markup=False)


@app.command("test")
def examples(directory: Directory = None, config: ConfigOption = None) -> None:
    """Run the policies' own examples; exit code 1 when one comes out differently."""
    results = [(policy, result) for policy in _load(directory, config) for result in run_examples(policy)]
    for policy, result in results:
        _show(policy, result)
    failed = sum(not result.passed for _, result in results)
    out.print(f"{len(results) - failed} passed, {failed} failed", highlight=False)
    if failed:
        raise typer.Exit(1)


def _show(policy: Policy, result: ExampleResult) -> None:
    mark = "[green]ok[/]" if result.passed else "[red]failed[/]"
    out.print(f"{mark} {policy.name}: {escape(result.example.name)}", highlight=False)
    if not result.passed:
        out.print(f"   expected {_names(result.example.expect)}, acted {_names(result.fired)}", markup=False)
    for problem in result.problems:
        out.print(f"   {problem}", highlight=False, markup=False)


def _names(rules_: tuple[str, ...]) -> str:
    return ", ".join(rules_) or "nothing"


@app.command("facts")
def facts(
    *,
    markdown: Annotated[bool, typer.Option("--markdown", help="As the reference page.")] = False,
) -> None:
    """Every fact that a condition may read."""
    if markdown:
        typer.echo(facts_page(), nl=False)
        return
    table = Table("fact", "type", "meaning")
    for fact in VOCABULARY.values():
        choices = f" ({', '.join(fact.choices)})" if fact.choices else ""
        table.add_row(fact.path, fact.kind.value, escape(f"{fact.description}{choices}"))
    out.print(table)
