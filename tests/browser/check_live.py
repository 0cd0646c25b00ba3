#!/usr/bin/env python3
"""report --live, in a real browser: the page computes the probabilities of predict, for every layer of
the program and for the user's pictures; it can be drawn on with a mouse and with keys, fits a phone,
follows dark mode, and asks for nothing from elsewhere. The page of serve does the same with the server's
answers. Exit code 77 where there is no Chromium."""
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib

from chrome import Chrome, check, find

MODELS = {
    "dense": "flatten,dense:32:relu,dense:10:softmax",
    "convolutional": "conv2d:8:3:same:relu,max_pooling2d,conv2d:12:3x2:tanh:strides=2x1,"
                     "flatten,dropout:0.2,dense:10,softmax",
    "residual": "conv2d:8:3:same:nobias@a,batch_normalization,relu,conv2d:8:3:same:nobias,"
                "batch_normalization,add:a,relu,global_average_pooling2d,dense:10:softmax",
    "all": "random_flip,random_translation:0.1:0.1,zero_padding2d:1x2x0x1,random_crop:11:8,"
           "random_erasing:0.5,rescaling:2:-1,normalization:0.1:0.3,"
           "conv2d:8:3:same:gelu@a,depthwise_conv2d:3:same:elu:depth_multiplier=2,"
           "conv2d:8:3:same:groups=4:dilation_rate=2:leaky_relu@b,concatenate:a,"
           "layer_normalization,leaky_re_lu:0.1,spatial_dropout2d:0.1,"
           "separable_conv2d:12:3:strides=2:sigmoid:depth_multiplier=2@c,"
           "average_pooling2d:2:same:strides=1,batch_normalization,add:c,max_pooling2d:2:same,"
           "activation:tanh,reshape:3x-1,layer_normalization:axis=-2x-1,reshape:3x2x12,"
           "global_max_pooling2d:keepdims,flatten,dense:16:gelu,relu,dense:10:softmax",
}
PROGRAM = os.environ["FMD_PROGRAM"]


def program(*arguments):
    done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=250,
                          check=False)
    check(done.returncode == 0, f"{arguments}: {done.stderr}")
    return done.stdout


def predicted(*arguments):
    return json.loads(program("predict", *arguments, "--json", "--log-level", "error"))["predictions"]


def in_page(page, pixels):
    return page.run(f"fmdLive.predict(Uint8Array.from({list(pixels)}))"
                    ".then(r => Array.from(r.probabilities))")


def test_images(folder):
    """The first 20 of an IDX file."""
    raw = next(pathlib.Path(folder).glob("t10k-images*")).read_bytes()
    at = 4 + 4 * raw[3]
    size = (len(raw) - at) // struct.unpack(">I", raw[4:8])[0]
    return [raw[at + i * size:at + (i + 1) * size] for i in range(20)]


def difference(a, b):
    return max(abs(x - y) for x, y in zip(a, b))


def check_probabilities(page, run, images):
    worst = 0
    for image, wanted in zip(images, predicted(run, "--index", "0-19")):
        worst = max(worst, difference(in_page(page, image), wanted["probabilities"]))
    check(worst < 1e-4, f"{run}: probabilities differ by {worst}")
    check(not page.console, f"{run}: the console says {page.console}")
    return worst


def write_png(path, width, height, channels, pixels):
    """channels: 1 grey, 3 RGB, 4 RGBA."""
    def chunk(kind, data):
        return (struct.pack(">I", len(data)) + kind + data +
                struct.pack(">I", zlib.crc32(kind + data)))
    row = width * channels
    lines = b"".join(b"\0" + bytes(pixels[y * row:(y + 1) * row]) for y in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, {1: 0, 3: 2, 4: 6}[channels], 0, 0, 0)
    pathlib.Path(path).write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) +
                                   chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b""))


def check_pictures(page, run, folder):
    """Light and dark, grey, coloured and transparent pictures become what predict makes of them."""
    def pixels(n, channels, light):
        values = []
        for i in range(n[0] * n[1]):
            x, y = i % n[0], i // n[0]
            rim = x < 3 or y < 3 or x >= n[0] - 3 or y >= n[1] - 3
            grey = (x * 7 + y * 5) % 200
            colour = [grey, (grey * 2) % 256, 255 - grey, 255][:channels]
            ground = [255 if light else 0] * channels
            values += (ground[:3] + [0] if channels == 4 else ground) if rim else colour
        return values
    for n in ((40, 23), (14, 18), (7, 9)):
        for channels in (1, 3, 4):
            for light in (False, True):
                path = f"{folder}/picture.png"
                write_png(path, *n, channels, pixels(n, channels, light))
                page.choose("#live-file", path)
                page.wait('document.querySelector("#live-note").textContent.startsWith("picture.png, '
                          f'{n[0]} ")', "the picture is taken")
                wanted = predicted(run, path)[0]["probabilities"]
                got = page.run("""(() => {
                  const c = document.querySelector("#live-input");
                  const d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
                  return Array.from({length: d.length / 4}, (_, i) => d[4 * i]);
                })()""")
                far = difference(in_page(page, got), wanted)
                check(far < (1e-4 if channels == 1 else 0.05),
                      f"a picture of {n}, {channels} channels, light {light}: {far}")


def text_of(page, selector):
    return page.run(f'document.querySelector("{selector}").textContent')


def check_drawing(page, image):
    box = page.run('(() => { const b = document.querySelector("#live-paper");'
                   'b.scrollIntoView({block: "center"}); const r = b.getBoundingClientRect();'
                   'return [r.x, r.y, r.width, r.height]; })()')
    page.run('document.querySelector("#live-clear").click()')
    check("Draw" in text_of(page, "#live-says"), "an empty paper has a prediction")
    page.drag([(box[0] + box[2] * a, box[1] + box[3] * b)
               for a, b in ((.3, .3), (.5, .2), (.7, .5), (.3, .8), (.7, .8))])
    page.wait('document.querySelector("#live-bars .first") !== null', "a drawing is classified")
    page.wait('document.querySelector("#live-status").textContent.includes("%")',
              "the result is announced")
    shares = page.run('[...document.querySelectorAll("#live-bars .value")].map(e => e.textContent)')
    check(abs(sum(float(s.rstrip(" %")) for s in shares) - 100) < 1, f"the shares are {shares}")
    by_mouse = text_of(page, "#live-bars")
    page.run('document.querySelector("#live-undo").click()')
    check("Draw" in text_of(page, "#live-says"), "undo leaves the last stroke")

    # Cleared while a prediction is under way: its result comes too late.
    page.run('document.querySelector("#live-examples button").click();'
             'document.querySelector("#live-clear").click()')
    in_page(page, image) # answered after the first
    check("Draw" in text_of(page, "#live-says"), "a cleared image has a prediction")

    page.run('document.querySelector("#live-paper").focus()')
    for key in ["ArrowUp"] * 5 + [" "] + ["ArrowDown"] * 12 + ["ArrowRight"] * 6 + [" "]:
        page.key(key, " " if key == " " else None)
    page.wait('document.querySelector("#live-bars .first") !== null', "a drawing by keys is classified")
    check(text_of(page, "#live-bars") != by_mouse, "two drawings have the same probabilities")
    page.key("Delete")
    check("Draw" in text_of(page, "#live-says"), "Delete does not clear")


def check_layout(page):
    for width, phone in ((1280, False), (390, True)):
        for dark in (False, True):
            page.look(width, 900, dark, phone)
            found = page.run("""(() => {
              const box = q => document.querySelector(q).getBoundingClientRect();
              const small = [...document.querySelectorAll(".live button, .live .file")]
                .filter(e => e.getBoundingClientRect().height < 24).length;
              return {wide: document.documentElement.scrollWidth, small,
                      below: box("#live-bars").top >= box("#live-paper").bottom,
                      ground: getComputedStyle(document.body).backgroundColor};
            })()""")
            where = f"at {width} px, {'dark' if dark else 'light'}: {found}"
            check(found["wide"] <= width, f"the page is wider than the window {where}")
            check(found["below"] == phone, f"the bars {where}")
            check(found["small"] == 0, f"a button is hard to hit {where}")
            check((found["ground"] != "rgb(255, 255, 255)") == dark, f"the ground {where}")
    unnamed = page.run("""[...document.querySelectorAll(".live button, .live input, .live canvas")]
      .filter(e => !e.closest("button[aria-label]") && !e.getAttribute("aria-label") &&
                   !e.closest("label") && !e.textContent.trim()).length""")
    check(unnamed == 0, f"{unnamed} controls without a name")


def check_served(page, run, images):
    """The page of serve: the same section, but the server computes, with the bits of predict."""
    with subprocess.Popen([PROGRAM, "serve", run, "--port", "0"], stdout=subprocess.PIPE,
                          text=True) as server:
        try:
            check_its_page(page, run, images, re.search(r"http://[^ ]+/", server.stdout.readline())[0])
        finally:
            server.terminate()
    page.run("document.querySelector('#live-examples button').click()")
    page.wait("document.getElementById('live-says').className == 'bad'", "the page misses its server")
    told = page.run("document.getElementById('live-says').textContent + "
                    "document.getElementById('live-bars').textContent")
    check("does not answer" in told and "%" not in told, f"without its server the page shows {told}")
    page.console.clear()


def check_its_page(page, run, images, url):
    page.open(url)
    for image, wanted in zip(images[:5], predicted(run, "--index", "0-4")):
        check(in_page(page, image) == wanted["probabilities"], "serve has other bits than predict")
    check_drawing(page, images[0])
    check_layout(page)
    check(not page.console, f"serve: the console says {page.console}")
    shown = page.run("document.getElementById('live-programs').textContent")
    check(f"{url}predict" in shown, f"the examples for programs lack {url}: {shown}")


def main():
    find()
    layers = re.findall(r"FMD_LAYER\((\w+)\)", pathlib.Path(
        os.environ["FMD_SOURCE_DIR"], "src/nn/layers/layers.def").read_text(encoding="utf-8"))
    missing = set(layers) - set(re.split("[,:@]", ",".join(MODELS.values())))
    check(not missing, f"no model of this test has {missing}")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        for channels, data in ((0, "grey"), (3, "colours")):
            os.mkdir(f"{folder}/{data}")
            subprocess.run([os.environ["FMD_MAKE_DATA"], f"{folder}/{data}", f"channels={channels}"]
                           if channels else [os.environ["FMD_MAKE_DATA"], f"{folder}/{data}"], check=True)
        page = Chrome()
        for name, model in MODELS.items():
            for data in ("grey", "colours"):
                run = f"{folder}/{name}-{data}"
                program("train", "--dataset", f"{folder}/{data}", "--layers", model, "--epochs", "3",
                        "--learning-rate", "0.02", "--batch-size", "32", "--run-dir", run,
                        "--log-level", "error")
                images = test_images(f"{folder}/{data}")
                program("report", run, "--live")
                page.open(pathlib.Path(f"{run}/report.html").as_uri())
                worst = check_probabilities(page, run, images)
                print(f"{name}, {data}: {worst:.1e}")
        run = f"{folder}/residual-grey"
        page.open(pathlib.Path(f"{run}/report.html").as_uri())
        check_pictures(page, run, folder)
        check_drawing(page, test_images(f"{folder}/grey")[0])
        check_layout(page)
        check(not page.console, f"the console says {page.console}")

        if "SERVE" not in os.environ.get("FMD_WITHOUT", "").split():
            check_served(page, run, test_images(f"{folder}/grey"))

        # The control: other weights give other probabilities.
        text = pathlib.Path(f"{run}/report.html").read_text(encoding="utf-8")
        changed = f"{folder}/changed"
        shutil.copytree(run, changed)
        weights = re.search(r'(id="live-weights">)(.{416})', text)
        pathlib.Path(f"{changed}/report.html").write_text(
            text.replace(weights[2], weights[2][208:] + weights[2][:208]), encoding="utf-8")
        page.open(pathlib.Path(f"{changed}/report.html").as_uri())
        image = test_images(f"{folder}/grey")[0]
        wanted = in_page(page, image)
        page.open(pathlib.Path(f"{run}/report.html").as_uri())
        check(difference(in_page(page, image), wanted) > 1e-4, "other weights change nothing")
        page.close()


if __name__ == "__main__":
    main()
