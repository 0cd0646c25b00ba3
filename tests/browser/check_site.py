#!/usr/bin/env python3
"""The documentation site: its links lead somewhere, the search finds, and in Chromium each kind of page
fits a phone and a desktop, light and dark, without a word on the console. Exit code 77 without Chromium or
python3-markdown-it."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from check_report import browse, check, contrast

SCRIPT = pathlib.Path(os.environ["FMD_SOURCE_DIR"]) / "scripts/site"
PROBE = """<script>
addEventListener("load", () => parent.postMessage({
  page: document.documentElement.scrollWidth, window: innerWidth,
  ground: getComputedStyle(document.body).backgroundColor,
  results: [...document.querySelectorAll("#results li a")].map(e => e.getAttribute("href")),
  article: getComputedStyle(document.querySelector("article")).display,
}, "*"));
</script>"""
FRAME = """<!DOCTYPE html><iframe src="%s" width="%d" height="900" style="border:0"></iframe>
<pre id="probe"></pre><script>
addEventListener("message", e => document.querySelector("pre").textContent = JSON.stringify(e.data));
</script>"""


def probe(browser, site, page, width, dark=False):
    name, _, query = page.partition("?")
    text = (site / name).read_text(encoding="utf-8").replace("</body>", PROBE + "</body>")
    (site / f"probe-{name}").write_text(text, encoding="utf-8")
    (site / "frame.html").write_text(FRAME % (f"probe-{name}" + ("?" + query if query else ""), width),
                                     encoding="utf-8")
    shown, console = browse(browser, site / "frame.html", str(site), "--window-size=1400,900",
                            f"--blink-settings=preferredColorScheme={0 if dark else 1}")
    check(not console, f"{page}: the console says {console}")
    return json.loads(re.search('<pre id="probe">(.*?)</pre>', shown, re.S).group(1).replace("&amp;", "&"))


def main():
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        site = pathlib.Path(folder) / "site"
        done = subprocess.run([SCRIPT, site], capture_output=True, text=True, check=False)
        if "needs python3-markdown-it" in done.stderr or browser is None:
            print("skipped: needs Chromium and python3-markdown-it (Debian packages)")
            sys.exit(77)
        check(done.returncode == 0, f"scripts/site: {done.stdout}{done.stderr}")
        for page in ("api.html", "gallery.html", "index.html", "library.html", "exit-codes.html"):
            check((site / page).is_file(), f"no {page}")
        reference = (site / "api.html").read_text(encoding="utf-8")
        for name in re.findall(r"(?m)^    (fmd_\w+);", (SCRIPT.parent.parent / "src/api/fmd.map").read_text()):
            check(name in reference, f"the reference lacks {name}")

        for page in ("index.html", "performance.html", "api.html", "gallery.html"):
            for width in (1280, 390):
                for dark in (False, True) if page == "index.html" else (False,):
                    found = probe(browser, site, page, width, dark)
                    check(found["page"] <= width, f"{page} is wider than {width} pixels: {found}")
                    check((found["ground"] != "rgb(255, 255, 255)") == dark, f"the ground of {page}: {found}")
        found = probe(browser, site, "index.html?q=microbatch+size", 1280)
        check(any(to.startswith("exactness.html") for to in found["results"]), f"the search finds {found['results']}")
        check(found["article"] == "none", "results beside the article")
        found = probe(browser, site, "index.html?q=%3Cimg+src%3Dx%3E+nowhere", 1280)
        check(not found["results"], "the search finds nonsense")

        style = (site / "style.css").read_text(encoding="utf-8")
        for block in re.findall(r"\{([^{}]*--ground: [^{}]*)\}", style):
            colours = dict(re.findall(r"--(\w+): (#[0-9a-f]+)", block))
            for text in ("text", "soft", "accent"):
                for ground in ("ground", "panel"):
                    check(contrast(colours[text], colours[ground]) >= 4.5, f"{text} on {ground}: {block}")

        # The control: a link that leads nowhere is seen.
        copy = pathlib.Path(folder) / "sources"
        for part in ("scripts", "docs", "include", "jobs"):
            shutil.copytree(SCRIPT.parent.parent / part, copy / part)
        for part in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md"):
            shutil.copy(SCRIPT.parent.parent / part, copy)
        with open(copy / "docs/data.md", "a", encoding="utf-8") as file:
            file.write("\n[nowhere](logs.md#no-such-heading)\n")
        done = subprocess.run([copy / "scripts/site", copy / "site"], capture_output=True, text=True, check=False)
        check(done.returncode == 1 and "data.html: there is no heading logs.html#no-such-heading" in done.stdout,
              f"a broken link is not seen: {done.stdout}{done.stderr}")


if __name__ == "__main__":
    main()
