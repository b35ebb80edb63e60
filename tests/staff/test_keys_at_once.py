from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from django.db import connection

from staff import keys
from staff.models import Key


def test_RL01_many_at_once_never_get_more_than_the_limit(transactional_db: None, now: datetime) -> None:
    key, _ = keys.create("A", kind=Key.Kind.SERVER, rate_per_minute=20, now=now)

    def spend(_: int) -> bool:
        try:
            return keys.spend(key, 1, now=now) is None
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(spend, range(60))) == 20
