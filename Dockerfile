FROM python:3.11-slim AS build

WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY models models
COPY stream stream
COPY consumers consumers
RUN pip wheel --no-cache-dir --disable-pip-version-check --no-deps --wheel-dir /wheel .

FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /opt/refrain

COPY constraints.txt ./
COPY --from=build /wheel /wheel
# docker build --build-arg EXTRAS=schema-registry,otel
ARG EXTRAS=
RUN pip install --constraint constraints.txt "$(echo /wheel/*.whl)${EXTRAS:+[$EXTRAS]}" && rm -r /wheel

RUN useradd --create-home --uid 10001 refrain
USER refrain
WORKDIR /home/refrain

ENTRYPOINT ["refrain"]
CMD ["--help"]
