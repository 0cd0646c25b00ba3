# Packages by CPack: cpack -G DEB in a build of the preset deb, or scripts/package. Three of them:
# fmnist-dist (program, documentation, job files), libfmd0 and libfmd-dev.
set(CPACK_PACKAGE_NAME fmnist-dist)
set(CPACK_PACKAGE_VENDOR "fmnist-dist")
set(CPACK_PACKAGE_CONTACT "fmnist-dist developers <fmnist-dist@users.noreply.github.com>")
set(CPACK_PACKAGE_DIRECTORY ${CMAKE_BINARY_DIR}/packages)
set(CPACK_COMPONENTS_ALL program library development)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE
    GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)

set(CPACK_DEBIAN_PROGRAM_PACKAGE_NAME fmnist-dist)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_DEPENDS "openmpi-bin")
set(CPACK_DEBIAN_PROGRAM_PACKAGE_RECOMMENDS "libopenblas0, gnuplot-nox, curl")
set(CPACK_COMPONENT_PROGRAM_DESCRIPTION
    "trains image classifiers, data-parallel over MPI
Distributed data-parallel training on CPUs: dense and convolutional networks
on Fashion-MNIST, CIFAR-10 and other images, with the same weights, bit for
bit, on any number of ranks. Keras opens the checkpoints.")

set(CPACK_DEBIAN_LIBRARY_PACKAGE_NAME libfmd${PROJECT_VERSION_MAJOR})
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SECTION libs)
# CPack's own shlibs come with scripts that call ldconfig, where Debian has a trigger.
set(folder ${CMAKE_BINARY_DIR}/packaging)
file(CONFIGURE OUTPUT ${folder}/shlibs
     CONTENT "libfmd ${PROJECT_VERSION_MAJOR} libfmd${PROJECT_VERSION_MAJOR} (>= ${PROJECT_VERSION})\n")
file(CONFIGURE OUTPUT ${folder}/triggers CONTENT "activate-noawait ldconfig\n")
set(CPACK_DEBIAN_LIBRARY_PACKAGE_CONTROL_EXTRA ${folder}/shlibs ${folder}/triggers)
set(CPACK_COMPONENT_LIBRARY_DESCRIPTION
    "C library to train image classifiers over MPI
The library behind fmnist-dist: data sets, models, training and prediction
over the ranks of an MPI job, with the same bits on any number of ranks.")

set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libfmd-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS
    "libfmd${PROJECT_VERSION_MAJOR} (= ${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE})")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SUGGESTS "fmnist-dist, pkg-config")
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION
    "C library to train image classifiers over MPI - development files
Headers, static library, CMake package and pkg-config files of libfmd. The
documentation and examples are in the package fmnist-dist.")

# What Debian wants beside the files: CPack runs this script on the staged trees.
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_CURRENT_LIST_DIR}/debian.cmake)
set(CPACK_FMD_SOURCE_DIR ${PROJECT_SOURCE_DIR})
set(CPACK_FMD_VERSION ${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE})
include(CPack)
