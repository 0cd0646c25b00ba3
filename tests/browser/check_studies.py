#!/usr/bin/env python3
"""The pages of a sweep and of a comparison of runs, in a real browser: no word on the console,
headings and tables as screen readers need them, and nothing cut off on a phone or a desktop, light
and dark. Exit code 77 where there is no Chromium."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import check_report as report

PROBE = """<script>
addEventListener("load", () => {
  const box = e => e.getBoundingClientRect(), all = q => [...document.querySelectorAll(q)];
  const shadow = 14;
  parent.postMessage({
    page: document.documentElement.scrollWidth, window: innerWidth,
    captions: all(".scroll caption>span").filter(
        e => box(e).right > box(e.closest(".scroll")).right - (innerWidth < 500 ? shadow : 0) + 1).length,
    keys: all(".legend li").filter(e => box(e).right > innerWidth).length,
    lines: all("svg[id]").length,
  }, "*");
});
</script>"""


def check_structure(page, name):
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    report.check(levels.count(1) == 1 and levels[0] == 1, f"{name}: headings begin with {levels[:3]}")
    report.check(all(b <= a + 1 for a, b in zip(levels, levels[1:])), f"{name}: a level is skipped: {levels}")
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    report.check(len(ids) == len(set(ids)), f"{name}: an id is there twice: {sorted(ids)}")
    report.check(len(page.all("caption")) == len(page.all("table")), f"{name}: a table without a caption")
    report.check(all(attrs.get("scope") for attrs in page.all("th")), f"{name}: a header without a scope")


def check_layout(browser, text, folder, name):
    pathlib.Path(f"{folder}/probe.html").write_text(report.with_script(text, PROBE),
                                                    encoding="utf-8")
    frame = pathlib.Path(f"{folder}/frame.html")
    for width in (1280, 390):
        frame.write_text(report.FRAME % width, encoding="utf-8")
        for dark in (False, True):
            shown, _ = report.browse(browser, frame, folder, "--window-size=1400,900",
                                     f"--blink-settings=preferredColorScheme={0 if dark else 1}")
            found = json.loads(re.search('<pre id="probe">(.*?)</pre>', shown).group(1))
            where = f"{name} at {width} px: {found}"
            report.check(found["page"] <= width, f"the page is wider than the window: {where}")
            report.check(found["captions"] == 0, f"a caption is under the edge of its table: {where}")
            report.check(found["keys"] == 0, f"a key is cut off: {where}")
            report.check(found["lines"] >= 2, f"there are no curves: {where}")


def main():
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        print("skipped: needs Chromium (Debian package chromium)")
        sys.exit(77)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        program = os.environ["FMD_PROGRAM"]
        data = f"{folder}/data"
        os.mkdir(data)
        runs = [f"{folder}/s/runs/learning-rate={rate}_hidden={hidden}"
                for rate, hidden in (("0.001", "8"), ("0.01", "16"))]
        for command in ([os.environ["FMD_MAKE_DATA"], data, "n_test=61"],
                        [program, "sweep", "--dataset", data, "--epochs", "3", "--batch-size", "32",
                         "--grid", "learning-rate=0.001,0.01,1000 hidden=8,16", "--study-dir",
                         f"{folder}/s"],
                        [program, "compare", *runs, runs[0], "--output", f"{folder}/c.html"]):
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, timeout=250)
        for path in (f"{folder}/s/report.html", f"{folder}/c.html"):
            text = pathlib.Path(path).read_text(encoding="utf-8")
            name = os.path.basename(path)
            _, console = report.browse(browser, path, folder)
            report.check(not console, f"{name}: the console says {console}")
            check_structure(report.Page(text), name)
            check_layout(browser, text, folder, name)


main()
