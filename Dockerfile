# One image for webserver, daemon, code server and run pods. What they need is locked in uv.lock.
#
#   docker build --tag jetstream-assets:0.1.0 .
#   docker run --rm jetstream-assets:0.1.0 jetstream --version

ARG PYTHON=3.12.11-slim-bookworm

FROM python:${PYTHON} AS build
ENV UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_NO_CACHE=1 \
    UV_PYTHON_DOWNLOADS=never \
    UV_PROJECT_ENVIRONMENT=/opt/jetstream
RUN pip install --no-cache-dir uv==0.13.9
WORKDIR /build
# The dependencies first: their layer stays as it is when only our own code changes.
COPY pyproject.toml uv.lock ./
RUN uv sync --frozen --no-dev --no-install-project
COPY README.md ./
COPY jetstream_assets ./jetstream_assets
RUN uv sync --frozen --no-dev --no-editable

FROM python:${PYTHON}
# git reads the configuration's repository; tini hands signals on and buries ended processes.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git tini \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 jetstream \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp jetstream \
    && install --directory --owner 10001 --group 10001 /opt/dagster/home /opt/dagster/workspace
COPY --from=build /opt/jetstream /opt/jetstream
ENV PATH=/opt/jetstream/bin:${PATH} \
    HOME=/tmp \
    DAGSTER_HOME=/opt/dagster/home \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /opt/dagster
USER 10001:10001
# An image that cannot even say its version is not built.
RUN jetstream --version
ENTRYPOINT ["tini", "--"]
CMD ["jetstream", "--help"]
