from django.apps import AppConfig


class MessagingConfig(AppConfig):
    name = "messaging"

    def ready(self) -> None:
        from messaging import joining  # noqa: F401 (takes part in merges, erasures and exports)
