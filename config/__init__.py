"""How the parts are put together and run: settings, addresses, the schedule, embedded services. Nobody imports it."""
