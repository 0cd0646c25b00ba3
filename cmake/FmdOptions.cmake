# How every file of the project is compiled: the interface target fmd_options.
option(FMD_WERROR "Treat warnings as errors" OFF)
option(FMD_COVERAGE "Instrument for gcov" OFF)
option(FMD_FUZZ "Build the fuzzers, with clang" OFF)
set(FMD_SANITIZE "" CACHE STRING "Sanitizers, as for -fsanitize")

set(FMD_ISA "" CACHE STRING
    "Instructions of our own loops: avx2 or baseline; empty: the best that the CPU has")

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
# The build tree and the installed program find libraries in the same folders. Without this, CMake ends
# the list of the build tree with an empty element, which is the current folder.
set(CMAKE_BUILD_WITH_INSTALL_RPATH ON)
set(CMAKE_INSTALL_RPATH_USE_LINK_PATH ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

# A release has the same bytes in whatever folder it is built.
set(CMAKE_C_FLAGS_RELEASE "-O3 -ffile-prefix-map=\"${PROJECT_SOURCE_DIR}=.\"")
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O3 -g")

add_library(fmd_options INTERFACE)
target_compile_definitions(fmd_options INTERFACE _GNU_SOURCE)
if(CMAKE_SIZEOF_VOID_P EQUAL 4) # files of 2 GB and more
  target_compile_definitions(fmd_options INTERFACE _FILE_OFFSET_BITS=64)
endif()
target_compile_options(fmd_options INTERFACE
  -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef -Wformat=2
  -Wdouble-promotion -Wcast-qual -Wpointer-arith
  # Equal bits from every instruction set: no fused multiply-add behind our back. The other two
  # let the compiler vectorise; neither changes a value.
  -ffp-contract=off -fno-math-errno -fno-trapping-math)
target_compile_options(fmd_options INTERFACE -fstack-protector-strong)
target_link_options(fmd_options INTERFACE
  $<$<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>:-pie> -Wl,-z,relro -Wl,-z,now)
if(NOT FMD_SANITIZE) # sanitizers check more, and fortified functions hide from them
  target_compile_options(fmd_options INTERFACE
    $<$<CONFIG:Release,RelWithDebInfo>:-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2>)
endif()
if(FMD_WERROR)
  target_compile_options(fmd_options INTERFACE -Werror)
endif()
if(FMD_ISA STREQUAL "avx2")
  target_compile_options(fmd_options INTERFACE -mavx2)
  target_compile_definitions(fmd_options INTERFACE FMD_NO_MULTIVERSION FMD_ISA_AVX2)
elseif(FMD_ISA STREQUAL "baseline")
  target_compile_definitions(fmd_options INTERFACE FMD_NO_MULTIVERSION FMD_ISA_BASELINE)
elseif(FMD_ISA)
  message(FATAL_ERROR "FMD_ISA is '${FMD_ISA}', expected avx2, baseline or nothing")
endif()
if(FMD_SANITIZE)
  target_compile_options(fmd_options INTERFACE
    -fsanitize=${FMD_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
  target_compile_definitions(fmd_options INTERFACE FMD_NO_MULTIVERSION)
  target_link_options(fmd_options INTERFACE -fsanitize=${FMD_SANITIZE})
endif()
if(FMD_COVERAGE)
  target_compile_options(fmd_options INTERFACE --coverage)
  target_compile_definitions(fmd_options INTERFACE FMD_NO_MULTIVERSION)
  target_link_options(fmd_options INTERFACE --coverage)
endif()
