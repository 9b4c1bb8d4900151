# The agent as an image: docker build -t poolscope .
#
# The base is any Debian-like image with python3 (3.11 or newer) and its venv module. It is
# pinned by version, not by digest, so that rebuilt patch releases of Debian come in.
ARG BASE=docker.io/library/python:3.13.7-slim-bookworm

# hadolint ignore=DL3006
FROM ${BASE} AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY hashing hashing
COPY analyzers analyzers
COPY monitor monitor
# pip is not left in the image: nothing installs anything there.
RUN --mount=type=cache,target=/root/.cache/pip \
    python3 -m venv /opt/poolscope \
    && /opt/poolscope/bin/pip install --disable-pip-version-check \
        --constraint constraints.txt '.[postgresql]' \
    && /opt/poolscope/bin/pip uninstall --yes pip

# hadolint ignore=DL3006
FROM ${BASE}
LABEL org.opencontainers.image.title="poolscope" \
      org.opencontainers.image.description="Who really mines Bitcoin: pool shares with evidence and intervals" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="MIT"
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /var/lib/poolscope \
        --shell /usr/sbin/nologin poolscope \
    && install -d -o poolscope -g poolscope /var/lib/poolscope /var/cache/poolscope
COPY --from=build /opt/poolscope /opt/poolscope
# In a container 127.0.0.1 is the container's own; what is published is for the engine to say.
ENV PATH=/opt/poolscope/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    POOLSCOPE_DATA_DIR=/var/lib/poolscope \
    POOLSCOPE_WEB__HOST=0.0.0.0 \
    POOLSCOPE_WEB__PORT=9431 \
    XDG_CACHE_HOME=/var/cache \
    NUMBA_CACHE_DIR=/var/cache/poolscope/numba \
    MPLCONFIGDIR=/var/cache/poolscope/matplotlib
USER 10001:10001
WORKDIR /var/lib/poolscope
VOLUME ["/var/lib/poolscope", "/var/cache/poolscope"]
EXPOSE 9431
STOPSIGNAL SIGTERM
# A changed registry is applied to the whole store before the agent serves: it may start slowly.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30m --retries=3 CMD \
    ["python3", "-c", "import os, urllib.request as u; u.urlopen(f\"http://127.0.0.1:{os.environ['POOLSCOPE_WEB__PORT']}/-/healthy\", timeout=4)"]
ENTRYPOINT ["poolscope"]
CMD ["run"]
