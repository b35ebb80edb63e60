"""How the parts are put together and run: settings, addresses, the schedule, embedded services. Nobody imports it."""

import atexit
import gc

# Python looks for cycles after each 700 new objects, which is a third of what starting and migrating costs; after each
# 10,000 it costs little, and some 15 MB. At the end it would look through all that lives, for half a second, though
# the system takes the memory back anyhow: frozen objects are not looked at.
gc.set_threshold(10_000, 10, 10)
atexit.register(gc.freeze)
