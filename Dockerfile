# One image for every part; compose.yaml says which part a container runs.
FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 CAIRN_HOME=/var/lib/cairn HOST=0.0.0.0
RUN useradd --system --create-home --home-dir /var/lib/cairn cairn
WORKDIR /srv/cairn

COPY requirements.lock .
RUN pip install --no-cache-dir --require-hashes -r requirements.lock
COPY . .

USER cairn
EXPOSE 8000
ENTRYPOINT ["python", "manage.py"]
CMD ["up"]
