from django.apps import AppConfig


class ProfilesConfig(AppConfig):
    name = "profiles"
    verbose_name = "People"

    def ready(self) -> None:
        from profiles import exporting, tasks  # noqa: F401 (what is asked for a download, and the loops, join here)
