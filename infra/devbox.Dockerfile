FROM python:3.11.14-slim-trixie
RUN apt-get update && apt-get install --yes --no-install-recommends git make && rm -rf /var/lib/apt/lists/*
# PostgreSQL's initdb wants a user with a name. A new volume takes the owner of the folder that it is mounted on.
ARG DEVBOX_UID=1000
RUN useradd --non-unique --uid "${DEVBOX_UID}" --create-home dev && install --directory --owner=dev /workspace/.venv
USER dev
