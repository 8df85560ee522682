"""Carrying commands out: claim, do, settle. One in flight per subject and connection."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
import structlog
from msgspec import Struct
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

import rules.store as rules_store
from adapters import model
from adapters.contract import Adapter
from adapters.errors import AdapterError, Fatal, Held, Rejected, Retryable
from config.clock import Clock
from config.database import at_once, begun
from config.settings import Settings
from gateway import behind, fetching, outcomes
from gateway.answering import AnswerFunction, prepare
from gateway.casework import CaseWriter
from gateway.fieldwork import FieldWriter
from gateway.files.carrying import Carrier
from gateway.holding import Holding
from gateway.limits.limits import Limits
from gateway.limits.owning import Overtaken
from gateway.limits.purpose import spending
from gateway.looking import looks_up, was_done
from gateway.metrics import Metrics
from gateway.scene import AI, Answering
from gateway.tenure import Tenure
from gateway.thin import FETCH, Fetching
from sync.absence import Absences
from sync.delivery import Outcome, Patience, Verdict, after_failure
from sync.group_commit import GroupCommit
from sync.priority import priority_of
from sync.store import inbox, outbox, threads, tickets, workers
from sync.store.field_updates import UPDATE_CONVERSATION
from sync.store.inbox import RawEvent
from sync.store.outbox import Claimed, Finished

log = structlog.get_logger()
SKIPPED_RETRY = timedelta(milliseconds=20)
WHILE_BUSY = timedelta(milliseconds=100)
LONGEST_SLEEP = timedelta(seconds=5)
TIDY_EVERY = timedelta(seconds=1)
STORE_AGAIN = 0.5
PACE = timedelta(milliseconds=10)
"""How often at most commands are claimed and outcomes stored: at a flood, each time more of them."""


class Done(Struct, frozen=True, kw_only=True):
    """A finished attempt, and what it gave for the inbox."""

    finished: Finished
    told: RawEvent | None = None


class _Trial(Struct, kw_only=True):
    """One attempt as it goes on. `doubt`: an earlier one may have worked, and nobody has looked yet."""

    doubt: bool
    body: dict[str, Any]
    status: int | None = None
    detail: str = ""
    pushed: model.Pushed = model.Pushed()
    told: RawEvent | None = None


class Dispatcher:
    """Sends what is due, as fast as its slots allow."""

    def __init__(
        self,
        *,
        engine: AsyncEngine,
        settings: Settings,
        adapters: Mapping[str, Adapter],
        answer: AnswerFunction,
        files: Carrier,
        limits: Limits,
        clock: Clock,
        metrics: Metrics,
        new_key: Callable[[], str],
    ) -> None:
        self._engine = engine
        # Each statement of a step stands for itself, so it needs no BEGIN and COMMIT around it.
        self._at_once = at_once(engine)
        self._settings = settings
        self._adapters = adapters
        self._answer = answer
        self._files = files
        self._clock = clock
        self._metrics = metrics
        self._fields = FieldWriter(engine=engine, settings=settings, clock=clock, new_key=new_key)
        self._cases = CaseWriter(engine=engine, settings=settings, clock=clock, new_key=new_key)
        delivery = settings.delivery
        self._patience = Patience(
            attempts=delivery.attempts, first=delivery.first_retry, longest=delivery.longest_retry
        )
        self._limits = limits
        self._holding = Holding(
            limits=limits, share=delivery.per_connection, pause=delivery.longest_retry, metrics=metrics
        )
        self._settlements = GroupCommit(self._at_once.connect, self._settle, most=128, pace=PACE)
        self._running: dict[asyncio.Task[None], str] = {}
        self._freed = asyncio.Event()
        self._tidy_at = clock()
        self._absences = Absences()
        self.worker = 0

    async def round(self, wake: asyncio.Event) -> None:
        """Start what is due, then sleep until something else may be; `wake` says so at once."""
        began = asyncio.get_running_loop().time()
        wake.clear()
        self._freed.clear()
        pause = await self.step()
        await self._sleep(wake, pause)
        await asyncio.sleep(began + PACE.total_seconds() - asyncio.get_running_loop().time())

    async def _sleep(self, wake: asyncio.Event, pause: timedelta) -> None:
        waits = [asyncio.ensure_future(wake.wait()), asyncio.ensure_future(self._freed.wait())]
        try:
            await asyncio.wait(waits, timeout=pause.total_seconds(), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def step(self) -> timedelta:
        """Claim and start what is due; returns how long nothing more will be."""
        now = self._clock()
        slots = self._settings.delivery.concurrency - len(self._running)
        if slots <= 0:
            return LONGEST_SLEEP
        await self._limits.look_at_breakers()
        terms = self._holding.terms(now, most=slots, running=Counter(self._running.values()))
        async with self._at_once.connect() as connection:
            await self._tidy(connection, now)
            claimed, superseded = await outbox.claim(
                connection, worker=self.worker, room=terms.room, holds=terms.holds, now=now
            )
            due: datetime | None = now + WHILE_BUSY
            if not claimed:
                due = await outbox.next_due(connection, worker=self.worker, now=now, holds=terms.holds)
                due = min((moment for moment in (due, terms.until) if moment is not None), default=None)
        self._metrics.superseded.inc(superseded)
        for item in claimed:
            task = asyncio.create_task(self._carry_out(item))
            self._running[task] = item.connection
            task.add_done_callback(self._free)
        if due is None:
            return LONGEST_SLEEP
        return min(LONGEST_SLEEP, max(SKIPPED_RETRY, due - self._clock()))

    async def _tidy(self, connection: AsyncConnection, now: datetime) -> None:
        """Once a second: free what dead workers held, and see among how many the limits are divided."""
        if now < self._tidy_at:
            return
        self._tidy_at = now + TIDY_EVERY
        self._limits.divide_among(await workers.count_workers(connection))
        missing = await workers.missing_workers(connection, worker=self.worker)
        dead = self._absences.dead(missing, now)
        recovered = await outbox.recover(connection, dead=dead, now=now, attempts=self._patience.attempts)
        if recovered:
            log.warning("commands_recovered", commands=recovered)

    def _free(self, task: asyncio.Task[None]) -> None:
        self._running.pop(task, None)
        self._freed.set()

    async def drain(self, limit: timedelta) -> None:
        """Let what is in flight finish; what takes longer is cut off and looked up later."""
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=limit.total_seconds())
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._settlements.close()

    async def _carry_out(self, claimed: Claimed) -> None:
        started = time.perf_counter()
        done = await self._attempt(claimed)
        self._report(done.finished, time.perf_counter() - started)
        await self._store(done)

    async def _store(self, done: Done) -> None:
        """Store an outcome, over faults of the database, for as long as the claim lasts."""
        claimed = done.finished.claimed
        complained = False
        while self._clock() - claimed.claimed_at < outbox.CLAIM_LASTS:
            try:
                await self._settlements.submit(done)
            except (DBAPIError, OSError, TimeoutError) as error:
                if not complained:
                    log.error("outcome_not_stored", command=claimed.ref, error=repr(error))
                complained = True
                # Spread, so that an outcome that can't be stored doesn't keep the others from it for good.
                await asyncio.sleep(STORE_AGAIN * (0.5 + random.random()))  # noqa: S311 - no secret
            else:
                return
        # It stays in flight; who takes it over looks it up.

    async def _attempt(self, claimed: Claimed) -> Done:
        begun = self._clock()
        trial = _Trial(doubt=claimed.outcome_unknown, body=claimed.body)
        tenure = Tenure(claimed, engine=self._engine, worker=self.worker, clock=self._clock)
        with spending(priority_of(claimed.priority), kind=claimed.kind) as purpose:
            purpose.still_ours = tenure.lasts
            try:
                verdict = await self._try(claimed, trial)
            except asyncio.CancelledError:
                verdict = Verdict(
                    state="waiting",
                    outcome=Outcome.UNKNOWN,
                    ready_at=begun,
                    outcome_unknown=True,
                    reason="cut off by a shutdown",
                )
            except Exception as error:  # noqa: BLE001 - every failure becomes a verdict
                verdict = self._judge(error, claimed, trial, wrote=purpose.wrote)
        return Done(
            told=trial.told or outcomes.received(claimed, verdict, trial.pushed, now=self._clock()),
            finished=Finished(
                claimed=msgspec.structs.replace(tenure.claimed, body=trial.body),
                worker=self.worker,
                verdict=verdict,
                status=trial.status,
                detail=trial.detail,
                started_at=begun,
                ended_at=self._clock(),
                remote_id=trial.pushed.id,
                vendor_at=trial.pushed.at,
            ),
        )

    def _judge(self, error: Exception, claimed: Claimed, trial: _Trial, *, wrote: bool) -> Verdict:
        if isinstance(error, Overtaken):
            return Verdict(state="superseded", outcome=Outcome.SUPERSEDED, reason=str(error))
        if isinstance(error, DBAPIError | OSError | TimeoutError):  # ours: adapters raise AdapterErrors
            error = Retryable(f"the database did not answer: {error!r}", outcome_unknown=wrote)
        trial.status = error.status if isinstance(error, AdapterError) else None
        trial.detail = f"{type(error).__name__}: {error}"
        verdict = after_failure(
            error,
            attempt=claimed.attempts,
            now=self._clock(),
            patience=self._patience,
            unknown_before=trial.doubt or (isinstance(error, Held) and wrote),
        )
        if verdict.pause:
            self._holding.pause(claimed.connection, trial.detail, self._clock())
        return verdict

    async def _try(self, claimed: Claimed, trial: _Trial) -> Verdict:
        if claimed.connection == AI:
            question = msgspec.convert(claimed.body, Answering)
            answer = await prepare(self._answer, question, self._settings.answers, self._clock)
            trial.told = outcomes.answered(claimed, answer)
            return Verdict(state="done", outcome=Outcome.DELIVERED)
        adapter = self._adapters.get(claimed.connection)
        if adapter is None:
            raise Fatal(f"no connection is called {claimed.connection!r}; add it to the configuration")
        if claimed.kind == FETCH:
            trial.told = await self._look_up(claimed, adapter)
            return Verdict(state="done", outcome=Outcome.DELIVERED if trial.told else Outcome.NEEDLESS)
        if (writer := self._writer(claimed)) is not None:
            return await behind.write(writer, claimed, adapter)
        return await self._send(claimed, trial, adapter)

    async def _send(self, claimed: Claimed, trial: _Trial, adapter: Adapter) -> Verdict:
        try:
            command = msgspec.convert(claimed.body, model.Command)
        except msgspec.ValidationError as error:
            raise Rejected(f"the stored command can't be read: {error}") from error
        command = await self._addressed(claimed, command)
        if claimed.outcome_unknown and await self._was_done(claimed, command, trial, adapter):
            return Verdict(state="done", outcome=Outcome.FOUND)
        async with self._files.loaded(command, adapter, attempt=claimed.attempts) as (loaded, uploads):
            # Where nothing bears our token it is known by its words, and these name what was left out.
            changed = claimed.outcome_unknown and loaded != command
            if changed and await self._was_done(claimed, loaded, trial, adapter):
                return Verdict(state="done", outcome=Outcome.FOUND)
            trial.body = outcomes.with_files(claimed.body, loaded)
            trial.pushed = await adapter.push(loaded, uploads)
        return Verdict(state="done", outcome=Outcome.DELIVERED)

    async def _addressed(self, claimed: Claimed, command: model.Command) -> model.Command:
        """What goes to a desk elsewhere goes to the conversation that was opened there, known only now."""
        if claimed.hand_off_ref is None or getattr(command, "conversation_id", None) != "":
            return command
        async with self._engine.connect() as connection:
            ticket = await tickets.opened(connection, claimed.hand_off_ref)
        if ticket is None:
            raise Rejected(f"no conversation was opened at {claimed.connection} for this hand-off")
        return msgspec.structs.replace(command, conversation_id=ticket)

    async def _was_done(
        self, claimed: Claimed, command: model.Command, trial: _Trial, adapter: Adapter
    ) -> bool:
        """Whether an earlier try worked, as the vendor says (promise 2)."""

        async def told() -> outbox.Told:
            async with self._engine.connect() as connection:
                return await outbox.load_told(connection, claimed.ref)

        here = claimed.connection == claimed.home
        patient = here and claimed.attempts < self._patience.attempts // 2
        found = await was_done(adapter, command, since=claimed.created_at, told=told, patient=patient)
        trial.pushed = found or trial.pushed
        trial.doubt = trial.doubt and not found and not looks_up(adapter, command)
        return found is not None

    def _writer(self, claimed: Claimed) -> FieldWriter | CaseWriter | None:
        """Who writes what is looked up only when it goes: shared fields."""
        if claimed.customer_ref is not None:
            return self._fields
        return self._cases if claimed.kind == UPDATE_CONVERSATION else None

    async def _look_up(self, claimed: Claimed, adapter: Adapter) -> RawEvent | None:
        asked = msgspec.convert(claimed.body, Fetching)
        changes = await fetching.look_up(adapter, asked, attempt=claimed.attempts, held=self._held(claimed))
        return outcomes.fetched(claimed, changes, origin=asked.origin, now=self._clock())

    def _held(self, claimed: Claimed) -> fetching.Held:
        return fetching.Held(engine=self._engine, connection=claimed.connection)

    async def _settle(self, connection: AsyncConnection, batch: list[Done]) -> Sequence[None]:
        """Write outcomes, own messages and answers in one transaction."""
        finished = [done.finished for done in batch]
        async with begun(connection):
            await outbox.settle(connection, finished)
            await self._store_messages(connection, finished)
            told = [done.told for done in batch if done.told is not None]
            if told:
                await inbox.accept(connection, told)
            await self._measure(connection, finished)
        return [None] * len(batch)

    async def _store_messages(self, connection: AsyncConnection, finished: Sequence[Finished]) -> None:
        said = [f for f in finished if outcomes.is_own_message(f)]
        if said:
            refs = await threads.next_refs(connection)
            await outbox.record_own_messages(
                connection, [outcomes.own_message(item, refs.next()) for item in said]
            )

    async def _measure(self, connection: AsyncConnection, finished: Sequence[Finished]) -> None:
        """First-response times, from when the customer first wrote to when the reply was there."""
        replies: dict[tuple[int, int | None], datetime] = {
            (f.claimed.conversation_ref, f.claimed.turn): f.ended_at
            for f in finished
            if f.claimed.kind == "reply"
            and f.claimed.conversation_ref
            and f.claimed.turn
            and f.verdict.state == "done"
        }
        if replies:
            opened = await rules_store.load_openings(connection, replies)
            for turn, at in opened.items():
                self._metrics.first_response.observe(max(0.0, (replies[turn] - at).total_seconds()))

    def _report(self, finished: Finished, seconds: float) -> None:
        claimed, verdict = finished.claimed, finished.verdict
        self._metrics.attempts.labels(claimed.connection, claimed.kind, verdict.outcome.value).inc()
        if verdict.state == "done":
            stage = "answered" if claimed.connection == AI else "sent"
            self._metrics.observe_lag(stage, finished.ended_at - claimed.created_at)
        quiet = log.debug if verdict.outcome is Outcome.HELD else log.warning
        write = log.info if verdict.state == "done" else quiet
        write(
            "attempt",
            conversation=claimed.conversation_ref,
            customer=claimed.customer_ref,
            connection=claimed.connection,
            command=claimed.ref,
            kind=claimed.kind,
            number=claimed.attempts,
            outcome=verdict.outcome.value,
            state=verdict.state,
            status=finished.status,
            remote_id=finished.remote_id,
            retry_at=verdict.ready_at,
            detail=finished.detail or None,
            waited_ms=round((finished.started_at - claimed.created_at).total_seconds() * 1000, 1),
            took_ms=round(seconds * 1000, 1),
        )
