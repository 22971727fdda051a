# The service as an image: `docker build -t imgsvc .`, or `make image` where there is no daemon.
# Any base with python3 (3.11 or newer) and its venv module will do; pin it by digest for a release.
ARG PYTHON_IMAGE=python:3.13-slim-trixie

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
# What changes rarely comes first: a change of our code reuses this layer.
COPY requirements.lock requirements-build.lock ./
# The environment that is shipped has no pip in it; the build's own installs into it.
RUN python3 -m venv /build/tools \
    && python3 -m venv --without-pip /opt/imgsvc \
    && /build/tools/bin/pip install --quiet --require-hashes -r requirements-build.lock \
    && /build/tools/bin/pip --python /opt/imgsvc/bin/python install --quiet --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY imgsvc imgsvc
RUN /build/tools/bin/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir /build/dist . \
    && /build/tools/bin/pip --python /opt/imgsvc/bin/python install --quiet --no-deps --no-index /build/dist/*.whl

FROM ${PYTHON_IMAGE}
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="imgsvc" \
      org.opencontainers.image.description="A self-hosted image-processing service: durable jobs, killable work, every operation timed." \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /opt/imgsvc /opt/imgsvc
# A number, so that Kubernetes' runAsNonRoot can tell; a volume made from /data belongs to it.
RUN mkdir -m 0750 /data && chown 10001:10001 /data
ENV PATH=/opt/imgsvc/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    IMGSVC_HOST=0.0.0.0 \
    IMGSVC_DATA_DIR=/data
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=15s --retries=3 CMD ["imgsvc", "healthcheck"]
ENTRYPOINT ["imgsvc"]
CMD ["serve"]
