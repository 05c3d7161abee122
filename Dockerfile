# The page with models and indexes baked in, as a Hugging Face Space (sdk: docker) or anywhere else:
#   docker build -t lfqa . && docker run -p 8501:8501 lfqa
FROM python:3.11-slim

# another package index, for networks without the public one
ARG PIP_INDEX_URL=
# torch's CPU build where the index offers it under a name of its own, such as 2.13.0+cpu
ARG TORCH_VERSION=2.13.0

# a data set to ask instead of the bundled corpus, as NAME@CONFIG: it is downloaded and indexed at build time
ARG CORPUS=

RUN useradd --create-home --uid 1000 user
USER user
WORKDIR /home/user/app
ENV PATH=/home/user/.local/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    LFQA_CACHE=/home/user/cache \
    LFQA_CORPUS=$CORPUS \
    HF_HUB_OFFLINE=1 \
    STREAMLIT_SERVER_FILE_WATCHER_TYPE=none

COPY --chown=user requirements.txt ./
RUN export PIP_INDEX_URL=${PIP_INDEX_URL:-$(pip config get global.index-url 2>/dev/null || true)}; \
    [ -n "$PIP_INDEX_URL" ] || unset PIP_INDEX_URL; \
    pip install --no-cache-dir --user "torch==${TORCH_VERSION}" && pip install --no-cache-dir --user --requirement requirements.txt

COPY --chown=user . .
RUN pip install --no-cache-dir --user --no-deps --editable . \
    && HF_HUB_OFFLINE=$([ -z "$CORPUS" ] && echo 1 || echo 0) python -m lfqa.cli ask "Why is the sky blue?" --nearest > /dev/null

EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD python -c "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=4)"
CMD ["python", "-m", "streamlit", "run", "app.py", "--server.address=0.0.0.0", "--server.port=8501", "--server.enableXsrfProtection=false"]
