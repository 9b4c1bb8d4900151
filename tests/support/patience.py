"""How long tests wait for progress: so long that only what hangs is ended by it.

A verdict must not depend on how busy the machine is. Whoever waits looks for what it waits for
again and again, and goes on as soon as that is there.
"""

from typing import Final

PATIENCE: Final = 900.0
"""Seconds."""
