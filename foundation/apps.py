from django.apps import AppConfig
from django.db.backends.signals import connection_created

from foundation import moments


class FoundationConfig(AppConfig):
    name = "foundation"

    def ready(self) -> None:
        connection_created.connect(moments.read_fast, dispatch_uid="foundation.moments")
