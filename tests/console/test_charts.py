"""The charts' numbers."""

from datetime import timedelta

from gateway.console.charts import response_bars, rule_bars, verdict_bars


def test_nothing_yet_draws_nothing() -> None:
    """An empty house has no charts, and divides nothing by zero."""
    assert verdict_bars({}) == []
    assert rule_bars({}) == []
    assert response_bars([]) is None


def test_verdicts_fill_the_whole_bar() -> None:
    """The parts are stacked and add up."""
    bars = verdict_bars({"resolved": 3, "unresolved": 1})
    assert [(bar.label, bar.start, bar.size) for bar in bars] == [
        ("resolved", 0, 750),
        ("unresolved", 750, 250),
        ("open", 1000, 0),
    ]


def test_every_wait_falls_into_one_column() -> None:
    """Also those at the edges, and those that clocks made negative."""
    found = response_bars([timedelta(seconds=s) for s in (-0.1, 0, 0.5, 1, 59.9, 60, 4000)])
    assert found is not None
    assert [bar.count for bar in found.bars] == [2, 1, 1, 0, 0, 1, 2]
    assert found.median == 1
