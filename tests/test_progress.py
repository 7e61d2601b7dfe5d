"""Time left, from the pace so far."""

import io

from medsynth.progress import Lines


def test_the_time_left_follows_the_pace_of_the_steps_done() -> None:
    now = [0.0]
    stream = io.StringIO()
    lines = Lines({"a": 1.0, "b": 3.0, "c": 6.0}, stream=stream, clock=lambda: now[0])
    lines.start("a")
    now[0] = 2.0  # twice the typical second
    lines.start("b")
    now[0] = 8.0
    lines.finish()
    told = stream.getvalue().splitlines()
    assert told[0] == "a ... (about 10 s left)"
    assert told[1:3] == ["a: 2.0 s", "b ... (about 18 s left)"]
    assert told[3] == "b: 6.0 s"


def test_an_unknown_step_is_named_without_a_guess() -> None:
    stream = io.StringIO()
    Lines({}, stream=stream, clock=lambda: 0.0).start("z")
    assert stream.getvalue() == "z ...\n"
