from django.apps import AppConfig


class ProfilesConfig(AppConfig):
    name = "profiles"

    def ready(self) -> None:
        from profiles import exporting  # noqa: F401 (joins what is asked for a person's download)
