"""An answer is kept with the write that it answers, or not at all."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("staff", "0003_key_spending")]
    operations = [
        migrations.RunSQL("DELETE FROM staff_idempotentanswer WHERE status IS NULL", migrations.RunSQL.noop),
        migrations.AlterField("idempotentanswer", "status", models.PositiveSmallIntegerField()),
    ]
