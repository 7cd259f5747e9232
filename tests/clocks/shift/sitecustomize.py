"""Python reads this at its start where the folder is on its path: the clock goes, ``CLOCK_SHIFT`` seconds ahead.

MongoDB and the broker keep the real time: what a service decides by time it must decide by its own clock.
"""

import os
import time

import time_machine

time_machine.travel(time.time() + float(os.environ["CLOCK_SHIFT"]), tick=True).start()
