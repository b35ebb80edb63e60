from django.apps import AppConfig
from django.db.models.signals import post_migrate


class StaffConfig(AppConfig):
    name = "staff"

    def ready(self) -> None:
        from staff import roles

        post_migrate.connect(roles.apply, dispatch_uid="staff.roles")
