"""The image that the starter suite and `ksolve fix` stand on: its name and what it is made of.

`sandbox.bootstrap` makes it; the names of the images above it depend on its recipe.
"""

from __future__ import annotations

BASE_IMAGE = "ksolve/base:1"

PACKAGES = ("ca-certificates", "git", "patch", "python3", "python3-pytest", "python3-venv")
"""Of Debian or Ubuntu."""

DOCKERFILE = r"""
COPY certificates/ /usr/local/share/ca-certificates/
RUN update-ca-certificates \
 && useradd --uid 1000 --create-home --shell /bin/bash solver \
 && git config --system safe.directory '*' \
 && git config --system user.name ksolve \
 && git config --system user.email ksolve@localhost \
 && mkdir /testbed && chown solver:solver /testbed
ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    REQUESTS_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt
USER solver
WORKDIR /testbed
"""
"""What follows its first line, which is `FROM` an image with the packages."""

RECIPE = repr((PACKAGES, DOCKERFILE)).encode()
"""All that the image is made of, but for the versions of packages and a machine's authorities."""
