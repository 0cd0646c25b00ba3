#!/usr/bin/env python3
"""The report of a run, in a real browser: it loads without a word on the console, shows the numbers
of history.csv, fits a phone, and can be read by everybody: headings in order, texts for pictures,
headers of tables, contrast. Exit code 77 where there is no Chromium."""
import csv
import html.parser
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-quic", "--no-first-run",
         "--enable-logging=stderr", "--v=0"]
VOID = {"meta", "link", "img", "br", "path"}


def check(good, text):
    if not good:
        sys.exit(f"FAILED: {text}")


class Page(html.parser.HTMLParser):
    """Elements in their order, and the cells of each table."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.tables, self.scripts = [], {}, {}
        self.table = self.cell = self.script = None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.elements.append((tag, attrs))
        if tag == "table":
            self.table = self.tables.setdefault(attrs.get("id"), [])
        elif tag == "tr":
            self.table.append([])
        elif tag in ("td", "th"):
            self.cell = ""
        elif tag == "script":
            self.script = attrs.get("id")
            self.scripts[self.script] = ""

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.table[-1].append(self.cell)
            self.cell = None
        elif tag == "script":
            self.script = None

    def handle_data(self, data):
        if self.cell is not None:
            self.cell += data
        if self.script is not None:
            self.scripts[self.script] += data

    def all(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]


def browse(browser, path, folder, *options):
    """The document as the browser has it after loading, and the lines of the console."""
    profile = tempfile.mkdtemp(dir=folder)
    run = subprocess.run([browser, *FLAGS, *options, f"--user-data-dir={profile}", "--dump-dom",
                          pathlib.Path(path).as_uri()], capture_output=True, text=True,
                         timeout=250, check=False)
    check(run.returncode == 0, f"{browser} returns {run.returncode}: {run.stderr}")
    return run.stdout, [line for line in run.stderr.splitlines() if "CONSOLE" in line]


def check_numbers(page, history_path):
    """The table and the data block are history.csv."""
    with open(history_path, encoding="utf-8", newline="") as file:
        history = list(csv.DictReader(file))
    head, *rows = page.tables["epochs"]
    names = {"Loss": "loss", "Accuracy, %": "accuracy", "Validation loss": "val_loss",
             "Validation accuracy, %": "val_accuracy"}
    check(len(rows) == len(history), f"{len(rows)} epochs are shown, {len(history)} were trained")
    for row, epoch in zip(rows, history):
        check(int(row[0].strip("* ")) == int(epoch["epoch"]) + 1, f"another epoch: {row[0]}")
        for title, name in names.items():
            shown, true = row[head.index(title)], float(epoch[name])
            wanted = f"{100 * true:.2f}" if "%" in title else f"{true:.4f}"
            check(shown == wanted, f"{title} of epoch {row[0]} is {true}, shown as {shown}")
    best = min(range(len(history)), key=lambda i: float(history[i]["val_loss"]))
    check([i for i, row in enumerate(rows) if "*" in row[0]] == [best], "another best epoch")
    data = json.loads(page.scripts["data"])
    for name, values in data["history"].items():
        check(values == [float(epoch[name]) for epoch in history], f"the data block: {name}")
    matrix = [int(cell) for row in page.tables["confusion"][1:] for cell in row[1:]]
    check(matrix == data["test"]["confusion"], "the matrix that is shown is not that of the data")
    check(sum(matrix) == data["test"]["images"], "not every image is in the matrix")
    classes = len(data["test"]["classes"])
    check(sum(matrix[::classes + 1]) == data["test"]["correct"], "the diagonal is not what is right")


def check_structure(page):
    """What screen readers and keyboards need."""
    check(page.all("html")[0].get("lang") == "en", "the language is not told")
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    check(levels.count(1) == 1 and levels[0] == 1, f"headings begin with {levels[:3]}")
    check(all(b <= a + 1 for a, b in zip(levels, levels[1:])), f"headings skip a level: {levels}")
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    check(len(ids) == len(set(ids)), "an id is there twice")
    for tag, attrs in page.elements:
        targets = attrs.get("aria-labelledby", "").split()
        if tag == "a":
            check(attrs["href"].startswith("#"), f"a link leads away: {attrs['href']}")
            targets.append(attrs["href"][1:])
        check(set(targets) <= set(ids), f"no such id: {targets}")
        if tag == "img":
            check(attrs.get("alt"), "a picture without a text")
            check(attrs["src"].startswith("data:image/png;base64,"), "a picture from elsewhere")
        if tag == "th":
            check(attrs.get("scope") in ("row", "col"), "a header cell without a scope")
        if tag == "svg":
            check(attrs.get("role") == "img", "a chart that is no picture")
    check(not page.all("b"), "the name of the data has become markup")
    check(page.all("img"), "there are no pictures")
    check(len(page.all("svg")) == 2, "there are not two charts")
    check(page.elements[[t for t, _ in page.elements].index("body") + 1] ==
          ("a", {"class": "skip", "href": "#main"}), "the first link does not skip to the content")
    check(len(page.all("caption")) == len(page.all("table")), "a table without a caption")


def luminance(colour):
    """WCAG 2.1, relative luminance."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * c for c in colour[1:])
    parts = [int(digits[i:i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a, b):
    light, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def check_contrast(text):
    """Text on its grounds 4.5 to 1, lines and bars 3 to 1, in light, dark and print."""
    modes = [dict(re.findall(r"--(\w+):(#[0-9a-f]+)", block))
             for block in re.findall(r":root\{([^}]*)\}", text)]
    check(len(modes) == 3, "there are not three sets of colours")
    worst = 99
    for mode in modes:
        pairs = [(c, g, 4.5) for c in ("text", "soft", "link", "good", "bad")
                 for g in ("ground", "panel")]
        pairs += [("over", f"g{i}", 4.5) for i in range(6)]
        pairs += [("under", f"g{i}", 4.5) for i in range(6, 10)]
        pairs += [(c, g, 3) for c in ("one", "two", "three", "four", "rest")
                  for g in ("ground", "panel")]
        for colour, ground, least in pairs:
            found = contrast(mode[colour], mode[ground])
            worst = min(worst, found / least)
            check(found >= least, f"{colour} {mode[colour]} on {ground} {mode[ground]}: {found:.2f}")
    return worst


PROBE = """<script>
addEventListener("load", () => {
  const box = e => e.getBoundingClientRect(), all = q => [...document.querySelectorAll(q)];
  const found = {
    page: document.documentElement.scrollWidth, window: innerWidth,
    captions: all(".scroll caption>span").filter(e => box(e).right > innerWidth + 1).length,
    bars: all(".cards .bar").map(e => [parseFloat(e.style.width), box(e).width]),
    hints: all(".more").filter(e => box(e).width > 0).length,
    dark: getComputedStyle(document.body).backgroundColor,
    white: getComputedStyle(document.querySelector("img.white")).filter,
  };
  parent.postMessage(found, "*");
});
</script>"""
# A window is never narrower than 500 pixels, but a frame may be.
FRAME = """<!DOCTYPE html><iframe src="probe.html" width="%d" height="900" style="border:0"></iframe>
<pre id="probe"></pre><script>
addEventListener("message", e => document.querySelector("pre").textContent = JSON.stringify(e.data));
</script>"""


def with_script(text, script):
    """The page with a script of the test, which its content security policy would refuse."""
    policy = '<meta http-equiv="Content-Security-Policy"[^>]*>'
    check(re.search(policy, text), "the page has no content security policy")
    return re.sub(policy, "", text).replace("</body>", script + "</body>")


def check_layout(browser, text, folder):
    """On a phone and on a desktop, light and dark: nothing is cut off or blinding."""
    pathlib.Path(f"{folder}/probe.html").write_text(with_script(text, PROBE),
                                                    encoding="utf-8")
    frame = pathlib.Path(f"{folder}/frame.html")
    for width, phone in ((1280, False), (390, True)):
        frame.write_text(FRAME % width, encoding="utf-8")
        for dark in (False, True):
            shown, _ = browse(browser, frame, folder, "--window-size=1400,900",
                              f"--blink-settings=preferredColorScheme={0 if dark else 1}")
            found = json.loads(re.search('<pre id="probe">(.*?)</pre>', shown).group(1))
            where = f"at {width} px, {'dark' if dark else 'light'}: {found}"
            check(found["window"] == width, f"the window has another width {where}")
            check(found["page"] <= width, f"the page is wider than the window {where}")
            check(found["captions"] == 0, f"a caption is cut off {where}")
            check((found["hints"] > 0) == phone, f"hints that a table scrolls {where}")
            lengths = {}
            for share, pixels in found["bars"]:
                lengths.setdefault(share, []).append(pixels)
            check(all(max(l) - min(l) < 0.5 for l in lengths.values()),
                  f"equal shares have bars of different length {where}")
            check((found["dark"] != "rgb(255, 255, 255)") == dark, f"the ground {where}")
            check((found["white"] != "none") == dark, f"a white picture {where}")


def main():
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        print("skipped: needs Chromium (Debian package chromium)")
        sys.exit(77)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        program = os.environ["FMD_PROGRAM"]
        # A name that would be markup if it were not escaped.
        data, run = f"{folder}/<b>&data", f"{folder}/run"
        os.mkdir(data)
        for command in ([os.environ["FMD_MAKE_DATA"], data, "n_test=61"],
                        [program, "--dataset", data, "--validation-split", "0.2", "--epochs", "4",
                         "--batch-size", "32", "--run-dir", run, "--log-level", "error"],
                        [program, "report", run]):
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=250)
        path = f"{run}/report.html"
        with open(path, encoding="utf-8") as file:
            text = file.read()
        check(os.path.getsize(path) < 1e6, "it has a megabyte or more")
        check(not re.search(r"https?:|//[a-z]|url\(|@import", re.sub(r"base64,[^\"]*", "", text)
                            .split("<script")[0]), "it asks for something from elsewhere")
        check_structure(Page(text))
        check_contrast(text)

        shown, console = browse(browser, path, folder)
        check(not console, f"the console says {console}")
        check_numbers(Page(shown), f"{run}/history.csv")

        check_layout(browser, text, folder)

        # The control: this browser does tell, and another number is seen.
        with open(path, "w", encoding="utf-8") as file:
            file.write(with_script(text, "<script>nothing.there</script>"))
        check(browse(browser, path, folder)[1], "an error in the page is not seen: this test is blind")


if __name__ == "__main__":
    main()
