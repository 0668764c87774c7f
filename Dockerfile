# One image for worker and server, on a GPU or a CPU.
#
#   docker build -t sqd-monitor .
#
# Without a CUDA driver the same image runs on the CPU; the worker says at start which it got.
FROM python:3.11-slim-bookworm

# opencv, which insightface needs, loads libGL and glib.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends libgl1 libglib2.0-0 \
 && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/sqd
COPY pyproject.toml constraints.txt README.md ./
COPY trainer_hooks trainer_hooks
COPY monitor monitor
COPY dashboard dashboard

# insightface pulls in onnxruntime, whose files overwrite those of onnxruntime-gpu: install with it,
# then put the GPU package in its place. It holds the CPU provider too.
RUN pip install --no-cache-dir --constraint constraints.txt '.[worker,server]' \
 && pip uninstall --yes onnxruntime \
 && pip install --no-cache-dir --no-deps onnxruntime-gpu==1.31.1

RUN useradd --create-home --uid 1000 sqd && install -d -o sqd -g sqd /data
USER sqd
ENV SQD_HOME=/data
VOLUME /data
EXPOSE 8000
ENTRYPOINT ["sqd"]
CMD ["server", "--host", "0.0.0.0"]
