"""How the parts are put together and run: settings, addresses, the schedule, embedded services. Nobody imports it."""

import gc

# Python looks for cycles after each 700 objects, which is a third of what starting and migrating costs; with 10,000 it
# is a tenth, for some 15 MB more.
gc.set_threshold(10_000, 10, 10)
