"""The audit trail only grows."""

from django.db import migrations

from foundation.append_only import append_only


class Migration(migrations.Migration):
    dependencies = [("staff", "0001_initial"), ("foundation", "0001_ground")]
    operations = [append_only("staff_auditentry")]
