"""All web and TLS promises at once, against a real nginx: set up well, and with its defaults."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from provisioner.checks import outside
from provisioner.checks.outside import WebTarget
from provisioner.checks.result import Grade, Verdict

from .conftest import Chain, wait_for
from .test_web import GOOD_HEADERS, PAGE_POLICY, STRICT_POLICY

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin")

FRAME = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    ssl_certificate {chain.certificate};
    ssl_certificate_key {chain.key};
    {tls}
    server {{
        listen 127.0.0.1:{target.http_port};
        {plain}
    }}
    server {{
        listen 127.0.0.1:{target.port} ssl;
        {headers}
        location = / {{ {headers} {root} return 302 /login; }}
        location / {{ {headers} {page} return 200 "login"; }}
    }}
}}
"""
GOOD_TLS = """
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_ciphers ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256;
    ssl_conf_command SignatureAlgorithms ecdsa_secp256r1_sha256:ecdsa_secp384r1_sha384:rsa_pss_rsae_sha256;
    ssl_ecdh_curve X25519:X448:secp384r1:prime256v1;
    ssl_session_tickets off;
"""

pytestmark = pytest.mark.skipif(NGINX is None, reason="needs nginx: apt-get install nginx-light")


@pytest.fixture
def serve(tmp_path: Path, chain: Chain, target: WebTarget) -> Iterator[Callable[..., WebTarget]]:
    running: list[subprocess.Popen[bytes]] = []

    def start(**parts: str) -> WebTarget:
        configuration = tmp_path / "nginx.conf"
        blank = dict.fromkeys(("tls", "plain", "headers", "root", "page"), "")
        configuration.write_text(FRAME.format(folder=tmp_path, chain=chain, target=target, **(blank | parts)))
        assert NGINX is not None
        process = subprocess.Popen([NGINX, "-c", str(configuration), "-p", str(tmp_path)])
        running.append(process)
        wait_for(target.port, process)
        return target

    yield start
    for process in running:
        process.kill()
        process.wait()


def test_everything_passes_on_an_nginx_that_is_set_up_well(serve: Callable[..., WebTarget]) -> None:
    target = serve(
        tls=GOOD_TLS,
        plain="return 301 https://cloud.zonnedael.example$request_uri;",
        headers=" ".join(f'add_header {name} "{value}" always;' for name, value in GOOD_HEADERS),
        root=f'add_header Content-Security-Policy "{STRICT_POLICY}" always;',
        page=f'add_header Content-Security-Policy "{PAGE_POLICY}" always;',
    )
    checks = list(outside.run(web=[target]))
    assert {check.id: check.actual for check in checks if check.verdict is not Verdict.PASS} == {}
    assert len(checks) == 11
    assert len({check.id for check in checks}) == len(checks)
    assert {check.grade for check in checks} == {Grade.OBSERVED_FROM_OUTSIDE}
    assert {check.target for check in checks} == {target.hostname}
    assert all(check.title and check.expected and check.remedy and check.actual for check in checks)


def test_nginx_with_its_defaults_does_not(serve: Callable[..., WebTarget]) -> None:
    verdicts = {check.id: check.verdict for check in outside.run(web=[serve()])}
    wrong = {name for name, verdict in verdicts.items() if verdict is Verdict.FAIL}
    assert {"TLS-SUITE", "TLS-SIG", "WEB-HTTPS", "WEB-HSTS", "WEB-HDR", "WEB-CSP-ROOT"} <= wrong
    assert verdicts["TLS-CERT"] is Verdict.PASS


def test_nothing_listens_means_nothing_is_assessed(target: WebTarget) -> None:
    assert {check.verdict for check in outside.run(web=[target])} == {Verdict.NOT_ASSESSED}
