"""What a vendor has deleted: marked, let go, and never written to again. What we hold of it stays. Pure."""

from adapters.model import (
    ControlChanged,
    ConversationChanged,
    ConversationDeleted,
    CustomerChanged,
    CustomerDeleted,
    CustomersMerged,
    MessagePosted,
)
from gateway import acts, relays
from gateway.scene import Occasion, Scene, Stage
from rules import turns
from sync.lease import Closed
from sync.store.deletions import GONE

DELETED = "deleted"
"""How what was open of a deleted conversation has ended."""


def take(stage: Stage, home: str, change: ConversationDeleted | CustomerDeleted, occasion: Occasion) -> None:
    """Mark what was deleted; what we never knew, or know to be deleted, is no news."""
    match change:
        case ConversationDeleted():
            scene = stage.scenes.get((home, change.conversation_id))
            if scene is not None and scene.thread.conversation.deleted_at is None:
                _let_go(stage, scene, change, occasion)
        case CustomerDeleted():
            customer = stage.customers.get((home, change.customer_id))
            if customer is not None and customer.deleted_at is None:
                customer.deleted_at = change.occurred_at


def _let_go(stage: Stage, scene: Scene, change: ConversationDeleted, occasion: Occasion) -> None:
    """Nobody speaks in it any more; of a ticket at a desk elsewhere, its customer needs somebody else."""
    thread = scene.thread
    thread.conversation.deleted_at, thread.deleted = change.occurred_at, True
    for command in thread.commands:
        if command.connection == thread.conversation.connection:
            command.held_back = GONE
    relays.deleted(stage, scene, occasion)
    turns.end(scene.history, DELETED)
    acts.end_hand_off(stage, scene, DELETED)
    voice = stage.first_voice(thread.conversation.connection)
    acts.move_lease(stage, scene, Closed(voice), DELETED, occasion)


def is_back(scene: Scene, change: MessagePosted | ConversationChanged | ControlChanged) -> None:
    """A conversation of which something later is told is there again."""
    conversation, thread = scene.thread.conversation, scene.thread
    if conversation.deleted_at is not None and change.occurred_at > conversation.deleted_at:
        conversation.deleted_at, thread.deleted = None, False


def customer_is_back(stage: Stage, home: str, change: CustomerChanged | CustomersMerged) -> None:
    """A customer of whom something later is told is there again: what merely names them says nothing."""
    customer = stage.customers.get((home, change.customer.id))
    if customer is not None and customer.deleted_at is not None and change.occurred_at > customer.deleted_at:
        customer.deleted_at = None
