"""The ledger and the wordings it names only grow."""

from django.db import migrations

from foundation.append_only import append_only


class Migration(migrations.Migration):
    dependencies = [("consent", "0002_initial"), ("foundation", "0001_ground")]
    operations = [append_only("consent_consentrecord"), append_only("consent_wording")]
