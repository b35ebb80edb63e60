"""Is it alive, does all of it work, and how much waits: `/healthz`, `/readyz`, `/metrics`. They name nobody."""

from collections.abc import Callable, Iterator, Mapping

from celery import current_app
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django_celery_beat.models import PeriodicTask

from config import migrating
from config.schedule import SCHEDULE
from foundation import clock, loops, standstill
from journeys.models import Enrollment
from messaging.models import Message
from profiles import erasing
from profiles.models import Pulse


@require_safe
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """This process answers; it asks nobody else."""
    return HttpResponse("alive\n", content_type="text/plain")


@require_safe
@never_cache
def readyz(request: HttpRequest) -> HttpResponse:
    """200 when database, broker, migrations and every loop work; else 503 with what is missing, and why.

    `held` says what an operator has to let go on: pages are served meanwhile, so it is no 503.
    """
    missing = what_is_missing()
    found = {"ready": not missing, "missing": missing}
    if "database" not in missing and "migrations" not in missing and (held := standstill.current()):
        found["held"] = {"sending": f"{held.why} It goes on with `manage.py recover --go-on`."}
    answer = JsonResponse(found, status=503 if missing else 200)
    vars(answer)["_has_been_logged"] = True  # Django logs each 503 as an error; this one is an answer like any other
    return answer


def what_is_missing() -> dict[str, str]:
    """What does not work, each with a sentence."""
    checks: dict[str, Callable[[], str]] = {
        "database": _database,
        "migrations": _migrations,
        "broker": _broker,
        "loops": _loops,
    }
    missing: dict[str, str] = {}
    for name, check in checks.items():
        if "database" in missing and name != "broker":
            continue  # they ask the database
        try:
            if sentence := check():
                missing[name] = sentence
        except Exception as error:
            # The kind alone: an error's text may hold addresses and values.
            missing[name] = f"does not answer ({type(error).__name__})"
    return missing


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW transaction_read_only")
        [takes_no_writes] = cursor.fetchone()
    return "takes no writes, so nothing can be stored or sent" if takes_no_writes == "on" else ""


_all_migrated = False


def _migrations() -> str:
    global _all_migrated
    if not _all_migrated:  # asked until it is so: it does not become undone while we run
        if awaited := migrating.what_is_awaited(connection):
            return f"{awaited}: run `manage.py migrate`"
        _all_migrated = True
    return ""


def _broker() -> str:
    with current_app.connection_for_write() as broker:
        broker.ensure_connection(max_retries=1, interval_start=0, timeout=2)
    return ""


def _loops() -> str:
    """Those that should have run by now and have not; an operator may have switched some off."""
    every = {entry.loop: entry.every for entry in SCHEDULE}
    tasks = PeriodicTask.objects.filter(name__in=every, enabled=True).select_related("interval")
    ages = loops.ages()
    late = []
    for task in tasks:
        interval = task.interval.schedule.run_every.total_seconds() if task.interval else 86_400
        age = ages.get(task.name)
        if age is None:
            late.append(f"{task.name} has not run yet")
        elif age > 2 * interval + 20:
            late.append(f"{task.name} last ran {age:.0f} seconds ago")
    if not every.keys() & {task.name for task in tasks}:
        late.append("nothing is scheduled: run `manage.py syncschedule`")
    return "; ".join(sorted(late))


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Gauges in Prometheus' text format."""
    return HttpResponse("".join(_gauges()), content_type="text/plain; version=0.0.4; charset=utf-8")


def _gauges() -> Iterator[str]:
    now = clock.now()
    yield from _gauge("cairn_pulses_waiting", "Word of people to look at again.", {"": Pulse.objects.count()})
    due = Enrollment.objects.filter(state="active", due_at__lte=now).count()
    yield from _gauge("cairn_enrollments_due", "Enrollments whose time has come.", {"": due})
    waiting = {
        f'{{state="{state}"}}': Message.objects.filter(state=state).count()
        for state in ("queued", "deferred", "sending")
    }
    yield from _gauge("cairn_messages", "Messages that are on their way.", waiting)
    yield from _gauge("cairn_tombstoned", "What came late for people who were erased of late.", {"": erasing.late()})
    yield from _gauge("cairn_sending_held", "Whether all sending stands still.", {"": float(standstill.holds())})
    ages = {f'{{loop="{name}"}}': age for name, age in sorted(loops.ages().items())}
    yield from _gauge("cairn_loop_age_seconds", "Time since a loop last ran to its end.", ages)


def _gauge(name: str, meaning: str, values: Mapping[str, float]) -> Iterator[str]:
    yield f"# HELP {name} {meaning}\n# TYPE {name} gauge\n"
    for labels, value in values.items():
        yield f"{name}{labels} {value:g}\n"
