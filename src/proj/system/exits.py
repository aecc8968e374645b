"""Turns signals that ask a command to stop into exits, and finds those exits again that a library has lost."""

import signal
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from proj.errors import causes
from proj.system.platform import STOP_SIGNALS
from proj.system.ranks import rank

BUT_CTRL_C = tuple(number for number in STOP_SIGNALS if number != signal.SIGINT)
# The signals that came during the blocks of `stop_signals_as_exits` that have not ended; one may be within another.
# The exit that a signal raises can get lost: Python ignores it while it destroys an object, and so do some libraries.
CAME: list[int] = []


class Stopped(SystemExit):
    """Raised by a signal that asks to stop, as long as the user has not been told so."""


@contextmanager
def ctrl_c_after_imports() -> Iterator[None]:
    """During the block, which imports packages, Ctrl-C waits for its end: NumPy and torch catch an interrupt in their
    imports, and would go on with a part of their names."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        yield
        return
    came = list[int]()
    before = signal.signal(signal.SIGINT, lambda number, frame: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came:
        signal.raise_signal(signal.SIGINT)


@contextmanager
def stop_signals_as_exits(numbers: Iterable[int] = BUT_CTRL_C, said: str = "") -> Iterator[None]:
    """During the block, a signal that asks to stop raises `Stopped`, unless other code sets a handler of its own. A
    signal whose exit got lost within an outer block raises it before this one begins.

    numbers: the signals. Those that this process was started to ignore, as with & in a script, stay ignored.
    said: a sentence to print if one of them, other than Ctrl-C, ends the block.
    """
    known = len(CAME)

    def end(number: int, frame) -> None:
        CAME.append(number)
        raise Stopped(128 + number)

    before = {number: signal.signal(number, end) for number in numbers if signal.getsignal(number) != signal.SIG_IGN}
    try:
        if CAME:
            raise Stopped(128 + CAME[0])
        yield
    except BaseException as error:  # a library may turn the exit into another error
        if not (stop := next((link for link in causes(error) if isinstance(link, Stopped)), None)):
            raise
        if said and stop.code != 128 + signal.SIGINT and not rank():
            print(f"Stopped by {signal.Signals(stop.code - 128).name}: {said}", file=sys.stderr)
        raise stop from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        del CAME[known:]
