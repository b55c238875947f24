# The wheel is built once, in the first stage; the second holds only what runs.
ARG PYTHON=python:3.11.13-slim-bookworm

FROM ${PYTHON} AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY streams streams
COPY agents agents
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels . \
    && python -m venv --without-pip /opt/feedback \
    # Wheels only: the image has no compiler, and needs none.
    && pip --python /opt/feedback/bin/python install --no-cache-dir \
        --only-binary :all: /wheels/*.whl

FROM ${PYTHON}
# A number, so that Kubernetes can see that it is not root.
RUN groupadd --gid 10001 feedback \
    && useradd --uid 10001 --gid feedback --no-create-home --home-dir /nonexistent feedback
COPY --from=build /opt/feedback /opt/feedback
ENV PATH=/opt/feedback/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    FEEDBACK_KPI_FILE=/etc/feedback/kpis.yaml
WORKDIR /tmp
USER 10001:10001
ENTRYPOINT ["feedback"]
CMD ["--help"]
