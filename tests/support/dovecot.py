"""A real IMAP server: Debian's Dovecot 2.3, with a folder and ports of its own.

apt-get install dovecot-imapd
"""

import imaplib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme
from localrun.ports import free_port

USER, PASSWORD = "meet@example.com", 'pass "word" \\ %'
DOVECOT = shutil.which("dovecot") or shutil.which("dovecot", path="/usr/sbin:/usr/local/sbin")


@dataclass(frozen=True)
class Dovecot:
    """A server with one mailbox."""

    port: int
    """Without encryption, or with STARTTLS."""
    tls_port: int
    ca_file: Path
    folder: Path

    @contextmanager
    def client(self) -> Iterator[imaplib.IMAP4]:
        """Logged in as the mailbox's user."""
        with imaplib.IMAP4("127.0.0.1", self.port, timeout=30) as client:
            client.login(USER, PASSWORD)
            yield client

    def append(self, *mails: bytes) -> None:
        """Put mails into the inbox."""
        with self.client() as client:
            for mail in mails:
                status, answer = client.append("INBOX", None, None, mail)  # type: ignore[arg-type]
                assert status == "OK", answer

    def count(self, folder: str) -> int:
        """How many mails are in a folder; 0 when it does not exist."""
        with self.client() as client:
            status, answer = client.select(f'"{folder}"', readonly=True)
            return int(answer[0] or 0) if status == "OK" else 0

    def clear(self) -> None:
        """Delete all mails and all folders but the inbox."""
        shutil.rmtree(self.folder / "mail", ignore_errors=True)

    def log(self) -> str:
        return (self.folder / "log").read_text()


@contextmanager
def running_dovecot(*, introspection_url: str = "http://127.0.0.1:9/") -> Iterator[Dovecot]:
    """Start it, and stop it at the end. ``introspection_url``: says whether an access token is good (RFC 7662)."""
    assert DOVECOT is not None
    with tempfile.TemporaryDirectory(prefix="dovecot", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        authority = trustme.CA()
        authority.cert_pem.write_to_path(folder / "ca.pem")
        certificate = authority.issue_cert("localhost", "127.0.0.1")
        certificate.private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
        server = Dovecot(free_port(), free_port(), folder / "ca.pem", folder)
        (folder / "users").write_text(f"{USER}:{{PLAIN}}{PASSWORD}\n")
        (folder / "oauth2").write_text(
            f"introspection_mode = post\nintrospection_url = {introspection_url}\n"
            "username_attribute = username\nactive_attribute = active\nactive_value = true\n"
        )
        (folder / "conf").write_text(_config(server))
        with (folder / "out").open("w") as out:
            process = subprocess.Popen(
                [DOVECOT, "-F", "-c", str(folder / "conf")], stdout=out, stderr=subprocess.STDOUT
            )
        try:
            _wait_ready(server, process)
            yield server
        finally:
            process.terminate()
            process.wait(30)


def _config(server: Dovecot) -> str:
    folder = server.folder
    login, mail = ("dovenull", "nobody") if os.getuid() == 0 else (_me(), _me())
    internal = "dovecot" if os.getuid() == 0 else _me()
    (folder / "mail").mkdir()
    uid, gid = pwd.getpwnam(mail).pw_uid, pwd.getpwnam(mail).pw_gid
    os.chown(folder, uid, gid)
    os.chown(folder / "mail", uid, gid)
    return f"""
protocols = imap
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
default_internal_user = {internal}
default_internal_group = {gid if os.getuid() else "dovecot"}
default_login_user = {login}
first_valid_uid = 1
first_valid_gid = 1
mail_uid = {uid}
mail_gid = {gid}
mail_home = {folder}/home
mail_location = maildir:{folder}/mail
listen = 127.0.0.1
ssl = yes
ssl_cert = <{folder}/server.pem
ssl_key = <{folder}/server.pem
disable_plaintext_auth = no
auth_mechanisms = plain login xoauth2
auth_username_format = %Lu
auth_failure_delay = 0
mail_max_userip_connections = 100
passdb {{
  driver = oauth2
  mechanisms = xoauth2
  args = {folder}/oauth2
}}
passdb {{
  driver = passwd-file
  mechanisms = plain login
  args = scheme=PLAIN {folder}/users
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/home
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {server.port}
  }}
  inet_listener imaps {{
    port = {server.tls_port}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
"""


def _me() -> str:
    return pwd.getpwuid(os.getuid()).pw_name


def _wait_ready(server: Dovecot, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            with server.client():
                return
        except (OSError, imaplib.IMAP4.abort) as error:
            if process.poll() is not None or time.monotonic() > deadline:
                out = (server.folder / "out").read_text()
                raise AssertionError(f"dovecot does not start: {error}\n{out}{server.log()}") from error
            time.sleep(0.05)
