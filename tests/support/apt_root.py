# SPDX-License-Identifier: Apache-2.0
"""Build a hermetic APT root from a case: `build(case, dest)`.

After it, `APT_CONFIG=DEST/etc/apt/apt.conf apt-get update` (or apt, apt-cache, python3-apt ...)
works offline on DEST and touches nothing outside it.
"""

import hashlib
import json
import os
import shutil
import subprocess

DEFAULT_INSTALLED_TIME = 1600000000
RELEASE_DATE = "Sat, 01 Jan 2022 00:00:00 UTC"


def package(name, version, **more):
    """A package of a case."""
    return {"name": name, "arch": "amd64", "version": version, "section": "utils", "priority": "optional", **more}


# case key -> control field, in the order in which they are written
FIELDS = [
    ("essential", "Essential"),
    ("protected", "Protected"),
    ("multi_arch", "Multi-Arch"),
    ("source", "Source"),
    ("provides", "Provides"),
    ("pre_depends", "Pre-Depends"),
    ("depends", "Depends"),
    ("recommends", "Recommends"),
    ("suggests", "Suggests"),
    ("breaks", "Breaks"),
    ("conflicts", "Conflicts"),
    ("replaces", "Replaces"),
    ("phased_update_percentage", "Phased-Update-Percentage"),
]

# An APT transport method for http: that never opens a socket. It maps http://HOST/PATH to
# DEST/srv/http/HOST/PATH, so that a repository has the site (HOST) that the case asks for.
METHOD = r"""#!/usr/bin/python3 -IS
import hashlib, os, signal, sys
from urllib.parse import urlsplit, unquote
signal.signal(signal.SIGINT, signal.SIG_DFL)
BASE = %(base)r
out = sys.stdout
def send(head, **kw):
    out.write(head + "\n" + "".join("%%s: %%s\n" %% (k.replace("_", "-"), v) for k, v in kw.items()) + "\n")
    out.flush()
def messages():
    lines = []
    for line in sys.stdin:
        line = line.rstrip("\n")
        if line:
            lines.append(line)
        elif lines:
            yield lines[0], dict(l.split(": ", 1) for l in lines[1:] if ": " in l)
            lines = []
send("100 Capabilities", Version="1.0", Single_Instance="true")
for head, msg in messages():
    if not head.startswith("600"):
        continue
    uri, dest = msg["URI"], msg["Filename"]
    parts = urlsplit(uri)
    path = os.path.normpath(os.path.join(BASE, parts.hostname, unquote(parts.path).lstrip("/")))
    if not path.startswith(BASE + "/") or not os.path.isfile(path):
        send("400 URI Failure", URI=uri, Message="404  Not Found", FailReason="HttpError404")
        continue
    with open(path, "rb") as f:
        data = f.read()
    send("200 URI Start", URI=uri, Size=len(data))
    try:
        os.unlink(dest)
    except FileNotFoundError:
        pass
    with open(dest, "wb") as f:
        f.write(data)
    send("201 URI Done", URI=uri, Filename=dest, Size=len(data), MD5Sum_Hash=hashlib.md5(data).hexdigest(),
         SHA256_Hash=hashlib.sha256(data).hexdigest(), Checksum_FileSize_Hash=len(data))
"""


def write(path, text, mtime=None):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)
    if mtime is not None:
        os.utime(path, (mtime, mtime))


def relation(value):
    return ", ".join(value) if isinstance(value, list) else str(value)


def stanza(pkg, status=None, repo_id=None):
    """A Packages or dpkg status paragraph."""
    out = ["Package: %s" % pkg["name"]]
    if status is not None:
        out.append("Status: %s" % status)
    if pkg.get("priority"):
        out.append("Priority: %s" % pkg["priority"])
    if pkg.get("section"):
        out.append("Section: %s" % pkg["section"])
    out.append("Installed-Size: %d" % pkg.get("installed_size", 100))
    out.append("Maintainer: Nobody <nobody@example.invalid>")
    out.append("Architecture: %s" % pkg["arch"])
    out.append("Version: %s" % pkg["version"])
    for key, field in FIELDS:
        if status is not None and key == "phased_update_percentage":
            continue
        if pkg.get(key) is not None and pkg[key] is not False and pkg[key] not in ("", []):
            out.append("%s: %s" % (field, "yes" if pkg[key] is True else relation(pkg[key])))
    if status is None:
        ver = pkg["version"].split(":", 1)[-1]
        name = "pool/%s/%s_%s_%s.deb" % (repo_id, pkg["name"], ver, pkg["arch"])
        out.append("Filename: %s" % name)
        out.append("Size: %d" % pkg.get("size", 1000))
        content = name + str(pkg.get("installed_size", 100))
        out.append("SHA256: %s" % (pkg.get("sha256") or hashlib.sha256(content.encode()).hexdigest()))
    elif status.split()[2] == "config-files":
        out.append("Config-Version: %s" % pkg["version"])
    out.append("Description: test package %s" % pkg["name"])
    return "\n".join(out) + "\n"


def list_file_name(pkg):
    """dpkg names it NAME:ARCH.list for a Multi-Arch: same package, else NAME.list"""
    return "%s:%s.list" % (pkg["name"], pkg["arch"]) if pkg.get("multi_arch") == "same" else "%s.list" % pkg["name"]


def dist_of(repo):
    return repo.get("dist") or repo.get("codename") or repo.get("suite") or "stable"


def repo_location(repo, dest):
    """(directory of the repository, its URI in sources.list)"""
    path = repo.get("path", repo["id"]).strip("/")
    if repo.get("site"):
        return os.path.join(dest, "srv/http", repo["site"], path), "http://%s/%s" % (repo["site"], path)
    return os.path.join(dest, "srv/file", path), "file:%s" % os.path.join(dest, "srv/file", path)


def build_deb(pkg, path):
    """A real .deb (only for cases with "real_debs": true). Optional keys: files: {path: text}, postinst: text."""
    work = path + ".d"
    text = "".join(
        l + "\n"
        for l in stanza(pkg, repo_id="x").splitlines()
        if l.split(":")[0] not in ("Filename", "Size", "SHA256", "Phased-Update-Percentage")
    )
    write(os.path.join(work, "DEBIAN/control"), text)
    for name, content in (pkg.get("files") or {"usr/share/doc/%s/v" % pkg["name"]: pkg["version"]}).items():
        write(os.path.join(work, name), content)
    if pkg.get("postinst"):
        write(os.path.join(work, "DEBIAN/postinst"), pkg["postinst"])
        os.chmod(os.path.join(work, "DEBIAN/postinst"), 0o755)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", work, path], check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(work)


def build_repo(repo, dest, archs, real_debs=False):
    base, uri = repo_location(repo, dest)
    component, dist = repo.get("component", "main"), dist_of(repo)
    dist_dir = os.path.join(base, "dists", dist)
    os.makedirs(dist_dir, exist_ok=True)
    sums = []
    paragraphs = [(p["arch"], stanza(p, repo_id=repo["id"])) for p in repo["packages"]]
    if real_debs:
        for i, p in enumerate(repo["packages"]):
            lines = paragraphs[i][1].splitlines()
            name = [l.split(": ", 1)[1] for l in lines if l.startswith("Filename: ")][0]
            build_deb(p, os.path.join(base, name))
            with open(os.path.join(base, name), "rb") as f:
                data = f.read()
            lines = [
                "Size: %d" % len(data)
                if l.startswith("Size: ")
                else "SHA256: %s" % hashlib.sha256(data).hexdigest()
                if l.startswith("SHA256: ")
                else l
                for l in lines
            ]
            paragraphs[i] = (p["arch"], "\n".join(lines) + "\n")
    for arch in archs:
        rel = "%s/binary-%s/Packages" % (component, arch)
        text = "\n".join(t for a, t in paragraphs if a in (arch, "all"))
        write(os.path.join(dist_dir, rel), text)
        sums.append(" %s %d %s" % (hashlib.sha256(text.encode()).hexdigest(), len(text.encode()), rel))
    head = []
    for key, field in [
        ("origin", "Origin"),
        ("label", "Label"),
        ("suite", "Suite"),
        ("version", "Version"),
        ("codename", "Codename"),
    ]:
        if repo.get(key):
            head.append("%s: %s" % (field, repo[key]))
    head.append("Date: %s" % RELEASE_DATE)
    if repo.get("not_automatic"):
        head.append("NotAutomatic: yes")
    if repo.get("but_automatic_upgrades"):
        head.append("ButAutomaticUpgrades: yes")
    head += ["Acquire-By-Hash: no", "Architectures: %s" % " ".join(archs), "Components: %s" % component, "SHA256:"]
    write(os.path.join(dist_dir, "Release"), "\n".join(head + sums) + "\n")
    # unsigned: either declared trusted, or accepted but not trusted
    option = "trusted=yes" if repo.get("trusted", True) else "allow-insecure=yes"
    return "deb [%s] %s %s %s" % (option, uri, dist, component)


def build(case, dest, update=True):
    dest = os.path.abspath(dest)
    if os.path.exists(dest):
        if os.listdir(dest) and not os.path.exists(os.path.join(dest, "etc/apt/apt.conf")):
            raise SystemExit("%s exists and is not a root built by this program" % dest)
        shutil.rmtree(dest)
    for d in [
        "etc/apt/apt.conf.d",
        "etc/apt/preferences.d",
        "etc/apt/sources.list.d",
        "etc/apt/trusted.gpg.d",
        "etc/apt/auth.conf.d",
        "var/lib/apt/lists/partial",
        "var/lib/apt/periodic",
        "var/cache/apt/archives/partial",
        "var/lib/dpkg/info",
        "var/lib/dpkg/updates",
        "var/lib/dpkg/triggers",
        "var/log/apt",
        "srv/http",
        "srv/file",
        "usr/share/dpkg",
        "tmp",
    ]:
        os.makedirs(os.path.join(dest, d))
    archs = case.get("architectures") or ["amd64"]
    native = archs[0]

    method = os.path.join(dest, "lib/apt-method-http")
    write(method, METHOD % {"base": os.path.join(dest, "srv/http")})
    os.chmod(method, 0o755)

    write(
        os.path.join(dest, "etc/apt/apt.conf"),
        "\n".join(
            [
                "// made by apt_root.py; use with APT_CONFIG",
                'Dir "%s";' % dest,
                'Dir::Etc::main "apt.conf.unused";',
                'Dir::State::status "%s/var/lib/dpkg/status";' % dest,
                'Dir::Cache::pkgcache "";',
                'Dir::Cache::srcpkgcache "";',
                'Dir::Bin::Methods::http "%s";' % method,
                'Dir::Bin::dpkg "/usr/bin/dpkg";',
                'DPkg::Options { "--root=%s"; };' % dest,
                'APT::Architecture "%s";' % native,
                "#clear APT::Architectures;",
                "APT::Architectures { %s };" % " ".join('"%s";' % a for a in archs),
                'APT::Sandbox::User "root";',
                'APT::Get::Assume-Yes "false";',
                'Acquire::Languages "none";',
                'Acquire::Check-Valid-Until "false";',
                'Acquire::Check-Date "false";',
                'Acquire::Retries "0";',
                'APT::Machine-ID "0123456789abcdef0123456789abcdef";',
            ]
            + list(case.get("apt_conf", []))
        )
        + "\n",
    )

    lines = [build_repo(r, dest, archs, case.get("real_debs", False)) for r in case["repositories"]]
    write(os.path.join(dest, "etc/apt/sources.list"), "\n".join(lines) + "\n")
    if case.get("preferences"):
        write(
            os.path.join(dest, "etc/apt/preferences.d/case"),
            "\n".join(
                "Package: %s\nPin: %s\nPin-Priority: %d\n" % (p["package"], p["pin"], p["priority"])
                for p in case["preferences"]
            ),
        )

    status, auto = [], []
    for p in case["installed"]:
        st = p.get("status", "install ok installed")
        status.append(stanza(p, status=st))
        if p.get("list_file", True) and st.split()[2] not in ("not-installed",):
            when = p.get("installed_time", DEFAULT_INSTALLED_TIME)
            files = (case.get("list_files") or {}).get(p["name"], "/.\n")
            write(os.path.join(dest, "var/lib/dpkg/info", list_file_name(p)), files, mtime=when)
        if p.get("auto"):
            auto.append(
                "Package: %s\nArchitecture: %s\nAuto-Installed: 1\n"
                % (p["name"], native if p["arch"] == "all" else p["arch"])
            )
    write(os.path.join(dest, "var/lib/dpkg/status"), "\n".join(status))
    write(os.path.join(dest, "var/lib/dpkg/available"), "")
    write(os.path.join(dest, "var/lib/dpkg/info/format"), "1\n")
    write(os.path.join(dest, "var/lib/dpkg/arch"), "".join(a + "\n" for a in archs))
    write(os.path.join(dest, "var/lib/apt/extended_states"), "\n".join(auto))

    if case.get("previous_state") is not None:
        # text as it is when a string (for damaged files)
        text = case["previous_state"] if isinstance(case["previous_state"], str) else json.dumps(case["previous_state"])
        write(os.path.join(dest, "var/log/amazon/ssm/patch-configuration/patch-states-configuration.json"), text)
    write(os.path.join(dest, "case.json"), json.dumps(case, indent=1))

    if update:
        r = subprocess.run(
            ["apt-get", "-q", "update"],
            env=environment(dest),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if r.returncode:
            raise SystemExit("apt-get update failed on %s:\n%s" % (dest, r.stdout))
    for repo in case["repositories"]:
        if repo.get("unreachable"):  # it worked at the last update, and is gone now
            shutil.rmtree(repo_location(repo, dest)[0])
    return dest


def environment(dest):
    env = {k: v for k, v in os.environ.items() if k not in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")}
    env.update(
        APT_CONFIG=os.path.join(dest, "etc/apt/apt.conf"),
        DPKG_ADMINDIR=os.path.join(dest, "var/lib/dpkg"),
        LC_ALL="C.UTF-8",
        TZ="UTC",
    )
    return env
