#!/usr/bin/env python3
"""Exports of every layer, activation and some graphs: their probabilities against the program's.

check_layers.py c|arm|onnx. C source has equal bits by gcc and clang, warning-free, and on 32-bit ARM
under qemu; int8 weights stay close. ONNX passes the checker of ONNX, and onnxruntime has the same
probabilities to 1e-5. Exit code 77: compiler, runtime or checker is missing.
"""
import array
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
WARNINGS = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wshadow", "-Wstrict-prototypes", "-Werror"]
CLOSE = 1e-5


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(77)


def output_of(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)
    if done.returncode != 0:
        sys.exit(f"FAILED: {' '.join(command)}\n{done.stdout}")
    return done.stdout


def floats(path):
    values = array.array("f")
    with open(path, "rb") as file:
        values.frombytes(file.read())
    return values


def difference(name, found, expected):
    if len(found) != len(expected):
        sys.exit(f"FAILED: {name}: {len(found)} values, expected {len(expected)}")
    return max(abs(a - b) for a, b in zip(found, expected))


def probabilities(name, text, images):
    """What the exported main prints: class, probabilities, name of the class."""
    rows = text.splitlines()
    n = len(images)
    values = array.array("f")
    for row in rows:
        words = row.split(" ")
        for word in words[1:]:
            try:
                values.append(float(word))
            except ValueError:
                break
    if len(values) != n:
        sys.exit(f"FAILED: {name}: {len(values)} probabilities, expected {n}\n{text}")
    return values


def check_c(folder, names, compiler, flags, runner):
    largest = 0
    for name in names:
        expected = floats(f"{folder}/{name}.expected")
        for form in ["", "-int8", "-folded"]:
            program = f"{folder}/program"
            output_of(compiler, *WARNINGS, *flags, "-DMODEL_MAIN", f"{folder}/{name}{form}.c", "-o",
                      program, "-lm")
            found = probabilities(name + form,
                                  output_of(*runner, program, f"{folder}/{name}.raw"), expected)
            far = difference(name + form, found, expected)
            if form == "" and found != expected:
                sys.exit(f"FAILED: {compiler}: {name}: other bits, by up to {far}")
            if form == "-folded" and far > CLOSE:
                sys.exit(f"FAILED: {compiler}: {name}{form} differs by {far}")
            if form == "-int8" and far > 0.1:
                sys.exit(f"FAILED: {compiler}: {name}{form} differs by {far}")
            largest = max(largest, far if form == "-int8" else 0)
    print(f"{compiler} {' '.join(flags)}: {len(names)} models, equal bits; int8 differs by at most "
          f"{largest:.3f}")


def check_onnx(folder, names):
    node = shutil.which("node")
    script = f"{HERE}/run_onnx.js"
    if node is None:
        skip("node is not installed")
    npm = shutil.which("npm")
    if npm is not None:
        os.environ.setdefault("NODE_PATH", output_of(npm, "root", "-g").strip())
    if subprocess.run([node, "-e", "require('onnxruntime-node')"], capture_output=True,
                      check=False).returncode != 0:
        skip("onnxruntime-node is not installed: npm install onnxruntime-node, and its folder "
             "node_modules in NODE_PATH")
    if not os.path.exists(f"{folder}/{names[0]}.onnx"):
        skip("this program was built without ONNX")
    largest = 0
    jobs = [(name, form) for name in names for form in ["", "-float", "-folded"]]
    for name, form in jobs:
        shutil.copyfile(f"{folder}/{name}.raw", f"{folder}/{name}{form}.found")
    output_of(node, script, "3", *[f"{folder}/{name}{form}{end}" for name, form in jobs
                                   for end in [".onnx", ".found"]])
    for name, form in jobs:
        far = difference(name + form, floats(f"{folder}/{name}{form}.found"),
                         floats(f"{folder}/{name}.expected"))
        if not far <= CLOSE:
            sys.exit(f"FAILED: {name}{form} differs by {far}")
        largest = max(largest, far)
    print(f"onnxruntime: {len(jobs)} graphs, largest difference {largest:.2g}")
    check = ("import onnx, sys\nfor path in sys.argv[1:]:\n"
             "    m = onnx.load(path)\n"
             "    onnx.checker.check_model(m, full_check=True)\n"
             "    assert all(isinstance(p.value, str) for p in m.metadata_props), 'not UTF-8'\n")
    if subprocess.run(["/usr/bin/python3", "-c", "import onnx"], capture_output=True,
                      check=False).returncode != 0:
        skip("the checker: python3-onnx is not installed")
    print(output_of("/usr/bin/python3", "-c", check,
                    *[f"{folder}/{name}{form}.onnx" for name, form in jobs]), end="")
    print(f"onnx.checker: {len(jobs)} graphs")


def main():
    what = sys.argv[1]
    compilers = {"c": ["gcc", "clang"], "arm": ["arm-linux-gnueabihf-gcc", "qemu-arm"]}
    missing = [c for c in compilers.get(what, []) if shutil.which(c) is None]
    if "gcc" in missing or (what == "arm" and missing):
        skip(f"{missing[0]} is not installed")
    with tempfile.TemporaryDirectory() as folder:
        names = output_of(os.environ["FMD_MAKE_EXPORTS"], folder).split()
        if what == "c":
            check_c(folder, names, "gcc", ["-O1"], [])
            # A compiler that may fuse what it likes, and does: the source forbids it.
            check_c(folder, names[-6:], "gcc", ["-O3", "-march=native", "-ffp-contract=fast"], [])
            if "clang" not in missing:
                check_c(folder, names[-6:], "clang", ["-O2", "-march=native"], [])
        elif what == "arm":
            flags = ["-O1", "-static", "-mfpu=neon-vfpv4"]
            check_c(folder, names[-6:], "arm-linux-gnueabihf-gcc", flags, ["qemu-arm"])
            check_c(folder, names[-2:], "arm-linux-gnueabihf-gcc", ["-O1", "-static"], ["qemu-arm"])
        else:
            check_onnx(folder, names)


main()
