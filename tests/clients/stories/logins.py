"""Ways of logging in: GNU SASL with SCRAM, curl and IMAPClient with tokens, curl with certificates."""

import base64
import hashlib
import hmac
import json
import ssl
import subprocess
import time

import imapclient

import bans
import servers
from story import Story, expect, holds

# curl's status where the server refuses the login.
DENIED = 67
SECRET = "a secret that nobody but the authorization server should have"
ISSUER, AUDIENCE = "https://id.example.test", "mail"


class Open(servers.Pillarbox):
    """A server that takes passwords as SCRAM proves them, tokens, and certificates."""

    def __init__(self, story: Story):
        home = story.home / "open"
        home.mkdir()
        super().__init__(home, story.logs / "open.log", story.server.authority, False)

    def _admin(self, program, config, *args):
        super()._admin(program, config, *args)
        super()._admin(program, config, "creds", "create", args[-1], "--bcrypt-cost", "4",
                       "--scram", "sha-256", "--scram", "sha-1", "--password",
                       servers.ALICE.password)

    def _config(self) -> str:
        config = super()._config()
        start, rest = config.split("auth.pass_table", 1)
        _, rest = rest.split("storage.imapsql", 1)
        rest = rest.replace("    auth &local_authdb\n", "    auth &local_authdb\n    auth &tokens\n")
        start = start.replace("server.key\n", "server.key {\n    client_ca " + str(self.authority)
                              + "\n}\nlog stderr_ts\n")
        return start + f"""\
auth.pass_table local_authdb {{
    table sql_table {{
        driver sqlite3
        dsn credentials.db
        table_name passwords
    }}
}}

auth.oauth2 tokens {{
    secret "{SECRET}"
    issuer {ISSUER}
    audience {AUDIENCE}
}}

storage.imapsql""" + rest


def token(user: str, expires: int = 3_600, secret: str = SECRET) -> str:
    """A JWT as the authorization server would make it (RFC 7519)."""
    def part(value) -> bytes:
        return base64.urlsafe_b64encode(value).rstrip(b"=")

    claims = {"iss": ISSUER, "aud": AUDIENCE, "email": user, "exp": int(time.time()) + expires}
    signed = b".".join(part(json.dumps(each).encode()) for each in ({"alg": "HS256"}, claims))
    mac = hmac.digest(secret.encode(), signed, hashlib.sha256)
    return (signed + b"." + part(mac)).decode()


def tell(story: Story) -> None:
    with Open(story) as server:
        scram(story, server)
        tokens(story, server)
        certificates(story, server)
    # Two of SCRAM, three of tokens, one of a certificate.
    bans.expect_failures(story, server.log, 6)


def scram(story: Story, server: Open) -> None:
    """With and without a binding to the TLS session; names in another case are the same user."""
    def gsasl(mechanism: str, password: str, statuses=(0,)) -> bytes:
        return story.run(
            "gsasl", "--imap", "--connect", f"localhost:{server.imap_port}", "--x509-ca-file",
            server.authority, "--mechanism", mechanism, "--authentication-id", "Alice@example.org",
            "--password", password, *([] if "PLUS" in mechanism else ["--no-cb"]),
            statuses=statuses,
        )

    for mechanism in ("SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"):
        gsasl(mechanism, story.alice.password)
        logged(server, f'logged in\t{{"mechanism":"{mechanism}"')
    for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"):
        gsasl(mechanism, "wrong", statuses=(1,))


def curl(story: Story, server: Open, mechanism: str, *args, statuses=(0,)) -> bytes:
    url = f"imaps://localhost:{server.imaps_port}/"
    return story.run(
        "curl", "-sS", "--cacert", server.authority, "--login-options", f"AUTH={mechanism}",
        *args, url, "-X", "STATUS INBOX (MESSAGES)", statuses=statuses,
    )


def tokens(story: Story, server: Open) -> None:
    """OAUTHBEARER (RFC 7628), and with IMAPClient what came before it. A token says whose it is."""
    name = story.alice.name
    answer = curl(story, server, "OAUTHBEARER", "--user", f"{name}:", "--oauth2-bearer", token(name))
    holds(b"MESSAGES 0" in answer, f"a token opens the mailbox: {answer}")
    logged(server, 'logged in\t{"mechanism":"OAUTHBEARER"')
    context = ssl.create_default_context(cafile=str(server.authority))
    with imapclient.IMAPClient("localhost", server.imaps_port, ssl_context=context) as client:
        client.oauth2_login(name, token(name))
        expect(client.folder_status("INBOX", ["MESSAGES"]), {b"MESSAGES": 0}, "STATUS")
    logged(server, 'logged in\t{"mechanism":"XOAUTH2"')
    for bad in (token(name, expires=-3_600), token(name, secret="another"), token("eve@evil.test")):
        curl(story, server, "OAUTHBEARER", "--user", f"{name}:", "--oauth2-bearer", bad,
             statuses=(DENIED,))


def certificates(story: Story, server: Open) -> None:
    """EXTERNAL (RFC 4422 appendix A): the certificate's e-mail address is the user."""
    mine, foreign = (certificate(story, name) for name in (story.alice.name, "eve@evil.test"))
    user = ("--user", f"{story.alice.name}:")
    answer = curl(story, server, "EXTERNAL", *user, *mine)
    holds(b"MESSAGES 0" in answer, f"the certificate opens the mailbox: {answer}")
    logged(server, 'logged in\t{"mechanism":"EXTERNAL"')
    curl(story, server, "EXTERNAL", *user, *foreign, statuses=(DENIED,))


def certificate(story: Story, user: str) -> tuple:
    """curl's options for a certificate of this user, which the authority has signed."""
    authority, base = story.server.authority, story.home / user

    def openssl(*args) -> None:
        subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True, timeout=60)

    openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", f"{base}.key", "-out", f"{base}.csr", "-subj", "/CN=client")
    extensions = story.write(f"{user}.ext", f"subjectAltName=email:{user}\n"
                                            "extendedKeyUsage=clientAuth\n")
    openssl("x509", "-req", "-in", f"{base}.csr", "-CA", authority, "-CAkey",
            authority.with_suffix(".key"), "-set_serial", "7", "-days", "30", "-extfile",
            extensions, "-out", f"{base}.pem")
    return "--cert", f"{base}.pem", "--key", f"{base}.key"


def logged(server: Open, text: str) -> None:
    """The log speaks of it, at once: the client has had its answer."""
    deadline = time.monotonic() + servers.READY_SECONDS
    while text not in server.log.read_text(errors="replace"):
        holds(time.monotonic() < deadline, f"{text!r} in the log")
        time.sleep(0.02)
