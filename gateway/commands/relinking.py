"""`deskbridge customers relink`: over the database, with a bar."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from config.clock import utc_now
from config.settings import Settings
from gateway.commands.terminal import err, out
from gateway.database import open_database
from gateway.keys import new_key
from gateway.relinking import Relinked, Relinking

LINE_EVERY = 5.0


async def relink_all(settings: Settings, *, dry_run: bool) -> None:
    """Link whom the settings link now, or only say whom."""
    with _counting() as show:
        async with open_database(settings) as engine:
            walk = Relinking(engine, settings, clock=utc_now, new_key=new_key)
            done = await walk.run(show, rehearsal=dry_run)
    by_rule = ", ".join(f"{number:,} by {rule}" for rule, number in sorted(done.linked.items())) or "nobody"
    would = "would be linked" if dry_run else "linked"
    out.print(f"{done.looked_at:,} customers compared; {would}: {by_rule}", highlight=False)
    if done.suggested:
        out.print(
            f"{len(done.suggested):,} pairs are for a person to decide: deskbridge customers merges",
            highlight=False,
        )


@contextmanager
def _counting() -> Iterator[Callable[[Relinked], None]]:
    """A bar with the time left; a line now and then, where nobody looks."""
    if not err.is_terminal:
        yield Spoken().show
        return
    columns = (TextColumn("customers"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err) as progress:
        task = progress.add_task("customers", total=None)
        yield lambda done: progress.update(task, completed=done.looked_at, total=done.total)


class Spoken:
    """Says in plain lines how far it is: for logs."""

    def __init__(self) -> None:
        self._next = 0.0

    def show(self, done: Relinked) -> None:
        """One line now and then."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + LINE_EVERY
            err.print(f"{done.looked_at:,} of {done.total:,} customers", highlight=False)
