# A recipe for Spack: copy it to packages/fmnist-dist/package.py of a repository of yours
# (spack repo create), or use `spack create` and paste it.
from spack.package import *


class FmnistDist(CMakePackage):
    """Trains image classifiers on CPUs, data-parallel over MPI, with the same weights, bit for bit, on any
    number of ranks; with the C library libfmd."""

    git = "file:///path/to/fmnist-dist"  # a clone, or the URL of the repository

    license("MIT")

    version("main", branch="main")
    version("0.2.0", tag="v0.2.0")

    variant("hwloc", default=True, description="Cores and hardware threads by hwloc")
    variant("jpeg", default=True, description="Read JPEG files")
    variant("onnx", default=True, description="Export to ONNX")
    variant("serve", default=True, description="Predictions over HTTP")
    variant("tensorboard", default=True, description="Write TensorBoard logs")

    depends_on("c", type="build")
    depends_on("cmake@3.25:", type="build")
    depends_on("pkgconfig", type="build")
    depends_on("mpi")
    depends_on("openblas")
    depends_on("zlib-api")
    depends_on("hdf5@1.10: ~cxx")
    depends_on("jansson")
    depends_on("libpng")
    depends_on("libzip")
    depends_on("xxhash")
    depends_on("random123")
    depends_on("hwloc@2:", when="+hwloc")
    depends_on("jpeg", when="+jpeg")
    depends_on("protobuf-c", when="+onnx")
    depends_on("libmicrohttpd", when="+serve")
    depends_on("protobuf-c", when="+tensorboard")

    def cmake_args(self):
        return [
            self.define("FMD_TESTS", False),
            self.define("RANDOM123_INCLUDE_DIR", self.spec["random123"].prefix.include),
            *(self.define(f"FMD_{part.upper()}", "ON" if f"+{part}" in self.spec else "OFF")
              for part in ("hwloc", "jpeg", "onnx", "serve", "tensorboard")),
        ]

    def test_version(self):
        """the program starts without MPI"""
        fmnist_dist = which(self.prefix.bin.join("fmnist-dist"))
        assert "fmnist-dist" in fmnist_dist("--version", output=str.split, error=str.split)
