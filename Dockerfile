# toytrain on the CPU: `docker build -t toytrain .`, then `docker run -p 8501:8501 -v runs:/runs toytrain`.
# Several servers behind one proxy: compose.yaml. What it carries: docs/serving.md.
FROM python:3.11-slim

ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PYTHONUNBUFFERED=1 \
    TOYTRAIN_RUNS=/runs

RUN useradd --create-home --uid 1000 toytrain \
    && install -d -o toytrain -g toytrain /runs
WORKDIR /app

# The CPU build of PyTorch first, from PyTorch's own index: PyPI's for Linux brings CUDA, several gigabytes.
COPY requirements.txt ./
RUN grep '^torch==' requirements.txt > torch.txt \
    && pip install --index-url https://download.pytorch.org/whl/cpu -r torch.txt \
    && pip install -r requirements.txt \
    && rm torch.txt

COPY app.py classroom.toml ./
COPY .streamlit .streamlit
COPY pages pages
COPY lessons lessons
COPY toytrain toytrain
# Compiled here, because the user below may not write into the folder: a start would compile it anew each time.
RUN python -m compileall -q .

USER toytrain
VOLUME /runs
EXPOSE 8501
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["python", "-c", \
    "import os, urllib.request as r; b = os.environ.get('STREAMLIT_SERVER_BASE_URL_PATH', ''); r.urlopen('http://127.0.0.1:8501/' + (b + '/' if b else '') + '_stcore/health', timeout=4)"]
# Ctrl-C, docker stop: the app saves its runs and ends its training processes.
STOPSIGNAL SIGINT
CMD ["streamlit", "run", "app.py", "--server.address=0.0.0.0", "--server.port=8501"]
