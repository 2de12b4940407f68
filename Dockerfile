# orch in a container: `docker build .` for the CPU, `docker build --build-arg LOCK=gpu .` with CUDA.
# On the GPU the host needs NVIDIA's driver and container toolkit; CUDA itself comes from the lock file.

FROM python:3.13-slim-bookworm AS build
ARG LOCK=cpu
WORKDIR /source
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/orch
# The dependencies first: they change less often than the code, and their layer is the large one.
COPY requirements/${LOCK}.txt requirements.txt
RUN /opt/orch/bin/pip install --require-hashes -r requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY storage storage
COPY workers workers
COPY dashboards dashboards
COPY orchestrator orchestrator
COPY orch orch
RUN /opt/orch/bin/pip install --no-deps --no-build-isolation .

FROM python:3.13-slim-bookworm
RUN useradd --uid 1000 --create-home orch \
    && install -d -o orch -g orch /cache /artifacts /studies
COPY --from=build /opt/orch /opt/orch
ENV PATH=/opt/orch/bin:$PATH \
    ORCH_CACHE=/cache \
    KERAS_HOME=/cache/keras \
    PYTHONUNBUFFERED=1 \
    TF_CPP_MIN_LOG_LEVEL=2
USER orch
WORKDIR /studies
# A worker gives its point back on SIGTERM; that is what stopping a container sends.
STOPSIGNAL SIGTERM
# Whether the database can be reached and its tables are right; the dashboard's container asks its own page instead.
HEALTHCHECK --interval=60s --timeout=30s --start-period=30s --retries=3 CMD ["orch", "db", "check"]
ENTRYPOINT ["orch"]
CMD ["--help"]
