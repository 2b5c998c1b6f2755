"""Secrets in a text, and how they are made unreadable: the one masking of every output.

A renderer calls `masked` at its one escape point; rules call `secrets_in` and tell what was found.  Three things give a
secret away: its own format (a GitHub token), its place (the password of a URL, of `curl -u`, of an Authorization
header), and the name before it (`DB_PASSWORD=`).  `docs/explanation/findings.md` says what is not looked for.

Most texts hold none of the words that all patterns need (`_HINT`, `_RUN`), and cost two searches.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Literal

import msgspec

from imagepeel._lazy import late
from imagepeel.evidence import text as readable

if TYPE_CHECKING:
    import re

_SHOWN: ContextVar[bool] = ContextVar("imagepeel_show_secrets", default=False)


@contextmanager
def show_secrets() -> Iterator[None]:
    """Show secrets in clear while the `with` block runs: in stories, documents, JSON and cards that are made in it.

        with imagepeel.show_secrets():
            print(image.explain())

    It holds for this thread or task only.  Findings never quote a secret.
    """
    before = _SHOWN.set(True)
    try:
        yield
    finally:
        _SHOWN.reset(before)


def secrets_shown() -> bool:
    """Whether `show_secrets` is in force."""
    return _SHOWN.get()


Proof = Literal["format", "place", "name"]


class FoundSecret(msgspec.Struct, frozen=True):
    """One secret in a text: what it is, where its value stands (`start` to `end`), and what gives it away."""

    what: str
    start: int
    end: int
    by: Proof


TOKENS: tuple[tuple[str, str, re.Pattern[str]], ...] = (
    (
        "GitHub token",
        "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_",
        late(r"(?<![A-Za-z0-9_])(gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{70,255})"),
    ),
    (
        "GitLab token",
        "glpat- gldt- glrt- glcbt- glptt- glsoat- glft- gloas- glagent- glimt- glffct-",
        late(
            r"(?<![A-Za-z0-9_-])(gl(?:pat|dt|rt|cbt|ptt|soat|ft|oas|agent|imt|ffct)-[A-Za-z0-9_-]{20,80})(?![A-Za-z0-9_-])"
        ),
    ),
    ("Slack token", "xox", late(r"(?<![A-Za-z0-9])(xox[abprs]-[0-9]{6,}-[A-Za-z0-9-]{10,200})")),
    ("Slack app token", "xapp-", late(r"(?<![A-Za-z0-9])(xapp-[0-9]-[A-Z0-9]{6,20}-[0-9]{6,20}-[a-f0-9]{40,100})")),
    (
        "Slack webhook",
        "hooks.slack.com",
        late(r"(?<=hooks\.slack\.com/services/)(T[A-Z0-9]{8,12}/B[A-Z0-9]{8,12}/[A-Za-z0-9]{20,40})"),
    ),
    ("npm token", "npm_", late(r"(?<![A-Za-z0-9_])(npm_[A-Za-z0-9]{36})(?![A-Za-z0-9])")),
    (
        "PyPI token",
        "pypi-",
        late(r"(?<![A-Za-z0-9-])(pypi-Ag(?:EIcHlwaS5vcmc|ENdGVzdC5weXBpLm9yZw)[A-Za-z0-9_-]{50,400})"),
    ),
    ("RubyGems key", "rubygems_", late(r"(?<![A-Za-z0-9_])(rubygems_[a-f0-9]{48})(?![A-Za-z0-9])")),
    ("Docker Hub token", "dckr_", late(r"(?<![A-Za-z0-9_])(dckr_(?:pat|oat)_[A-Za-z0-9_-]{27,64})")),
    ("Stripe live key", "_live_", late(r"(?<![A-Za-z0-9_])([rs]k_live_[A-Za-z0-9]{20,200})(?![A-Za-z0-9])")),
    ("Stripe webhook secret", "whsec_", late(r"(?<![A-Za-z0-9_])(whsec_[A-Za-z0-9+/=]{32,100})")),
    ("SendGrid key", "SG.", late(r"(?<![A-Za-z0-9_.])(SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43})(?![A-Za-z0-9_-])")),
    ("Google API key", "AIza", late(r"(?<![A-Za-z0-9_-])(AIza[A-Za-z0-9_-]{35})(?![A-Za-z0-9_-])")),
    ("Anthropic key", "sk-ant-", late(r"(?<![A-Za-z0-9_-])(sk-ant-[A-Za-z0-9_-]{32,200})")),
    (
        "OpenAI key",
        "sk-",
        late(
            r"(?<![A-Za-z0-9_-])(sk-(?:proj-|svcacct-|admin-)[A-Za-z0-9_-]{32,200}|sk-[A-Za-z0-9]{48})(?![A-Za-z0-9])"
        ),
    ),
    ("Hugging Face token", "hf_", late(r"(?<![A-Za-z0-9_])(hf_[A-Za-z0-9]{34,40})(?![A-Za-z0-9])")),
    ("DigitalOcean token", "_v1_", late(r"(?<![A-Za-z0-9_])(do[opr]_v1_[a-f0-9]{64})(?![A-Za-z0-9])")),
    (
        "Shopify token",
        "shpat_ shpca_ shppa_ shpss_",
        late(r"(?<![A-Za-z0-9_])(shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32})(?![A-Za-z0-9])"),
    ),
    ("Databricks token", "dapi", late(r"(?<![A-Za-z0-9_])(dapi[a-f0-9]{32})(?![A-Za-z0-9])")),
    ("Vault token", "hvs. hvb. hvr.", late(r"(?<![A-Za-z0-9_])(hv[sbr]\.[A-Za-z0-9_-]{24,400})")),
    ("Grafana token", "glsa_ glc_", late(r"(?<![A-Za-z0-9_])(gl(?:sa|c)_[A-Za-z0-9_=]{32,200})")),
    (
        "New Relic key",
        "NRAK- NRII-",
        late(r"(?<![A-Za-z0-9_-])(NRAK-[A-Z0-9]{27}|NRII-[A-Za-z0-9_-]{32})(?![A-Za-z0-9])"),
    ),
    ("Linear key", "lin_api_", late(r"(?<![A-Za-z0-9_])(lin_api_[A-Za-z0-9]{40})(?![A-Za-z0-9])")),
    ("Atlassian token", "ATATT3 ATCTT3", late(r"(?<![A-Za-z0-9])(AT[AC]TT3[A-Za-z0-9_=-]{80,300})")),
    ("Telegram bot token", ":AA", late(r"(?<![A-Za-z0-9])([0-9]{8,10}:AA[A-Za-z0-9_-]{33})(?![A-Za-z0-9_-])")),
    ("Google client secret", "GOCSPX-", late(r"(?<![A-Za-z0-9_-])(GOCSPX-[A-Za-z0-9_-]{28})(?![A-Za-z0-9_-])")),
    ("Google access token", "ya29.", late(r"(?<![A-Za-z0-9])(ya29\.[A-Za-z0-9_-]{40,400})")),
    ("Twilio key", "SK", late(r"(?<![A-Za-z0-9_-])(SK[a-f0-9]{32})(?![A-Za-z0-9])")),
    ("Mailgun key", "key-", late(r"(?<![A-Za-z0-9_-])(key-[a-f0-9]{32})(?![A-Za-z0-9])")),
    ("Mailchimp key", "-us", late(r"(?<![A-Za-z0-9])([a-f0-9]{32}-us[0-9]{1,2})(?![A-Za-z0-9])")),
    ("Brevo key", "xkeysib-", late(r"(?<![A-Za-z0-9])(xkeysib-[a-f0-9]{64}-[A-Za-z0-9]{16})(?![A-Za-z0-9])")),
    (
        "Discord webhook",
        "/api/webhooks/",
        late(r"(?<=/api/webhooks/)([0-9]{17,20}/[A-Za-z0-9_-]{60,80})(?![A-Za-z0-9_-])"),
    ),
    ("Netlify token", "nfp_", late(r"(?<![A-Za-z0-9_])(nfp_[A-Za-z0-9]{36})(?![A-Za-z0-9])")),
    ("Figma token", "figd_", late(r"(?<![A-Za-z0-9_])(figd_[A-Za-z0-9_-]{38,60})")),
    ("Supabase token", "sbp_", late(r"(?<![A-Za-z0-9_])(sbp_[a-f0-9]{40})(?![A-Za-z0-9])")),
    ("PlanetScale token", "pscale_", late(r"(?<![A-Za-z0-9_])(pscale_(?:tkn|oauth|pw)_[A-Za-z0-9=._-]{32,64})")),
    ("Replicate token", "r8_", late(r"(?<![A-Za-z0-9_])(r8_[A-Za-z0-9]{37})(?![A-Za-z0-9])")),
    ("Groq key", "gsk_", late(r"(?<![A-Za-z0-9_])(gsk_[A-Za-z0-9]{48,60})(?![A-Za-z0-9])")),
    ("xAI key", "xai-", late(r"(?<![A-Za-z0-9_-])(xai-[A-Za-z0-9]{70,90})(?![A-Za-z0-9])")),
    ("Perplexity key", "pplx-", late(r"(?<![A-Za-z0-9_-])(pplx-[A-Za-z0-9]{40,60})(?![A-Za-z0-9])")),
    ("NVIDIA key", "nvapi-", late(r"(?<![A-Za-z0-9_-])(nvapi-[A-Za-z0-9_-]{60,70})(?![A-Za-z0-9_-])")),
    ("OpenRouter key", "sk-or-v1-", late(r"(?<![A-Za-z0-9_-])(sk-or-v1-[a-f0-9]{64})(?![A-Za-z0-9])")),
    ("LangSmith key", "lsv2_", late(r"(?<![A-Za-z0-9_])(lsv2_(?:pt|sk)_[a-f0-9]{32}_[a-f0-9]{10})(?![A-Za-z0-9])")),
    ("Notion token", "ntn_", late(r"(?<![A-Za-z0-9_])(ntn_[A-Za-z0-9]{40,50})(?![A-Za-z0-9])")),
    ("Airtable token", "pat", late(r"(?<![A-Za-z0-9])(pat[A-Za-z0-9]{14}\.[a-f0-9]{64})(?![A-Za-z0-9])")),
    ("Pulumi token", "pul-", late(r"(?<![A-Za-z0-9_-])(pul-[a-f0-9]{40})(?![A-Za-z0-9])")),
    ("Doppler token", "dp.", late(r"(?<![A-Za-z0-9_.])(dp\.(?:pt|st|ct|sa|scim|audit)\.[A-Za-z0-9._-]{40,80})")),
    ("Postman key", "PMAK-", late(r"(?<![A-Za-z0-9_-])(PMAK-[a-f0-9]{24}-[a-f0-9]{34})(?![A-Za-z0-9])")),
    ("Square token", "sq0", late(r"(?<![A-Za-z0-9_-])(sq0(?:csp|atp)-[A-Za-z0-9_-]{22,43})")),
    ("Terraform token", ".atlasv1.", late(r"(?<![A-Za-z0-9])([A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,70})")),
    ("Buildkite token", "bkua_", late(r"(?<![A-Za-z0-9_])(bkua_[a-f0-9]{40})(?![A-Za-z0-9])")),
    ("SonarQube token", "sqp_ squ_ sqa_", late(r"(?<![A-Za-z0-9_])(sq[pua]_[a-f0-9]{40})(?![A-Za-z0-9])")),
    (
        "Artifactory key",
        "AKCp cmVmdGtu",
        late(r"(?<![A-Za-z0-9])(AKCp[A-Za-z0-9]{69}|cmVmdGtuO[A-Za-z0-9]{50,60})(?![A-Za-z0-9])"),
    ),
    ("Heroku key", "HRKU-", late(r"(?<![A-Za-z0-9_-])(HRKU-AA[A-Za-z0-9_-]{58})(?![A-Za-z0-9_-])")),
    ("Tailscale key", "tskey-", late(r"(?<![A-Za-z0-9_-])(tskey-[a-z]{3,10}-[A-Za-z0-9]{6,30}-[A-Za-z0-9]{20,60})")),
    ("CircleCI token", "CCIPAT_", late(r"(?<![A-Za-z0-9_])(CCIPAT_[A-Za-z0-9]{22}_[a-f0-9]{40})(?![A-Za-z0-9])")),
    ("Mapbox token", "sk.eyJ", late(r"(?<![A-Za-z0-9_])(sk\.eyJ[A-Za-z0-9_-]{40,200}\.[A-Za-z0-9_-]{20,40})")),
    ("1Password token", "ops_eyJ", late(r"(?<![A-Za-z0-9_])(ops_eyJ[A-Za-z0-9+/_-]{200,2000}={0,2})")),
    ("Clojars token", "CLOJARS_", late(r"(?<![A-Za-z0-9_])(CLOJARS_[a-z0-9]{60})(?![A-Za-z0-9])")),
    ("NuGet key", "oy2", late(r"(?<![A-Za-z0-9])(oy2[a-z0-9]{43})(?![A-Za-z0-9])")),
    ("crates.io token", "cio", late(r"(?<![A-Za-z0-9])(cio[A-Za-z0-9]{32})(?![A-Za-z0-9])")),
    ("Dropbox token", "sl.", late(r"(?<![A-Za-z0-9_.])(sl\.[A-Za-z0-9_-]{130,400})")),
    ("EasyPost key", "EZAK", late(r"(?<![A-Za-z0-9])(EZAK[A-Za-z0-9]{54})(?![A-Za-z0-9])")),
    ("Prefect key", "pnu_", late(r"(?<![A-Za-z0-9_])(pnu_[A-Za-z0-9]{36})(?![A-Za-z0-9])")),
    ("Adafruit key", "aio_", late(r"(?<![A-Za-z0-9_])(aio_[A-Za-z0-9]{28})(?![A-Za-z0-9])")),
    ("Fly.io token", "fm2_", late(r"(?<![A-Za-z0-9_])(fm2_[A-Za-z0-9+/=]{100,1000})")),
    ("age key", "AGE-SECRET-KEY-1", late(r"(?<![A-Z0-9-])(AGE-SECRET-KEY-1[A-Z0-9]{58})(?![A-Z0-9])")),
)
"""Keys and tokens whose fixed prefix and length prove them wherever they stand: what it is, the words of which one
stands in each, the pattern, whose group 1 is the secret."""

_VALUE = r"(?:\\*[\"'],?\s*\\*[\"']|\s+\\*['\"]?|=\\*['\"]?|)([^\s'\"\\]{3,200})"
"""What follows a short option, in a line or in a list of words."""


class _Line(msgspec.Struct, frozen=True):
    """Programs, what stands in each place that gives a secret away, and the rest of their line."""

    programs: str
    mark: str
    pattern: re.Pattern[str]


def _line(programs: str, mark: str = "") -> _Line:
    names = programs.replace(" ", "|").replace(".", r"\.")
    return _Line(programs, mark, late(rf"(?<![\w.-])(?:{names})(?:-[a-z]{{1,20}})?(?=[\s\"'])[^\n]*"))


_LINES: tuple[tuple[str, _Line, re.Pattern[str]], ...] = (
    (
        "password of curl",
        _line("curl curlie xh http https"),
        late(
            r"[\s\"'](?:-[A-Za-z#]{0,12}[uU]|--user|--proxy-user|-a|--auth)"
            r"(?:\\{0,4}[\"'],?\s{0,9}\\{0,4}[\"']|\s{1,9}\\{0,4}['\"]?|=\\{0,4}['\"]?|)"
            r"[^\s:'\",]{0,100}\\{0,4}['\"]?:\\{0,4}['\"]?([^\s'\"\\]{3,200})"
        ),
    ),
    (
        "registry password",
        _line("docker podman buildah skopeo nerdctl crane helm oras", "login"),
        late(rf"\blogin\b.{{0,400}}?[\s\"']-p{_VALUE}"),
    ),
    (
        "database password",
        _line("mysql mysqldump mysqladmin mysqlimport mysqlpump mysqlcheck mariadb"),
        late(r"[\s\"']-p\\*['\"]?([^\s'\"\\]{3,200})|\bpassword\s+\\*['\"]?([^\s'\"\\-][^\s'\"\\]{2,200})"),
    ),
    (
        "database password",
        _line("mongo mongosh mongodump mongorestore mongoimport mongoexport influx"),
        late(rf"[\s\"']-p{_VALUE}"),
    ),
    ("database password", _line("redis-cli valkey-cli"), late(rf"[\s\"'](?:-a|--pass){_VALUE}")),
    ("database password", _line("sqlcmd bcp"), late(rf"[\s\"']-P{_VALUE}")),
    (
        "password of a directory",
        _line("ldapsearch ldapmodify ldapadd ldapdelete ldapwhoami ldappasswd"),
        late(rf"[\s\"']-w{_VALUE}"),
    ),
    ("password of a user", _line("useradd usermod adduser"), late(rf"[\s\"']-p{_VALUE}")),
    ("password of a login", _line("az twine dotnet cf oc ibmcloud", "-p"), late(rf"[\s\"']-p{_VALUE}")),
    ("password of an archive", _line("unzip zip 7z 7za"), late(r"[\s\"'](?:-P\s*|-p)\\*['\"]?([^\s'\"\\]{3,200})")),
    (
        "password of openssl",
        _line("openssl"),
        late(r"\bpass:([^\s'\"\\]{3,200})|[\s\"']-[kK]\s+\\*['\"]?([^\s'\"\\]{3,200})"),
    ),
    (
        "password of a share",
        _line("smbclient mount.cifs lftp rpcclient"),
        late(r"[\s\"']-[uU]\s*\\*['\"]?[^\s%,'\"]{1,100}[%,]([^\s'\"\\]{3,200})"),
    ),
    (
        "password of a user",
        _line("htpasswd"),
        late(
            r"\s-[A-Za-z]{0,8}b[A-Za-z]{0,8}\s+(?:\S{1,300}\s+){1,2}\\*['\"]?([^\s'\"\\]{3,200})\\*['\"]?\s*(?:$|[;&|>])"
        ),
    ),
    (
        "token of a login",
        _line("vault snyk cargo fly flyctl ngrok cloudflared surge wandb huggingface-cli"),
        late(
            r"(?:\blogin|\bauth(?:\s+token)?|\b(?:add-)?authtoken|\bservice\s+install)\s+\\*['\"]?"
            r"([A-Za-z0-9][A-Za-z0-9._~+/=-]{15,4000})"
        ),
    ),
    (
        "credential of a setting",
        _line("composer poetry bundle bundler"),
        late(
            r"\bconfig\b[^\n;&|]{0,200}?(?:http-basic\.\S{1,200}\s+\S{1,200}\s+|(?:github-oauth|gitlab-token|bearer|pypi-token)"
            r"\.\S{1,200}\s+|\s[\w.-]{1,100}\.[a-z]{2,10}\s+[^\s:]{1,100}:)\\*['\"]?([^\s'\"\\-][^\s'\"\\]{2,400})"
        ),
    ),
    (
        "credential of a setting",
        _line("npm yarn pnpm aws pip git gem"),
        late(
            r"(?i)\bset\s+[^\s=]{0,200}(?:_?auth(?:token)?|_?password|secret_access_key|session_token|token)[\s=]+\\*['\"]?"
            r"([^\s'\"\\-][^\s'\"\\]{4,4000})"
        ),
    ),
    (
        "key of an object store",
        _line("mc"),
        late(r"\b(?:alias\s+set|config\s+host\s+add)\s+\S+\s+\S+\s+\S+\s+([^\s'\"\\]{8,200})"),
    ),
    (
        "password of a broker",
        _line("rabbitmqctl"),
        late(r"\b(?:add_user|change_password)\s+\S{1,100}\s+\\*['\"]?([^\s'\"\\]{3,200})"),
    ),
)
"""Programs whose own way to name a password gives it away: what it is, the program and the rest of its line, the
place, whose group that is there is the secret."""
_OPTION = late(
    r"(?i)(?<![^\s\"',=(\[])--?(?:[a-z0-9-]{0,40}-)?(?:password|passwd|passphrase|token|oauth2-bearer|api[_-]?key|secret|secret[_-]key|access-key|account-key|"
    r"auth-?key|activationkey|requirepass|storepass|keypass)"
    r"(?:=|\s+|\\*[\"'],?\s*\\*[\"'])\\*['\"]?(?!id=|type=|src=|env=)([^\s'\",\]\\-][^\s'\",\]\\]{5,400})"
)
_SSHPASS = late(r"\bsshpass[\"']?,?\s+[\"']?-p[\"']?,?\s*['\"]?([^\s'\"]{3,200})")
_HEADER = late(
    r"(?i)\b(?:(?:proxy-)?authorization|(?:private|job|circle)-token|x-(?:[a-z]{1,20}-){0,4}(?:api|key|token)|"
    r"(?:[a-z]{1,20}-){0,3}api-?key|[a-z]{1,20}-apim-subscription-key)\s*:\s*"
    r"(?:(?:basic|token|apikey|bearer|negotiate)\s+)?([A-Za-z0-9._~+/=:-]{8,4000})"
)
_PLACED: tuple[tuple[str, str, re.Pattern[str]], ...] = (
    ("password of a URL", "://", late(r"\b[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s:/@'\"]{0,100}:([^\s/@'\"]{3,200})@")),
    (
        "token of a URL",
        "://",
        late(
            r"\b[A-Za-z][A-Za-z0-9+.-]{1,20}://((?=[^\s:/@'\"]{0,400}[0-9])[A-Za-z0-9_~.-]{20,400})(?::x-oauth-basic)?@[\w.-]"
        ),
    ),
    ("signature of a URL", "? &", late(r"(?i)[?&](?:sig|signature|x-amz-signature)=([A-Za-z0-9%+/=_-]{20,400})")),
    ("cookie", "coo", late(r"(?i)\bcookie\s*:\s*[^\s=;'\"]{1,80}=([^\s;'\"\\]{8,4000})")),
    ("bearer token", "bearer", late(r"(?i)\bbearer\s+['\"]?([A-Za-z0-9._~+/=-]{16,4000})")),
    ("credentials of an HTTP header", "autho -to x- ap", _HEADER),
    (
        "JSON web token",
        "eyJ",
        late(r"(?<![A-Za-z0-9_-])(eyJ[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{20,1000})"),
    ),
    (
        "AWS secret access key",
        "ecret",
        late(r"(?i)aws_secret(?:_access)?_key['\"]?\s*[=:]\s*['\"]?([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])"),
    ),
    (
        "private key",
        "-----BEGIN",
        late(r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----\s*(?:\\n)?([A-Za-z0-9+/=\s\\]{24,20000}+)"),
    ),
    ("password of an option", "-pa -to -oauth -ap -acc -au -act ecret -requ torepa eypa", _OPTION),
    ("password of sshpass", "sshpass", _SSHPASS),
    ("password of a login", "password", late(r"\b(?:login|user)\s+\S{1,100}\s+password\s+(\S{3,200})")),
    (
        "password of a user",
        "chpasswd",
        late(r"\b[A-Za-z_][\w.-]{0,60}:([^\s'\"\\|]{3,200})\\*['\"]?\s*\|\s*(?:\S{1,40}\s+){0,2}chpasswd\b"),
    ),
    (
        "password of a user",
        "chpasswd",
        late(r"\bchpasswd\b[^\n|;]{0,40}<<<\s*\\*['\"]?[\w.-]{1,60}:([^\s'\"\\]{3,200})"),
    ),
    (
        "password on standard input",
        "echo printf",
        late(
            r"\b(?:echo|printf)\s+(?:-\w+\s+|'%s'\s+){0,2}\\*['\"]?([^\s'\"\\|]{3,400})\\*['\"]?\s*\|[^|\n]{0,200}?"
            r"(?:--(?:password-)?stdin\b|--with-token\b|\bsudo\s+-S)"
        ),
    ),
    ("token on standard input", "--with-token", late(r"--with-token\b\s*<<<\s*\\*['\"]?([^\s'\"\\]{8,400})")),
    (
        "database password",
        "dent word",
        late(
            r"(?i)\b(?:identified\s+(?:with\s+\S{1,60}\s+)?by|(?:user|role)\s[^\n;]{0,200}?\bpassword)\s+\\*['\"]"
            r"([^'\"\\\s]{3,200})"
        ),
    ),
    ("registry password", '"auth', late(r"\"auth\\*\"\s*:\s*\\*\"([A-Za-z0-9+/=]{8,2000})\"")),
)
"""Places that give a secret away: what it is, the words of which one stands in each, the pattern.  Where the pattern
takes small and capital letters, those words are small and have no i, k or s: these match letters beyond ASCII, too."""
_ASSIGNED = late(
    r"(?<![A-Za-z0-9_.-])([A-Za-z_][A-Za-z0-9_.-]{0,80})="
    r"(?:\"((?:[^\"\\]|\\.){1,4000})\"|\\+\"([^\"\\]{1,4000})\\|'([^']{1,4000})'|([^\s\"'\\]{1,4000}))"
)
_SPACED = late(
    r"(?<![A-Za-z0-9_.$@{-])([A-Za-z_][A-Za-z0-9_.-]{0,80})\\{0,4}[\"']?(?:[ \t]{1,20}=[ \t]{0,20}|=[ \t]{1,20})(?!=)"
    r"(?:\\{0,4}[\"']([^\s\"'\\]{4,4000})\\{0,4}[\"']|([^\s\"'\\()\[\]{}<>|&;$]{4,4000}+)(?![(\[]))"
)
"""As files of settings have it; a program has assignments too, so that a bare value needs a digit."""
_BESIDE = late(r"(?:^|[\s;&|])(?:ENV|ARG|LABEL)\s+([A-Za-z_][A-Za-z0-9_.-]{0,80})[ \t]+([^\s=][^\n]{0,4000})")
_KEYED = late(r"[\"']?\b([A-Za-z_][A-Za-z0-9_.-]{0,80})\\*[\"']?\s*:\s*\\*[\"']?([A-Za-z0-9+/=_.~!@#$%^&*-]{6,4000})")
_PARAMETER = late(r"[?&;]\s*([A-Za-z_][A-Za-z0-9_.-]{0,80})=([^&;\s\"'\\]{1,4000})")
_PROPERTY = late(r"(?<!\S)-D([A-Za-z_][A-Za-z0-9_.-]{0,80})=\\*['\"]?([^\s\"'\\]{1,4000})")
_TAGGED = late(r"<([A-Za-z_][A-Za-z0-9_.-]{0,80})>([^<\s]{3,4000})</\1>")

_NAMED: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("=", _ASSIGNED),
    ("ENV ARG LABEL", _BESIDE),
    ("=", _PARAMETER),
    ("-D", _PROPERTY),
    ("</", _TAGGED),
)
"""A name and its value: the words of which one stands in each, the pattern."""
_AS_VALUES = ((":", _KEYED), ("=", _SPACED))
"""The same of what a sentence or a program may have, too."""

_HINTS = (
    *("passw", "passp", "pwd", "pass=", "pass:", "pass ", "_pass", "secret", "token", "key", "bearer", "cred", "_pw"),
    *("auth", "eyj", "curl", "login", "sig=", "signature=", "cookie", "identified", "http ", "https ", "config "),
    *("set ", "service ", "add_user"),
)
_HINT_MARKS, _HINT = ":// -p -w -k -a -u", late(r"://[^/\s@]{0,400}@|[\s\"']-[pwkau]")
"""What stands in each text with a secret that its name or its place gives away: one of the words, or the pattern, in
each match of which one of the marks stands.  One pattern of all would cost more to compile than it saves."""
_RUNS = late(r"[A-Za-z0-9_-]{20}|whsec_")
"""What stands in each text with a token: no token is shorter."""
_SECRET_NAME = late(
    r"(?i)(?:passw(?:or)?d|passphrase|(?:^|[_.-]|store|key)pass|[_.-]pwd|secret|token|^_auth|license[_.-]?key|api[_.-]?key|private[_.-]?key|access[_.-]?key|"
    r"account[_.-]?key|secret[_.-]?key(?:[_.-]base)?|encryption[_.-]?key|signing[_.-]?key|auth[_.-]?key|credentials?|"
    r"(?:redis(?:cli)?|valkey|proxy|basic|http)_auth)(?:_\d+)?$"
)
_MAYBE_SECRET_NAME = late(
    r"(?i)(?:(?:^|[_.-])(?:auth|key|creds?|pw)|(?:master|mailgun|app|hmac|jwt|cipher|service)key)(?:_\d+)?$"
)
"""Names of secrets and of much else: there the value has to look drawn by chance."""
_NAME_MARKS = "pass pw secret token auth key cred"  # one of these words stands in each of those names
_OPEN_NAME = late(r"(?i)(?:gpg|pgp|pub(?:lic)?|finger|host|sort|primary|foreign|partition|cache)[_.-]?key(?:_\d+)?$")
_DRAWN = late(r"(?:base64:)?([A-Za-z0-9+/=_-]{16,4000})\Z")
_OPEN_VALUE = late(r"(?i)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z|(?:0x)?(?:[0-9a-f]{16}|[0-9a-f]{40})\Z")
"""What is no secret though it looks drawn: a UUID and the fingerprint of a key."""
_PARTS = late(r"(?:(?:[A-Z]?[a-z]+|[A-Z]+|v?[0-9]{1,8})(?:[+/=_.-]|\Z))++\Z")
"""A name of several words and numbers, such as `my-partition-1`."""
_PLACEHOLDER = late(
    r"(?i)^(?:|true|false|yes|no|on|off|null|none|nil|\d{1,4}|x+|:?\*+|\.+|change[-_]?me.*|todo|replace.*|your[-_ ].*|"
    r"#[0-9a-f]{3,8}|<.*>|\[.*\]|\{\{.*\}\}|\$.*|%.*%|secret|password|example|test|dummy|/.*|https?://[^@]*|.{0,4}\.\.\.)$"
)


def is_secret(name: str, value: str) -> bool:
    """Whether a value is a secret by its name, or by a name that often is one of a secret (`_KEY`) and how it looks."""
    return _stands(_NAME_MARKS, _folded(name)) and (
        bool(_SECRET_NAME.search(name))
        or (_MAYBE_SECRET_NAME.search(name) is not None and not _OPEN_NAME.search(name) and _is_drawn(value))
    )


def _is_drawn(value: str) -> bool:
    found = _DRAWN.match(value)
    if found is None or _OPEN_VALUE.match(found[1]):
        return False
    digits = sum(map(str.isdigit, found[1]))
    return 2 <= digits < len(found[1]) - 2 and len(set(found[1])) >= 9 and not _PARTS.match(found[1])


def is_placeholder(value: str) -> bool:
    """Whether a value stands for "fill me in", a switch, a path, another variable, or what a mask left of a secret."""
    return bool(_PLACEHOLDER.match(value.strip(" \t\r\n,;")))


def is_varied(value: str) -> bool:
    """Whether a token looks drawn by chance: `xxxx...` and `0000...` are placeholders."""
    return len(set(value[8:])) >= 8


def mask(value: str | bytes) -> str:
    """Return at most the first four characters of a value of twelve or more, else none, and how long it is."""
    shown = readable(value)
    head = shown[:4] if len(shown) >= 12 else ""
    return f"{head}... ({len(shown)} characters)"


def masked(words: str) -> str:
    """Return a text with its secrets masked; as it is while `show_secrets` is in force."""
    return words if _SHOWN.get() else redacted(words)


def redacted(words: str) -> str:
    """Return a text with its secrets masked, always.

    A second call changes nothing.  The cost is one search for a few words where there is no secret.
    """
    if len(words) < 8 or not may_hold(words):
        return words
    out: list[str] = []
    at = 0
    for secret in secrets_in(words):
        out += (words[at : secret.start], mask(words[secret.start : secret.end]))
        at = secret.end
    return "".join((*out, words[at:])) if out else words


def masked_words(words: Sequence[str]) -> list[str]:
    """Return the words of a command or the entries of a list, each masked as it would be with the others beside it.

    `["curl", "-u", "me:secret"]` has its password in a word that alone says nothing.
    """
    line = " ".join(words)
    if _SHOWN.get() or not may_hold(line):
        return list(words)
    found = secrets_in(line)
    out: list[str] = []
    start = 0
    for word in words:
        end = start + len(word)
        inside = [
            (max(s.start, start) - start, min(s.end, end) - start) for s in found if s.start < end and s.end > start
        ]
        shown, at = "", 0
        for first, last in inside:
            shown += word[at:first] + mask(word[first:last])
            at = last
        out.append(shown + word[at:])
        start = end + 1
    return out


def masked_lines(lines: Sequence[str]) -> list[str]:
    """Return the lines of a text, which have no line ends, each masked as it would be in the whole text.

    Of a key of many lines the first shows how it begins, and the others only how long they are.
    """
    whole = "\n".join(lines)
    if _SHOWN.get() or not may_hold(whole):
        return list(lines)
    found = secrets_in(whole)
    out: list[str] = []
    start = at = 0
    for line in lines:
        end, shown, seen = start + len(line), "", start
        while at < len(found) and found[at].start <= end:
            first, last = max(found[at].start, start), min(found[at].end, end)
            if first < last:
                hidden = mask(whole[first:last]) if first == found[at].start else f"... ({last - first} characters)"
                shown, seen = shown + whole[seen:first] + hidden, last
            if found[at].end > end:
                break
            at += 1
        out.append(shown + whole[seen:end])
        start = end + 1
    return out


def masked_value(name: str, value: str) -> str:
    """Return the value of a variable, label or option with this name, masked where the name or the value says so."""
    if _SHOWN.get():
        return value
    if is_secret(name, value) and not is_placeholder(value) and not _MASKED.search(value):
        return mask(value)
    return masked(value)


_ANY_TOKEN = " ".join(marks for _, marks, _ in TOKENS)
_MASKED = late(r"\.\.\. \(\d+ characters\)")


def may_hold(words: str) -> bool:
    """Whether a text can have a secret: False is certain.  A text has none where none of its lines can, each after a
    line end.
    """
    return _RUNS.search(words) is not None or _hinted(words)


def _hinted(words: str) -> bool:
    folded = _folded(words)
    hinted = any(map(folded.__contains__, _HINTS))
    return hinted or (_stands(_HINT_MARKS, folded) and _HINT.search(folded) is not None)


def _folded(words: str) -> str:
    # A pattern that ignores case is four times as slow; the i without a dot is equal to i for one that does.
    return words.lower() if words.isascii() else words.casefold().replace("\u0131", "i")


def secrets_in(words: str) -> list[FoundSecret]:
    """Return the secrets of a text in the order in which they stand, none inside another.

    Of two that overlap, the one that is known for its format comes before the one for its place, and that before the
    one for its name.
    """
    taken: list[FoundSecret] = []
    ends: list[int] = []
    told = (*_by_place(words), *_by_name(words)) if _hinted(words) else ()
    for secret in (*tokens_in(words), *told):
        at = bisect_right(ends, secret.start)
        if at == len(taken) or secret.end <= taken[at].start:
            taken.insert(at, secret)
            ends.insert(at, secret.end)
    return taken


def tokens_in(words: str) -> Iterator[FoundSecret]:
    """Yield the keys and tokens of a text that their format proves, kind by kind."""
    for kind, marks, pattern in TOKENS if _stands(_ANY_TOKEN, words) else ():
        if not _stands(marks, words):
            continue  # and the pattern need not be compiled
        for found in pattern.finditer(words):
            if is_varied(found[1]):
                yield FoundSecret(kind, *found.span(1), "format")


_split = cache(str.split)


def _stands(marks: str, *texts: str) -> bool:
    """Whether one of some words stands in one of the texts."""
    return any(any(map(text.__contains__, _split(marks))) for text in texts)


def _by_place(words: str) -> Iterator[FoundSecret]:
    small = words.lower()
    for kind, marks, pattern in _PLACED:
        if not _stands(marks, words, small):
            continue
        for found in pattern.finditer(words):
            if not _harmless(words, found.start(1), found[1]):
                yield FoundSecret(kind, *found.span(1), "place")
    for kind, line, pattern in _LINES:
        if line.mark not in words or not _stands(line.programs, words):
            continue  # and the pattern need not be compiled
        for program in line.pattern.finditer(words):
            for found in pattern.finditer(words, *program.span()):
                group = found.lastindex or 1
                if not _harmless(words, found.start(group), found[group]):
                    yield FoundSecret(kind, *found.span(group), "place")


def _by_name(words: str) -> Iterator[FoundSecret]:
    if not _stands(_NAME_MARKS, _folded(words)):
        return
    for marks, pattern in _NAMED:
        for found in pattern.finditer(words) if _stands(marks, words) else ():
            group = found.lastindex or 2
            if is_secret(found[1], found[group]) and not _harmless(words, found.start(group), found[group]):
                yield FoundSecret(found[1], *found.span(group), "name")
    # A sentence has a colon too, and a program an equals sign: only what looks like no word is a value there.
    for marks, pattern in _AS_VALUES:
        for found in pattern.finditer(words) if _stands(marks, words) else ():
            group = found.lastindex or 2
            value = found[group]
            varied = any(map(str.isdigit, value)) or (pattern is _SPACED and group == 2)
            if varied and is_secret(found[1], value) and not _harmless(words, found.start(group), value):
                yield FoundSecret(found[1], *found.span(group), "name")


def _harmless(words: str, at: int, value: str) -> bool:
    """Whether a value is none: a placeholder, a variable that is filled in later, or what a mask left."""
    return is_placeholder(value) or _MASKED.match(words, at + min(4, max(0, value.find("...")))) is not None
