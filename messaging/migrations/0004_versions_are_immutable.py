"""What was published stays as it was."""

from django.db import migrations

from foundation.append_only import append_only


class Migration(migrations.Migration):
    dependencies = [("messaging", "0003_delivery"), ("foundation", "0001_ground")]
    operations = [append_only("messaging_templateversion")]
